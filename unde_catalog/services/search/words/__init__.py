"""Search by words: a dictionary of garments, how a query is read, and its spelling."""
