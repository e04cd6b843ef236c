"""What runs beside the pipeline: search, user media, export."""
