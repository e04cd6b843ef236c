"""The report in Dagster and on the command line: the materialization, its page, and its schedule."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from unde_catalog.definitions import build_definitions
from unde_catalog.operations.report.markdown import MAX_MARKDOWN
from unde_catalog.settings.environment import load_settings
from unde_catalog.stores.db.database import Database
from unde_catalog_tests.dagster.conftest import Materialize
from unde_catalog_tests.dagster.runs import failure, metadata
from unde_catalog_tests.support.due import add_products, execute

PROGRAM = str(Path(sys.executable).parent / "unde-catalog")


def test_a_materialization_contains_the_report_and_the_path_of_its_page(materialize: Materialize, db: Database) -> None:
    assert materialize("raw_products").success
    result = materialize("catalog_report", brand=None)
    assert result.success
    shown = metadata(result, "catalog_report")
    assert (shown["active"], shown["photographed"], shown["due"], shown["failing"]) == (20, 0, 20, 0)
    assert "### Funnel" in shown["report"] and "| Zara | 20 |" in shown["report"]
    assert len(shown["report"]) < MAX_MARKDOWN
    assert Path(shown["page"]).read_text().startswith("<!doctype html>")
    assert Path(shown["page"]) == load_settings().objects_folder / "reports/catalog.html"
    assert execute(db, "SELECT active FROM catalog_days WHERE brand = 'zara'") == [{"active": 20}]


def test_a_hostile_product_name_is_shown_as_text(materialize: Materialize, db: Database) -> None:
    add_products(db, 1, name="</td><script>alert(1)</script>")
    execute(db, "UPDATE due_work SET reason = 'why', given_up = true, due_at = NULL")
    shown = metadata(materialize("catalog_report", brand=None), "catalog_report")
    page = Path(shown["page"]).read_text()
    assert "<script" not in page and "&lt;script&gt;alert(1)" in page
    assert "`1 </td><script>alert(1)</script>`" in shown["report"]


def test_an_unreachable_database_fails_with_one_sentence(
    materialize: Materialize, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAGING_DB_URL", "postgresql://undeuser@127.0.0.1:1/away")
    result = materialize("catalog_report", brand=None)
    assert "the report could not be built: the staging database" in failure(result)
    assert "Traceback" not in failure(result)


def test_the_report_is_built_hourly_by_one_run_at_a_time(
    instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    definitions = build_definitions(load_settings())
    schedule: Any = next(one for one in definitions.schedules or [] if one.name == "build_report_hourly")
    assert (schedule.cron_schedule, schedule.job_name) == ("20 * * * *", "build_report")

    def tick() -> Any:
        at = datetime(2026, 3, 1, 4, 20, tzinfo=UTC)
        return schedule(dg.build_schedule_context(instance=instance, scheduled_execution_time=at))

    assert tick().tags["lane"] == "work"
    instance.create_run_for_job(definitions.resolve_job_def("build_report"), status=dg.DagsterRunStatus.STARTED)
    assert isinstance(tick(), dg.SkipReason)


def test_the_command_writes_the_page_to_a_file(database_url: str, tmp_path: Path) -> None:
    environment = {**os.environ, "STAGING_DB_URL": database_url, "UNDE_HOME": str(tmp_path / "home"), "COLUMNS": "200"}

    def report(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [PROGRAM, "report", *arguments]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)

    done = report("page.html")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["No product has been collected yet.", (tmp_path / "page.html").as_uri()]
    assert "<title>Catalogue" in (tmp_path / "page.html").read_text()
    assert report().stdout.endswith("/objects/reports/catalog.html\n")
    wrong = report("nowhere/page.html")
    assert wrong.returncode == 1
    assert "cannot be written to nowhere/page.html: No such file or directory; name another file" in wrong.stderr
