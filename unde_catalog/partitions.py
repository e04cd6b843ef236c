"""Dagster's partitions: a brand is a partition."""

import dagster as dg

from unde_catalog.brands import BRANDS

BRAND_PARTITIONS = dg.StaticPartitionsDefinition(list(BRANDS))
