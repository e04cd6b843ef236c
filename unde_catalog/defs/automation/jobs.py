"""Jobs: what can be launched as one run."""

import dagster as dg

from unde_catalog.defs.checks.brand_checks import BRAND_CHECKS
from unde_catalog.defs.checks.freshness import FRESHNESS_CHECKS
from unde_catalog.defs.checks.system import SYSTEM_CHECKS
from unde_catalog.stage_specs import STAGE_SPECS, STAGES

CHECKS_DAILY, CHECKS_HOURLY, CHECKS_OF_THE_HOUSE = "checks_daily", "checks_hourly", "checks_of_the_house"

# `raw_stores` and `availability` have a clock of their own.
CATALOGUE_STAGES = tuple(name for name, spec in STAGE_SPECS.items() if not spec.needs_stores)
SENSOR_STAGES = tuple(name for name, spec in STAGE_SPECS.items() if spec.trigger == "sensor")


def work_off_name(stage: str) -> str:
    """The job of one stage alone, as the UI shows it wherever a sensor's or a schedule's runs are listed."""
    return f"work_off_{stage}"


STAGES_OF_JOB = {
    "catalogue": frozenset(CATALOGUE_STAGES),
    **{work_off_name(stage): frozenset({stage}) for stage in STAGES},
    # They work on no product, so that no stage has to wait for them.
    **dict.fromkeys((CHECKS_DAILY, CHECKS_HOURLY, CHECKS_OF_THE_HOUSE), frozenset[str]()),
}


def stage_selection(*stages: str) -> dg.AssetSelection:
    """Stages with the checks that are about their very runs; what looks at a whole brand or at the house has a clock
    of its own (`check_jobs.py`)."""
    on_their_own = dg.AssetSelection.checks(*(one.key for one in (*BRAND_CHECKS, *FRESHNESS_CHECKS, *SYSTEM_CHECKS)))
    return dg.AssetSelection.assets(*stages) - on_their_own


CATALOGUE_JOB = dg.define_asset_job(
    "catalogue",
    selection=stage_selection(*CATALOGUE_STAGES),
    description="A brand from its scrape to what is published of it.",
)

STAGE_JOBS = {
    stage: dg.define_asset_job(
        work_off_name(stage),
        selection=stage_selection(stage),
        description=f"What is due in {stage} of a brand, without the checks that have a clock of their own.",
    )
    for stage in STAGES
}
