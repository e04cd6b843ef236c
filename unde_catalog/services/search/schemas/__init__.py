"""What the search API reads and answers, as pydantic models."""
