"""What exists: a short file each, wiring only."""
