"""Where products come from; each source reads its own shape into a Product."""
