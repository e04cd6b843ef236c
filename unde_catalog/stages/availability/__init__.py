"""What shops have in stock, and which shops there are."""
