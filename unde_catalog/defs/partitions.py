"""Partitions: a brand; for store stages, a brand with stores; for availability, such a brand on a UTC day."""

from datetime import date

import dagster as dg

from unde_catalog.brands import BRANDS, RETIRED_BRANDS

BRAND_PARTITIONS = dg.StaticPartitionsDefinition([*BRANDS, *RETIRED_BRANDS])
STORE_PARTITIONS = dg.StaticPartitionsDefinition(
    [*(key for key, brand in BRANDS.items() if brand.has_stores), *RETIRED_BRANDS]
)

# From a stage of the brands with stores to one of all brands. To and from availability, whose brands are a dimension,
# Dagster knows no such mapping, so there every partition depends on every other.
STORES_OF_BRAND = dg.StaticPartitionMapping({key: key for key in STORE_PARTITIONS.get_partition_keys()})


def availability_partitions(first_day: date) -> dg.MultiPartitionsDefinition:
    """A brand with stores on each UTC day from `first_day` until today."""
    # end_offset: without it, a daily definition ends with yesterday.
    days = dg.DailyPartitionsDefinition(first_day.isoformat(), timezone="UTC", end_offset=1)
    return dg.MultiPartitionsDefinition({"brand": STORE_PARTITIONS, "date": days})
