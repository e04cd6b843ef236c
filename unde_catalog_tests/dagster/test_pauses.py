"""The jobs `pause` and `resume`, and the same commands in a terminal."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from unde_catalog.definitions import build_definitions
from unde_catalog.settings.environment import load_settings
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.due_work import pauses
from unde_catalog_tests.dagster.runs import failure

pytestmark = pytest.mark.slow

PROGRAM = str(Path(sys.executable).parent / "unde-catalog")


@pytest.fixture
def launch(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, instance: dg.DagsterInstance
) -> Callable[..., dg.ExecuteInProcessResult]:
    """Launches a job of one op with the configuration of the op."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STAGING_DB_URL", database_url)
    monkeypatch.setenv("UNDE_HOME", str(tmp_path / "home"))

    def run(job: str, **config: Any) -> dg.ExecuteInProcessResult:
        return (
            build_definitions(load_settings())
            .resolve_job_def(job)
            .execute_in_process(
                instance=instance, run_config={"ops": {f"what_to_{job}": {"config": config}}}, raise_on_error=False
            )
        )

    return run


def test_the_launchpad_pauses_and_resumes(launch: Callable[..., dg.ExecuteInProcessResult], db: Database) -> None:
    assert launch("pause", brand="zara", stage="originals", why="a new proxy").success
    assert [(one.brand, one.stage, one.why) for one in db.run(pauses.all_pauses)] == [
        ("zara", "originals", "a new proxy")
    ]
    assert launch("resume", brand="all").success
    assert db.run(pauses.all_pauses) == []


@pytest.mark.parametrize("job", ["pause", "resume"])
def test_an_empty_configuration_does_nothing(
    launch: Callable[..., dg.ExecuteInProcessResult], db: Database, job: str
) -> None:
    db.run(pauses.pause, "zara", "originals", "")
    before = db.run(pauses.all_pauses)
    assert "set a brand or a stage" in failure(launch(job))
    assert db.run(pauses.all_pauses) == before


def test_all_pauses_everything(launch: Callable[..., dg.ExecuteInProcessResult], db: Database) -> None:
    assert launch("pause", brand="all").success
    assert [(one.brand, one.stage) for one in db.run(pauses.all_pauses)] == [("*", "*")]


def test_an_unknown_stage_fails(launch: Callable[..., dg.ExecuteInProcessResult], db: Database) -> None:
    assert "unknown stage 'photos'; the stages are raw_products" in failure(launch("pause", stage="photos"))
    assert db.run(pauses.all_pauses) == []


def test_the_commands_do_the_same(launch: Callable[..., Any], db: Database) -> None:
    def output(*arguments: str) -> str:
        done = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True)
        return (done.stdout + done.stderr).strip()

    assert output("pause", "--brand", "zara", "--why", "the shop [rebuilds]").startswith(
        "Paused every stage of zara: no run"
    )
    assert output("pause", "--stage", "collages").startswith("Paused collages of every brand:")
    assert output("resume", "-b", "zara").startswith(
        "1 pause ended. Still in effect: collages of every brand is paused since "
    )
    assert output("resume", "-b", "zara").startswith("There was no pause of every stage of zara. Still in effect: ")
    assert output("resume") == "1 pause ended."
    assert output("pause", "--brand", "gap").startswith("unknown brand 'gap'; the brands are zara")
