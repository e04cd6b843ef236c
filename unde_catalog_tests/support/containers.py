"""Runs the project's image. Where there is none, in CI too, a test is skipped and says how to build it."""

import os
import shutil
import subprocess

import pytest

ENGINE = os.environ.get("ENGINE", "podman")
IMAGE = os.environ.get("IMAGE", "unde-catalog:dev")


def run_in_image(volume: str, command: str, *, entrypoint: str | None = None, arguments: tuple[str, ...] = ()) -> str:
    """The output of a command in a new container with a read-only root; the state is in the volume."""
    _require_image()
    finished = subprocess.run(
        [ENGINE, "run", "--rm", "--read-only", "--tmpfs", "/tmp", "-v", f"{volume}:/var/lib/unde",
         *(["--entrypoint", entrypoint] if entrypoint else []), IMAGE, *arguments, command],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def _require_image() -> None:
    if shutil.which(ENGINE) is None:
        pytest.skip(f"{ENGINE} is not installed: apt-get install podman, or set ENGINE=docker")
    if subprocess.run([ENGINE, "image", "inspect", IMAGE], capture_output=True, check=False).returncode != 0:
        pytest.skip(f"there is no image {IMAGE}: make docker-build ENGINE={ENGINE}")
    probe = subprocess.run(
        [ENGINE, "run", "--rm", "--entrypoint", "true", IMAGE], capture_output=True, text=True, check=False
    )
    if probe.returncode != 0:  # the engine's fault: not even `true` runs
        reason = probe.stderr.strip().splitlines()[-1:]
        pytest.skip(f"{ENGINE} starts no containers here; where limits cannot be raised, see CONTAINERS_CONF: {reason}")
