"""This machine: room on the disk, and the time zone that schedules run in."""

import os
import shutil
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from rich.filesize import decimal

from unde_catalog.operations.doctor.result import Finding, green, red, yellow
from unde_catalog.settings.environment import Settings

_NO_ROOM, _LITTLE_ROOM = 200_000_000, 2_000_000_000  # bytes


def look_at_disk(settings: Settings) -> Finding:
    """Room where this machine keeps everything, and the right to write there."""
    there = next(folder for folder in (settings.home, *settings.home.parents) if folder.exists())
    if not os.access(there, os.W_OK | os.X_OK) or not there.is_dir():
        return red(f"nothing can be written to {there}", "UNDE_HOME")
    return _room(there, shutil.disk_usage(there).free)


def _room(folder: Path, free: int) -> Finding:
    told = f"{decimal(free)} are free at {folder}"
    if free < _NO_ROOM:
        return red(f"{told}: free space, or give it more", "UNDE_HOME")
    return yellow(f"{told}, which is little", "UNDE_HOME") if free < _LITTLE_ROOM else green(told)


def look_at_time_zone(settings: Settings) -> Finding:
    """The zone by its name; a name of none is told when settings are read."""
    now = datetime.now(ZoneInfo(settings.schedule_timezone))
    return green(f"schedules follow {settings.schedule_timezone}, where it is {now:%H:%M}")
