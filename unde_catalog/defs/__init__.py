"""Everything that is Dagster: assets, checks, automation, the instance, resources, IO managers."""
