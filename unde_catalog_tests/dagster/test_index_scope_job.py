"""The job `set_index_scope`: it says what a change costs, and changes nothing before it is confirmed."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from unde_catalog.definitions import build_definitions
from unde_catalog.settings.environment import load_settings
from unde_catalog.stores.db.database import Database
from unde_catalog_tests.support.due import add_products, execute


def test_the_job_changes_nothing_without_confirmation(
    db: Database, database_url: str, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STAGING_DB_URL", database_url)
    monkeypatch.setenv("UNDE_HOME", str(tmp_path / "home"))
    add_products(db, 2, index_scope="off")

    def launch(**config: Any) -> dg.ExecuteInProcessResult:
        job = build_definitions(load_settings()).resolve_job_def("set_index_scope")
        run_config = {"ops": {"what_to_index": {"config": config}}}
        return job.execute_in_process(instance=instance, run_config=run_config, raise_on_error=False)

    def scopes() -> list[str]:
        return [row["index_scope"] for row in execute(db, "SELECT DISTINCT index_scope FROM raw_products")]

    assert launch(brand="zara", scope="pilot").success and scopes() == ["off"]
    assert launch(brand="zara", scope="pilot", confirm=True).success and scopes() == ["pilot"]
    assert not launch(brand="zara").success
    assert not launch(brand="zarra", scope="off", confirm=True).success and scopes() == ["pilot"]
