"""The parts of an S3 server that the marketplace's bucket needs."""
