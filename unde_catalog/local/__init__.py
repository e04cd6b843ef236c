"""Running all of it on this machine: the demo, and Dagster's UI beside the sandbox."""
