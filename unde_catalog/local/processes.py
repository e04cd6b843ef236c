"""Processes that `demo` and `up` start and stop: the sandbox and Dagster, and Dagster's home folder."""

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from unde_catalog.settings.environment import Settings, child_environment
from unde_catalog.settings.project import project_file

_STOP_SECONDS = 20.0


class CannotStart(RuntimeError):
    """A child process did not start; the message holds its output."""


def dagster_home(settings: Settings) -> Path:
    """`UNDE_HOME/dagster`, created if missing, with a link to the project's dagster.yaml."""
    home = settings.home / "dagster"
    home.mkdir(parents=True, exist_ok=True)
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


@contextmanager
def sandbox(settings: Settings, port: int) -> Iterator[str]:
    """The base URL of a sandbox that runs while the context lasts; one that already runs on the port is shared.

    The port is fixed, since the photo URLs in its items contain it.
    """
    base_url = f"http://127.0.0.1:{port}"
    if _is_sandbox(base_url):
        yield base_url
        return
    state = settings.home / "sandbox"
    state.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "unde_catalog.sandbox", "--port", str(port), "--state-dir", str(state)]
    # A session of its own: Ctrl-C reaches the parent first, which stops the sandbox last.
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    try:
        assert process.stdout is not None  # it is a pipe
        line = process.stdout.readline()
        if "ready" not in line:
            raise CannotStart(
                f"{line.strip() or 'the sandbox ended without output'}; choose another port with --sandbox-port"
            )
        yield base_url
    finally:
        stop(process)


def requests_logged(base_url: str, kind: str = "photo", since: int = 0) -> tuple[int, int]:
    """The number of requests of a kind that the sandbox logged after a position, and the new position."""
    with urllib.request.urlopen(f"{base_url}/_log?kind={kind}&since={since}", timeout=10) as response:
        log = json.load(response)
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


def _is_sandbox(base_url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{base_url}/_health", timeout=2) as response:
            return bool(json.load(response).get("sandbox"))
    except (OSError, ValueError, urllib.error.URLError):
        return False
