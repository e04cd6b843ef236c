"""Whether the system itself is well: disk space, the age of the newest backup, hosts that are not throttled.

`unde-catalog doctor` tests the same things once, for setting up; these rules are evaluated all the time.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from unde_catalog.operations.quality.result import CheckResult
from unde_catalog.stores.staging.due_work.host_pace import HostState
from unde_catalog.text import duration, quantity

_LOW, _VERY_LOW = 0.15, 0.05  # free shares of a disk
_NO_BACKUP_ALERT = timedelta(days=3)
_THROTTLED_LIMIT = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class FreeSpace:
    """A disk, by a folder on it, and the staging database; all sizes in bytes."""

    folder: Path
    total: int
    free: int
    database: int


def free_space(folder: Path, database: int) -> FreeSpace:
    """The space on the disk of a folder; of its nearest existing parent where the folder does not exist yet."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    usage = shutil.disk_usage(existing)
    return FreeSpace(folder, usage.total, usage.free, database)


def disk_space(now: FreeSpace) -> CheckResult:
    """At least 15 % of the disk under `UNDE_HOME` is free."""
    free = now.free / now.total
    message = (
        f"{_gb(now.free)} of {_gb(now.total)} GB ({free:.0%}) are free at {now.folder}. The staging database has "
        f"{_gb(now.database)} GB."
    )
    figures = {
        "free_gb": round(now.free / 1e9, 2), "free_share": round(free, 4), "database_gb": round(now.database / 1e9, 3),
    }  # fmt: skip
    if free >= _LOW:
        return CheckResult(True, message, figures=figures)
    message += (
        " A full disk stops every stage. Move old backups, lower ..._KEEP_DAYS and run the job prune_history, move the "
        "objects to S3 (unde-catalog objects copy), or enlarge the disk."
    )
    return CheckResult(False, message, "alert" if free < _VERY_LOW else "warn", figures)


def backup_age(folder: Path | None, made_at: datetime | None, now: datetime, limit: timedelta) -> CheckResult:
    """The newest backup in `BACKUP_FOLDER` is younger than the limit."""
    if folder is None:
        return CheckResult(True, "not configured: set BACKUP_FOLDER to the folder where unde-catalog backup writes")
    action = f"Run unde-catalog backup {folder}, and find out why it did not run by itself."
    if made_at is None:
        return CheckResult(False, f"There is no backup in {folder}. {action}")
    age = now - made_at
    figures = {"hours": round(age / timedelta(hours=1), 1)}
    message = f"The newest backup in {folder} is {duration(age)} old."
    if age <= limit:
        return CheckResult(True, message, figures=figures)
    message += f" The limit is {duration(limit)} (BACKUP_MAX_AGE_HOURS). {action}"
    return CheckResult(False, message, "alert" if age > _NO_BACKUP_ALERT else "warn", figures)


def hosts_not_throttled(states: Sequence[HostState], now: datetime) -> CheckResult:
    """No host has been throttled for more than an hour."""
    throttled = [(state, now - state.slowed_at) for state in states if state.slowed_at is not None]
    table = [
        {"host": state.host, "seconds between requests": round(state.pause, 1), "throttled for": duration(since),
         "reason": state.reason or "", "errors in total": state.troubles}
        for state, since in throttled
    ]  # fmt: skip
    message = " ".join(
        f"{state.host} has been throttled for {duration(since)} (last reason: {state.reason})."
        for state, since in throttled
    )
    figures = {"hosts": len(states), "slowed": len(throttled)}
    if not any(since > _THROTTLED_LIMIT for _, since in throttled):
        message = message or f"None of {quantity(len(states), 'host')} is throttled."
        return CheckResult(True, message, figures=figures, table=table)
    message += (
        " The rate rises by itself when the host recovers. If 403 persists, set another User-Agent "
        "(<BRAND>_USER_AGENT) or contact the brand; for other reasons, raise STOCK_REQUEST_GAP or "
        "AVAILABILITY_INTERVAL."
    )
    return CheckResult(False, message, figures=figures, table=table)


def _gb(size: int) -> str:
    return f"{size / 1e9:.1f}"
