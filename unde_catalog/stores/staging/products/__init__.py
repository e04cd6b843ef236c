"""Products, scrapes and rejected items."""
