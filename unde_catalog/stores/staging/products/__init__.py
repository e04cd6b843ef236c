"""Products, how they were scraped, and what was rejected."""
