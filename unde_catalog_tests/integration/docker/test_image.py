"""The container image, run with a read-only root file system: `make docker-build` builds it."""

import subprocess
import uuid
from collections.abc import Iterator

import pytest

from unde_catalog_tests.support.containers import ENGINE, run_in_image

pytestmark = pytest.mark.slow


@pytest.fixture
def volume() -> Iterator[str]:
    """The name of a volume for one test."""
    name = f"unde-test-{uuid.uuid4().hex}"
    yield name
    subprocess.run([ENGINE, "volume", "rm", name], capture_output=True, check=False)


def test_it_runs_as_an_ordinary_user_without_build_tools(volume: str) -> None:
    script = "id -u; command -v gcc cc make pip pip3 || echo none; touch /anywhere || echo read-only"
    output = run_in_image(volume, script, entrypoint="sh", arguments=("-c",))
    assert output.split() == ["10001", "none", "read-only"]


def test_the_wheel_in_it_brings_its_files_and_migrates_a_database(volume: str) -> None:
    first = run_in_image(volume, "migrate")
    assert "staging: ran 0001" in " ".join(first.split())
    assert "staging: already at" in run_in_image(volume, "migrate")
    home = run_in_image(volume, "cat /var/lib/unde/dagster/dagster.yaml", entrypoint="sh", arguments=("-c",))
    assert "CatalogueDagsterStorage" in home
