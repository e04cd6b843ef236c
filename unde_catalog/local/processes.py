"""The processes that the demo and `up` start and stop: the sandbox and Dagster; and where Dagster finds its home."""

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from unde_catalog.settings.environment import Settings, child_environment
from unde_catalog.settings.project import project_file

_STOP_SECONDS = 20.0


class CannotStart(RuntimeError):
    """A process of ours did not come up; the message holds what it said."""


def dagster_home(settings: Settings) -> Path:
    """`UNDE_HOME/dagster`, made if missing, with the project's dagster.yaml linked into it."""
    home = settings.home / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    link = home / "dagster.yaml"
    target = project_file("dagster.yaml")
    if link.is_symlink() and link.resolve() != target.resolve():
        link.unlink()  # the project was moved
    if not link.exists():
        link.symlink_to(target)
    return home


@contextmanager
def sandbox(settings: Settings, port: int) -> Iterator[str]:
    """A sandbox on this machine while the context lasts; its base URL. One that runs already is shared.

    It keeps its port, as the photo URLs it hands out hold it.
    """
    base_url = f"http://127.0.0.1:{port}"
    if _is_sandbox(base_url):
        yield base_url
        return
    state = settings.home / "sandbox"
    state.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "unde_catalog.sandbox", "--port", str(port), "--state-dir", str(state)]
    # In a session of its own: Ctrl-C reaches us first, and we stop it when nobody needs it any more.
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    try:
        assert process.stdout is not None  # it is a pipe
        line = process.stdout.readline()
        if "ready" not in line:
            raise CannotStart(
                f"{line.strip() or 'the sandbox ended without a word'}; --sandbox-port names another port"
            )
        yield base_url
    finally:
        stop(process)


def requests_logged(base_url: str, kind: str = "photo", since: int = 0) -> tuple[int, int]:
    """How many requests of a kind the sandbox logged since a position, and the position to go on from."""
    with urllib.request.urlopen(f"{base_url}/_log?kind={kind}&since={since}", timeout=10) as answer:
        log = json.load(answer)
    return len(log["requests"]), log["next"]


def dagster_environment(settings: Settings, extra: Mapping[str, str]) -> dict[str, str]:
    """The environment of a Dagster process of ours."""
    return child_environment({"DAGSTER_HOME": str(dagster_home(settings)), "UNDE_HOME": str(settings.home), **extra})


def stop(process: subprocess.Popen[str]) -> None:
    """Ask a process that leads its own group to end, and see to it."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _is_sandbox(base_url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{base_url}/_health", timeout=2) as answer:
            return bool(json.load(answer).get("sandbox"))
    except (OSError, ValueError, urllib.error.URLError):
        return False
