"""The classes that `dagster.yaml` configures: storage, run launcher, run coordinator."""
