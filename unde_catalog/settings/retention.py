"""How long data is kept. Only `environment.py` reads these settings from the environment.

What is deleted, and what is kept at any age, is in `stores/staging/admin/old_rows.py`, `operations/upkeep/` and
`defs/automation/run_pruning.py`.
"""

from typing import Annotated

from pydantic import Field

from unde_catalog.settings.checks import CheckFields

Days = Annotated[int, Field(ge=1, le=3_650)]


class UpkeepFields(CheckFields):
    """Days to keep each kind of data, and the limits of checks."""

    availability_keep_days: Days = Field(default=30, description="days to keep stock, 1 to 3650")
    log_keep_days: Days = Field(default=90, description="days to keep logs of runs, requests and deliveries, 1 to 3650")
    scrape_keep_days: Days = Field(default=90, description="days to keep scrapes and rejected items, 1 to 3650")
    manifest_keep_days: Days = Field(default=90, description="days to keep manifests, 1 to 3650")
    run_keep_days: Days = Field(default=30, description="days to keep Dagster's runs, 1 to 3650")
