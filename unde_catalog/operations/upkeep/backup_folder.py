"""The layout of a folder of backups, and which backup in it is the newest.

Backups are written by `backup.py` and read by `restore.py`. This module imports nothing else of the package, because
the definitions need it.
"""

from datetime import UTC, datetime
from pathlib import Path

# Names inside one backup, and of the folder beside the backups that all of them share.
DUMP, MANIFEST, OBJECTS = "staging.dump", "manifest.json", "objects"
_TIME = "%Y%m%dT%H%M%SZ"  # the name of a backup


def backup_name(made_at: datetime) -> str:
    """The name of the backup made at that time (UTC)."""
    return made_at.strftime(_TIME)


def newest_backup(folder: Path) -> datetime | None:
    """When the newest complete backup in the folder was made; None where there is none."""
    times = [
        made_at
        for path in (folder.iterdir() if folder.is_dir() else ())
        if (made_at := _made_at(path)) is not None and (path / MANIFEST).is_file()
    ]
    return max(times, default=None)


def _made_at(path: Path) -> datetime | None:
    try:
        return datetime.strptime(path.name, _TIME).replace(tzinfo=UTC)
    except ValueError:
        return None
