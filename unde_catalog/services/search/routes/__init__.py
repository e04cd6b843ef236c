"""The endpoints of the search API."""
