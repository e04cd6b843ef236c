"""What every request to the search API passes: access, rate limits, logs, metrics."""
