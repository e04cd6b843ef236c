"""What checks, the report and `status` count."""
