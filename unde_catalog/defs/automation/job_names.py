"""Names of jobs: which stages each one works on, and the names that runs in the history may still carry.

The jobs are defined in `jobs.py`, `check_jobs.py`, `maintenance_jobs.py`, `pause_jobs.py` and `index_scope_jobs.py`.
"""

from collections.abc import Mapping

from unde_catalog.stage_specs import STAGE_SPECS

UPDATE_CATALOG, RETRY_FAILED_PRODUCTS = "update_catalog", "retry_failed_products"
BRAND_CHECKS_JOB, FRESHNESS_CHECKS_JOB, SYSTEM_CHECKS_JOB = "brand_checks", "freshness_checks", "system_checks"
BUILD_REPORT, RECORD_USER_MEDIA_DAYS = "build_report", "record_user_media_days"
MAINTAIN_TABLES, PRUNE_HISTORY = "maintain_tables", "prune_history"
CLEAN_UP_COLLAGES, CLEAN_UP_DOWNLOADS = "clean_up_collages", "clean_up_downloads"

# The store stages have schedules of their own.
UPDATE_CATALOG_STAGES = tuple(name for name, spec in STAGE_SPECS.items() if not spec.needs_stores)

# Where products can fail one by one; recurring stages check every product again anyway.
RETRY_STAGES = tuple(name for name in UPDATE_CATALOG_STAGES if STAGE_SPECS[name].due_work)

_STAGES_WITH_FORMER_NAMES = (
    "raw_products", "raw_stores", "originals", "collages", "ximilar_index", "visual_index", "availability",
    "production_catalog",
)  # fmt: skip

# Former names of jobs, of steps and of checks (`asset:check`), by the present name. Runs keep the job name they were
# launched under, and open alerts keep the step or check that failed: both are looked up under these names, too. Remove
# an entry when all runs under the former name are older than RUN_KEEP_DAYS.
FORMER_NAMES: Mapping[str, tuple[str, ...]] = {
    UPDATE_CATALOG: ("catalogue",),
    **{STAGE_SPECS[stage].job: (f"work_off_{stage}",) for stage in _STAGES_WITH_FORMER_NAMES},
    BRAND_CHECKS_JOB: ("checks_daily",),
    FRESHNESS_CHECKS_JOB: ("checks_hourly",),
    SYSTEM_CHECKS_JOB: ("checks_of_the_house",),
    BUILD_REPORT: ("report",),
    RECORD_USER_MEDIA_DAYS: ("people_photos",),
    MAINTAIN_TABLES: ("upkeep",),
    PRUNE_HISTORY: ("pruning",),
    CLEAN_UP_COLLAGES: ("clean_up",),
    CLEAN_UP_DOWNLOADS: ("clean_up",),
    "check_brand": ("brand_checks",),
    "check_freshness": ("fresh",),
    "check_system": ("house",),
    "availability:checked_on_time": ("availability:checked_in_time",),
    "availability:hosts_not_throttled": ("availability:hosts_at_ease",),
    "user_media_days:requests_answered": ("user_media_days:people_are_answered",),
    "ximilar_index:no_work_deferred": ("ximilar_index:nothing_held_back",),
}

_STAGES_OF_JOB: Mapping[str, frozenset[str]] = {
    UPDATE_CATALOG: frozenset(UPDATE_CATALOG_STAGES),
    RETRY_FAILED_PRODUCTS: frozenset(RETRY_STAGES),
    **{spec.job: frozenset({stage}) for stage, spec in STAGE_SPECS.items()},
    # Checks change no product, so no stage waits for them.
    **dict.fromkeys((BRAND_CHECKS_JOB, FRESHNESS_CHECKS_JOB, SYSTEM_CHECKS_JOB), frozenset[str]()),
}
STAGES_OF_JOB: Mapping[str, frozenset[str]] = {
    name: stages for job, stages in _STAGES_OF_JOB.items() for name in (job, *FORMER_NAMES.get(job, ()))
}


def all_names(name: str) -> tuple[str, ...]:
    """The name and its former names."""
    return name, *FORMER_NAMES.get(name, ())
