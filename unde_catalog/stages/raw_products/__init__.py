"""The raw_products stage and the sources of products; each source converts its own items into products."""
