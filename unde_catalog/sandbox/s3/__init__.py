"""What S3 servers answer, as far as the marketplace's bucket needs it."""
