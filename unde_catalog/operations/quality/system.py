"""Whether the house itself is well: room on its disk, a young backup, hosts that are not in distress.

What `doctor` says of the same is about this moment and for whoever sets things up; these are watched.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from unde_catalog.operations.quality.result import CheckResult
from unde_catalog.stores.staging.due_work.host_pace import HostState
from unde_catalog.text import duration, quantity

_LITTLE, _VERY_LITTLE = 0.15, 0.05  # of a disk
_WAKES_AFTER = timedelta(days=3)  # without a backup, where the server keeps no archive of its own (spec 1)
_SLOWED_FOR = timedelta(hours=1)
_STAMP = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True)
class FreeSpace:
    """A disk by the folder on it, and the staging database; all bytes."""

    folder: Path
    total: int
    free: int
    database: int


def free_space(folder: Path, database: int) -> FreeSpace:
    """How full the disk below a folder is; of one that is not there yet, the folder that it will be in."""
    there = next(one for one in (folder, *folder.parents) if one.exists())
    usage = shutil.disk_usage(there)
    return FreeSpace(folder, usage.total, usage.free, database)


def disk_space(now: FreeSpace) -> CheckResult:
    """More than 15 % of the disk under `UNDE_HOME` is free."""
    free = now.free / now.total
    told = (
        f"{_gb(now.free)} of {_gb(now.total)} GB ({free:.0%}) are free at {now.folder}; the staging database has "
        f"{_gb(now.database)} GB"
    )
    figures = {
        "free_gb": round(now.free / 1e9, 2), "free_share": round(free, 4), "database_gb": round(now.database / 1e9, 3),
    }  # fmt: skip
    if free >= _LITTLE:
        return CheckResult(True, told, figures=figures)
    todo = (
        "move old backups away, lower ..._KEEP_DAYS and run the job pruning, move objects to S3 (unde-catalog objects "
        "copy), or give it a bigger disk; a full one stops every stage"
    )
    return CheckResult(False, f"{told}: {todo}", "wake" if free < _VERY_LITTLE else "look", figures)


def newest_backup(folder: Path) -> datetime | None:
    """When the newest whole backup below the folder was made; None for none."""
    # Here, as it brings the object store along.
    from unde_catalog.operations.upkeep import backup

    found = [
        made_at
        for one in (folder.iterdir() if folder.is_dir() else ())
        if (made_at := _made_at(one)) is not None and (one / backup.MANIFEST).is_file()
    ]
    return max(found, default=None)


def backup_age(folder: Path | None, made_at: datetime | None, now: datetime, longest: timedelta) -> CheckResult:
    """The newest backup in `BACKUP_FOLDER` is young."""
    if folder is None:
        return CheckResult(True, "not configured: set BACKUP_FOLDER to where unde-catalog backup writes")
    todo = f"run unde-catalog backup {folder}, and look why it did not run by itself"
    if made_at is None:
        return CheckResult(False, f"there is no backup in {folder}: {todo}")
    age = now - made_at
    figures = {"hours": round(age / timedelta(hours=1), 1)}
    told = f"the newest backup in {folder} is {duration(age)} old"
    if age <= longest:
        return CheckResult(True, told, figures=figures)
    told += f", where {duration(longest)} is the longest (BACKUP_MAX_AGE_HOURS)"
    return CheckResult(False, f"{told}: {todo}", "wake" if age > _WAKES_AFTER else "look", figures)


def hosts_not_throttled(states: Sequence[HostState], now: datetime) -> CheckResult:
    """No shop's host has been asked more slowly than usual for more than an hour."""
    slowed = [(one, now - one.slowed_at) for one in states if one.slowed_at is not None]
    table = [
        {"host": one.host, "seconds between requests": round(one.pause, 1), "for": duration(since),
         "reason": one.reason or "", "troubles ever": one.troubles}
        for one, since in slowed
    ]  # fmt: skip
    told = "; ".join(
        f"{one.host} has been slowed down for {duration(since)} (last: {one.reason})" for one, since in slowed
    )
    figures = {"hosts": len(states), "slowed": len(slowed)}
    if not any(since > _SLOWED_FOR for _, since in slowed):
        return CheckResult(
            True, told or f"{quantity(len(states), 'host')} at ease, none slowed down", figures=figures, table=table
        )
    todo = (
        "it speeds up by itself when the host is well; a 403 that stays wants another User-Agent (<BRAND>_USER_AGENT) "
        "or a word with the shop, anything else a longer STOCK_REQUEST_GAP or AVAILABILITY_INTERVAL"
    )
    return CheckResult(False, f"{told}: {todo}", figures=figures, table=table)


def _made_at(folder: Path) -> datetime | None:
    try:
        return datetime.strptime(folder.name, _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None


def _gb(size: int) -> str:
    return f"{size / 1e9:.1f}"
