"""The stages `originals` (downloaded photos) and `collages`."""
