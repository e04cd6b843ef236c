"""Copies a brand's images to a local folder: which images, how they are fetched, and how the folder is kept."""
