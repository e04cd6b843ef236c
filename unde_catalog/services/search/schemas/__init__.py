"""Request and response bodies of the search API, as pydantic models."""
