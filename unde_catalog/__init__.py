"""A fashion retailer's catalogue as a Dagster project; the README names its rooms."""
