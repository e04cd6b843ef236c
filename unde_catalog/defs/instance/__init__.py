"""What `dagster.yaml` names: storage, run launcher, run coordinator."""
