"""Processes that `demo` and `up` start and stop, and Dagster's home folder."""

import json
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

from unde_catalog.settings.environment import Settings
from unde_catalog.settings.project import project_file
from unde_catalog.settings.sources import child_environment, remember_first_day

_STOP_SECONDS = 20.0


class CannotStart(RuntimeError):
    """A child process did not start; the message holds its output."""


def dagster_home(settings: Settings) -> Path:
    """`UNDE_HOME/dagster`, created if missing, with a link to the project's dagster.yaml.

    A state that is made here remembers the day, with which the partitions of availability begin.
    """
    home = settings.home / "dagster"
    if not home.is_dir():
        home.mkdir(parents=True)
        remember_first_day(settings.home, datetime.now(UTC).date())
    link = home / "dagster.yaml"
    target = project_file("dagster.yaml")
    if link.is_symlink() and link.resolve() != target.resolve():
        link.unlink()  # the project was moved
    if not link.exists():
        link.symlink_to(target)
    return home


def missing_extra(extra: str, module: str) -> str | None:
    """What to install before a part that needs `module` can run; None if it is installed."""
    return None if find_spec(module) else f"not installed; pip install 'unde-catalog[{extra}]' adds it"


def requests_logged(base_url: str, kind: str = "photo", since: int = 0) -> tuple[int, int]:
    """The number of requests of a kind that the sandbox logged after a position, and the new position.

    `CannotStart` if it does not respond.
    """
    try:
        with urllib.request.urlopen(f"{base_url}/_log?kind={kind}&since={since}", timeout=10) as response:
            log = json.load(response)
    except OSError as error:
        raise CannotStart(f"the sandbox at {base_url} does not respond ({error}); run the command again") from error
    return len(log["requests"]), log["next"]


def dagster_environment(settings: Settings, extra: Mapping[str, str]) -> dict[str, str]:
    """The environment for a Dagster process that uses this state."""
    return child_environment({"DAGSTER_HOME": str(dagster_home(settings)), "UNDE_HOME": str(settings.home), **extra})


def stop(process: subprocess.Popen[str]) -> None:
    """Interrupt a child process, and kill it if it does not end in time."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
