"""The report on the state of the catalogue: its numbers, and how people see them."""
