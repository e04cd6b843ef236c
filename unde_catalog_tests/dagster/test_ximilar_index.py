"""The Ximilar index in Dagster: a brand's run, and its checks when credits or space run out."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from unde_catalog.definitions import build_definitions
from unde_catalog.defs.automation.jobs import stage_selection
from unde_catalog.settings.environment import load_settings
from unde_catalog.stores.db.database import Database
from unde_catalog_tests.dagster.runs import failure, metadata
from unde_catalog_tests.support.due import execute
from unde_catalog_tests.support.servers import Sandbox
from unde_catalog_tests.support.ximilar_index import XimilarIndex

ASSET = "ximilar_index"
Run = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture
def index(db: Database, sandbox: Sandbox, configured: Callable[..., dict[str, str]], tmp_path: Path) -> XimilarIndex:
    configured(sandbox, XIMILAR_RATE_LIMIT="1000", XIMILAR_MONTHLY_CREDITS="20")
    return XimilarIndex(db, sandbox, tmp_path / "home" / "objects")


@pytest.fixture
def run(index: XimilarIndex, instance: dg.DagsterInstance) -> Run:
    """Runs the asset and its checks for a brand."""

    def execute_in_process(brand: str = "zara") -> dg.ExecuteInProcessResult:
        job = dg.define_asset_job("of_this_test", stage_selection(ASSET))
        definitions = dg.Definitions.merge(build_definitions(load_settings()), dg.Definitions(jobs=[job]))
        return definitions.resolve_job_def("of_this_test").execute_in_process(
            partition_key=brand, instance=instance, raise_on_error=False
        )

    return execute_in_process


def checks(result: dg.ExecuteInProcessResult) -> dict[str, tuple[bool, str, str]]:
    """Passed, severity and description by name."""
    found: dict[str, Any] = {one.check_name: one for one in result.get_asset_check_evaluations()}
    return {name: (one.passed, one.severity.value, one.description or "") for name, one in found.items()}


def test_a_brand_is_indexed_and_its_checks_pass(index: XimilarIndex, run: Run) -> None:
    for _ in range(4):
        index.add("red", "green")
    result = run()
    assert result.success
    message = metadata(result, ASSET)
    assert (message["done"], message["records_inserted"]) == (4, 8)
    assert message["content"] == "8 records of 4 products"
    assert not {"records_updated", "records_deleted"} & set(message)
    assert checks(result) == {
        "credits_left": (True, "WARN", "8 of this month's 20 credits are used, 8 of them today."),
        "no_work_deferred": (True, "WARN", "0 products are due."),
    }


def test_at_the_budget_the_run_succeeds_and_the_checks_fail(index: XimilarIndex, run: Run) -> None:
    for _ in range(12):
        index.add("red", "green")
    result = run()
    assert result.success and "XIMILAR_MONTHLY_CREDITS" in metadata(result, ASSET)["note"]
    found = checks(result)
    assert found["credits_left"][:2] == (False, "ERROR") and "Raise XIMILAR_MONTHLY_CREDITS" in found["credits_left"][2]
    passed, severity, message = found["no_work_deferred"]
    assert (
        (passed, severity) == (False, "WARN")
        and "2 products are due" in message
        and "XIMILAR_MONTHLY_CREDITS" in message
    )


def test_a_full_collection_fails_the_check(index: XimilarIndex, run: Run) -> None:
    index.sandbox.control(ximilar={"size": 3})
    for _ in range(3):
        index.add("red", "green")
    found = checks(run())
    assert "full" in found["no_work_deferred"][2] and not found["no_work_deferred"][0]
    index.sandbox.control(ximilar={"size": 100})
    execute(index.db, "UPDATE due_work SET due_at = unde_now() WHERE due_at IS NOT NULL")
    assert checks(run())["no_work_deferred"][0]


def test_a_revoked_token_fails_with_one_sentence(index: XimilarIndex, run: Run) -> None:
    index.add("red")
    index.sandbox.control(ximilar={"token": "another"})
    message = failure(run())
    assert "ximilar_index of zara stopped: Ximilar refused" in message and "check XIMILAR_API_TOKEN" in message
    assert "Traceback" not in message and "sandbox-ximilar-token" not in message


def test_without_a_token_the_note_names_the_setting(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XIMILAR_API_TOKEN", "")
    result = run()
    assert result.success and "not configured: set XIMILAR_API_TOKEN" in metadata(result, ASSET)["note"]
