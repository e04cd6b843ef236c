"""Stores, and what each of them has in stock."""
