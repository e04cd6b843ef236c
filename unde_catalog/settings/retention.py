"""What can be set for upkeep: how long things are kept, and when checks warn. Read by `environment.py` alone.

What goes, and what stays however old it is, is in `stores/staging/admin/old_rows.py`, `upkeep/` and
`defs/automation/run_pruning.py`.
"""

from typing import Annotated

from pydantic import Field

from unde_catalog.settings.checks import CheckFields

Days = Annotated[int, Field(ge=1, le=3_650)]


class UpkeepFields(CheckFields):
    """Days for which each kind is kept, beside the limits of checks."""

    availability_keep_days: Days = Field(default=30, description="days that stock is kept for, 1 to 3650")
    log_keep_days: Days = Field(default=90, description="days that rows of scraper_logs are kept for, 1 to 3650")
    scrape_keep_days: Days = Field(
        default=90, description="days that scrapes and the items they rejected are kept for, 1 to 3650"
    )
    manifest_keep_days: Days = Field(default=90, description="days that manifests are kept for, 1 to 3650")
    run_keep_days: Days = Field(default=30, description="days that Dagster's runs are kept for, 1 to 3650")
