"""Sandboxes that belong to a state, as processes, and the environment of commands that use the state."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from unde_catalog.sandbox.own import OwnSandbox, own_sandbox

PROGRAM = str(Path(sys.executable).parent / "unde-catalog")


def plain_environment(home: Path, **extra: str) -> dict[str, str]:
    """Nothing is set but `UNDE_HOME`, as for a new user."""
    keep = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**keep, "UNDE_HOME": str(home), **extra}


def unde_catalog(
    home: Path, *arguments: str, cwd: Path | None = None, **extra: str
) -> subprocess.CompletedProcess[str]:
    """Run a command on a state, to its end."""
    return subprocess.run(
        [PROGRAM, *arguments], cwd=cwd or home.parent, env=plain_environment(home, **extra), capture_output=True,
        text=True, timeout=120,
    )  # fmt: skip


@contextmanager
def running_own_sandbox(home: Path, *arguments: str) -> Iterator[tuple[OwnSandbox, subprocess.Popen[str]]]:
    """The sandbox of a state and its process."""
    state = home / "sandbox"
    command = [sys.executable, "-m", "unde_catalog.sandbox", "--own", "--state-dir", str(state), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            found = own_sandbox(state)
            assert found is not None and f"ready at {found.url} " in line, line
            yield found, process
        finally:
            process.terminate()
            process.wait(10)
