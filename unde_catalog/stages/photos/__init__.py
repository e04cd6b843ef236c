"""Everything between a photo's address and its collage."""
