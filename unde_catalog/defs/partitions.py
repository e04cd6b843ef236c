"""Partitions: a brand; for availability, a brand on a UTC day."""

import dagster as dg

from unde_catalog.brands import BRANDS, RETIRED_BRANDS

FIRST_DAY = "2026-01-01"  # of availability

BRAND_PARTITIONS = dg.StaticPartitionsDefinition([*BRANDS, *RETIRED_BRANDS])
# end_offset: without it, a daily definition ends with yesterday.
DAY_PARTITIONS = dg.DailyPartitionsDefinition(FIRST_DAY, timezone="UTC", end_offset=1)
AVAILABILITY_PARTITIONS = dg.MultiPartitionsDefinition({"brand": BRAND_PARTITIONS, "date": DAY_PARTITIONS})
