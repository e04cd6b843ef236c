"""Checks this machine: free disk space, the time zone of the schedules, and the names of variables."""

import os
import shutil
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from rich.filesize import decimal

from unde_catalog.operations.doctor.result import Finding, green, red, yellow
from unde_catalog.settings.environment import Settings, unknown_variables

_RED_BYTES, _YELLOW_BYTES = 200_000_000, 2_000_000_000
_SHOWN_NAMES = 8


def check_disk(settings: Settings) -> Finding:
    """UNDE_HOME is writable and has free space."""
    folder = next(folder for folder in (settings.home, *settings.home.parents) if folder.exists())
    if not os.access(folder, os.W_OK | os.X_OK) or not folder.is_dir():
        return red(f"{folder} is not writable", "UNDE_HOME")
    return _free_space(folder, shutil.disk_usage(folder).free)


def _free_space(folder: Path, free: int) -> Finding:
    space = f"{decimal(free)} free at {folder}"
    if free < _RED_BYTES:
        return red(f"only {space}: free some space, or use a larger disk", "UNDE_HOME")
    return yellow(f"only {space}", "UNDE_HOME") if free < _YELLOW_BYTES else green(space)


def check_time_zone(settings: Settings) -> Finding:
    """Shows the time zone; an unknown one is refused when the settings are read."""
    now = datetime.now(ZoneInfo(settings.schedule_timezone))
    return green(f"schedules use {settings.schedule_timezone}, where it is {now:%H:%M}")


def check_names() -> Finding:
    """Every variable that is set and looks like a setting is one."""
    unknown = unknown_variables()
    if not unknown:
        return green("every variable that looks like a setting is one")
    return yellow("not read: " + "; ".join(f"{one.name} ({one.advice})" for one in unknown[:_SHOWN_NAMES]))
