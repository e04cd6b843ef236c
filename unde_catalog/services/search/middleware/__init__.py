"""Middleware around every request of the search API: access, rate limits, logs and metrics."""
