"""Checks of what all brands share: disk, backups, the shops' hosts; hourly by the job `checks_of_the_house`.

Also what is to be told of availability by brand, whose partitions are brands and days: one answer names the brands.
"""

from collections.abc import Iterator
from datetime import timedelta

import dagster as dg

from unde_catalog.backends import Backends
from unde_catalog.brands import BRANDS
from unde_catalog.defs.checks import freshness
from unde_catalog.defs.checks.results import result
from unde_catalog.defs.resources import BackendsResource
from unde_catalog.defs.run_metadata import fail_in_one_sentence
from unde_catalog.operations.quality import failures, system
from unde_catalog.operations.quality.result import CheckResult
from unde_catalog.stores.staging.admin import privileges
from unde_catalog.stores.staging.due_work import host_pace, ticks
from unde_catalog.stores.staging.reports import quality

_CHECKS = {
    ("originals", "disk_space"): "More than 15 % of the disk under UNDE_HOME is free; below 5 % somebody must come.",
    ("raw_products", "backup_age"): "The newest backup in BACKUP_FOLDER is younger than BACKUP_MAX_AGE_HOURS.",
    ("availability", "hosts_not_throttled"): "No shop's host has been slowed down for more than an hour.",
    ("availability", "fresh"): "Each brand with shops had its stock checked in the last two hours.",
    ("availability", "failures"): "Of no brand stock has been unknown for days, or of too many products.",
}
_WITH_SHOPS = [key for key, brand in BRANDS.items() if brand.has_stores]
SYSTEM_CHECKS = [dg.AssetCheckSpec(name, asset=asset, description=told) for (asset, name), told in _CHECKS.items()]


@dg.multi_asset_check(name="check_system", specs=SYSTEM_CHECKS, can_subset=True)
def system_checks(
    context: dg.AssetCheckExecutionContext, backends: dg.ResourceParam[BackendsResource]
) -> Iterator[dg.AssetCheckResult]:
    """What must hold of the house, whatever the brand."""
    with fail_in_one_sentence("the checks could not begin"), backends.open() as opened:
        for key in sorted(context.selected_asset_check_keys, key=str):
            yield result(key, _look(opened, key.name))


def _look(backends: Backends, name: str) -> CheckResult:
    settings = backends.settings
    match name:
        case "disk_space":
            return system.disk_space(system.free_space(settings.home, backends.db.run(privileges.database_bytes)))
        case "backup_age":
            folder = settings.backup_folder
            newest = system.newest_backup(folder) if folder else None
            longest = timedelta(hours=settings.backup_max_age_hours)
            return system.backup_age(folder, newest, backends.db.run(ticks.now), longest)
        case "hosts_not_throttled":
            return system.hosts_not_throttled(backends.db.run(host_pace.states), backends.db.run(ticks.now))
        case "fresh":
            return _together({brand: freshness.look(backends, "availability", brand) for brand in _WITH_SHOPS})
        case _:
            return _together({brand: _failures(backends, brand) for brand in _WITH_SHOPS})


def _failures(backends: Backends, brand: str) -> CheckResult:
    found = backends.db.run(quality.failures, "availability", brand, failures.LASTING)
    return failures.failures("availability", brand, found, backends.settings)


def _together(answers: dict[str, CheckResult]) -> CheckResult:
    """One answer over all brands: what is wrong of any; in the table, all."""
    wrong = [answer for answer in answers.values() if not answer.holds]
    return CheckResult(
        not wrong,
        "; ".join(answer.sentence for answer in wrong) or f"all of {len(answers)} brands are well",
        "wake" if any(answer.urgency == "wake" for answer in wrong) else "look",
        {"brands_wrong": len(wrong)},
        [
            {"brand": brand, "well": "yes" if one.holds else "no", "what": one.sentence}
            for brand, one in answers.items()
        ],
    )
