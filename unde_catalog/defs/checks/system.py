"""Checks of what all brands share: disk, backups, hosts; the job `system_checks` evaluates them hourly.

They also cover availability. Its partitions are brands and days, so one result stands for all brands and names them.
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta

import dagster as dg

from unde_catalog.backends import Backends
from unde_catalog.brands import BRANDS
from unde_catalog.defs.checks import freshness
from unde_catalog.defs.checks.results import check_result
from unde_catalog.defs.resources import BackendsResource
from unde_catalog.defs.run_metadata import fail_in_one_sentence
from unde_catalog.operations.quality import database, failures, queues, system
from unde_catalog.operations.quality.result import CheckResult
from unde_catalog.operations.upkeep.backup_folder import newest_backup
from unde_catalog.stage_specs import QUEUES
from unde_catalog.stores.db import sessions
from unde_catalog.stores.queues import queue_states
from unde_catalog.stores.staging.admin import privileges
from unde_catalog.stores.staging.due_work import host_pace, ticks
from unde_catalog.stores.staging.reports import quality

_CHECKS = {
    ("originals", "disk_space"): "At least 15 % of the disk under UNDE_HOME is free. Below 5 % the check raises an "
    "alert.",
    ("raw_products", "backup_age"): "The newest backup in BACKUP_FOLDER is younger than BACKUP_MAX_AGE_HOURS.",
    ("raw_products", "database_not_held_up"): "No session blocks others in the staging database, and no transaction or "
    "replication slot keeps dead rows there for long.",
    ("raw_products", "queues_served"): "Every queue of Celery has a worker, and no step has waited in one for "
    "more than an hour.",
    ("availability", "hosts_not_throttled"): "No host has been throttled for more than an hour.",
    ("availability", "fresh"): "The stock of each brand with stores was checked within the last two hours.",
    ("availability", "failures"): "In no brand has stock been unknown for days, or for too many products.",
}
_BRANDS_WITH_STORES = [key for key, brand in BRANDS.items() if brand.has_stores]
SYSTEM_CHECKS = [
    dg.AssetCheckSpec(name, asset=asset, description=description) for (asset, name), description in _CHECKS.items()
]


@dg.multi_asset_check(name="check_system", specs=SYSTEM_CHECKS, can_subset=True)
def system_checks(
    context: dg.AssetCheckExecutionContext, backends: dg.ResourceParam[BackendsResource]
) -> Iterator[dg.AssetCheckResult]:
    """Evaluates the checks that belong to no single brand in one step."""
    with fail_in_one_sentence("the checks could not start"), backends.open() as opened:
        for key in sorted(context.selected_asset_check_keys, key=str):
            yield check_result(key, _evaluate(opened, key.name))


def _evaluate(backends: Backends, name: str) -> CheckResult:
    settings = backends.settings
    match name:
        case "disk_space":
            return system.disk_space(system.free_space(settings.home, backends.db.run(privileges.database_bytes)))
        case "backup_age":
            folder = settings.backup_folder
            newest = newest_backup(folder) if folder else None
            limit = timedelta(hours=settings.backup_max_age_hours)
            return system.backup_age(folder, newest, backends.db.run(ticks.now), limit)
        case "database_not_held_up":
            return database.nothing_holds_it_up(backends.db.read(sessions.holdups))
        case "queues_served":
            celery = settings.executor == "celery"
            return queues.queues_served(queue_states(settings, QUEUES) if celery else [])
        case "hosts_not_throttled":
            return system.hosts_not_throttled(backends.db.run(host_pace.states), backends.db.run(ticks.now))
        case "fresh":
            return _combine(
                {brand: freshness.evaluate(backends, "availability", brand) for brand in _BRANDS_WITH_STORES}
            )
        case _:
            return _combine({brand: _failures(backends, brand) for brand in _BRANDS_WITH_STORES})


def _failures(backends: Backends, brand: str) -> CheckResult:
    figures = backends.db.run(quality.failures, "availability", brand, failures.LASTING)
    return failures.failures("availability", brand, figures, backends.settings)


def _combine(results: Mapping[str, CheckResult]) -> CheckResult:
    """One result for all brands: the messages of those that fail; in the table, all of them."""
    failed = [result for result in results.values() if not result.passed]
    return CheckResult(
        not failed,
        " ".join(result.message for result in failed) or f"All {len(results)} brands pass.",
        "alert" if any(result.urgency == "alert" for result in failed) else "warn",
        {"brands_wrong": len(failed)},
        [
            {"brand": brand, "passed": "yes" if result.passed else "no", "result": result.message}
            for brand, result in results.items()
        ],
    )
