"""Publishing: what must hold of a product and of a brand, and bringing it to the production database."""
