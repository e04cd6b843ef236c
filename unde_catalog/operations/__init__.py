"""Running the catalogue: quality rules, report, upkeep, alerts, doctor."""
