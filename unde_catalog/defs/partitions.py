"""Dagster's partitions: a brand is a partition; of availability, a brand on a day (UTC)."""

import dagster as dg

from unde_catalog.brands import BRANDS

FIRST_DAY = "2026-01-01"  # of availability

BRAND_PARTITIONS = dg.StaticPartitionsDefinition(list(BRANDS))
# By itself a daily definition ends with yesterday.
DAY_PARTITIONS = dg.DailyPartitionsDefinition(FIRST_DAY, timezone="UTC", end_offset=1)
AVAILABILITY_PARTITIONS = dg.MultiPartitionsDefinition({"brand": BRAND_PARTITIONS, "date": DAY_PARTITIONS})
