"""A local copy of a brand's images as files: which are wanted, fetching them, and the folder they are kept in."""
