"""The stages `availability` (stock by store) and `raw_stores` (the stores of each brand)."""
