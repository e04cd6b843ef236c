"""One package a stage, named as its asset; `run.py` runs any of them. Nothing here knows Dagster."""
