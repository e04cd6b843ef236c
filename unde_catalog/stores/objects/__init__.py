"""Objects: a directory or S3 behind one interface."""
