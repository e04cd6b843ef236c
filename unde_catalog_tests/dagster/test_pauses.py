"""The jobs `pause` and `resume`, and the same words in a terminal."""

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

PROGRAM = str(Path(sys.executable).parent / "unde-catalog")


@pytest.fixture
def launch(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, instance: dg.DagsterInstance
) -> Callable[..., dg.ExecuteInProcessResult]:
    """Launches a job of one op with that op's config."""
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
def test_a_launchpad_that_nobody_filled_in_does_nothing(
    launch: Callable[..., dg.ExecuteInProcessResult], db: Database, job: str
) -> None:
    db.run(pauses.pause, "zara", "originals", "")
    before = db.run(pauses.all_pauses)
    assert "set a brand or a stage" in failure(launch(job))
    assert db.run(pauses.all_pauses) == before


def test_everything_is_paused_where_one_says_all(
    launch: Callable[..., dg.ExecuteInProcessResult], db: Database
) -> None:
    assert launch("pause", brand="all").success
    assert [(one.brand, one.stage) for one in db.run(pauses.all_pauses)] == [("*", "*")]


def test_a_name_of_none_is_told(launch: Callable[..., dg.ExecuteInProcessResult], db: Database) -> None:
    assert "unknown stage 'photos'; the stages are raw_products" in failure(launch("pause", stage="photos"))
    assert db.run(pauses.all_pauses) == []


def test_a_terminal_does_the_same(launch: Callable[..., Any], db: Database) -> None:
    def told(*arguments: str) -> str:
        done = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True)
        return (done.stdout + done.stderr).strip()

    assert told("pause", "--brand", "zara", "--why", "the shop [rebuilds]").startswith("every stage of zara is paused:")
    assert told("pause", "--stage", "collages").startswith("collages of every brand is paused:")
    assert told("resume", "-b", "zara").startswith("1 pause ended; still: collages of every brand is paused since ")
    assert told("resume", "-b", "zara").startswith("nothing of that was paused; still: ")
    assert told("resume") == "1 pause ended."
    assert told("pause", "--brand", "gap").startswith("unknown brand 'gap'; the brands are zara")
