"""The checks of due work in Dagster: recurring work that is late, and queries without an index."""

from collections.abc import Callable
from datetime import timedelta

import dagster as dg
import pytest

from unde_catalog.definitions import build_definitions
from unde_catalog.settings.environment import load_settings
from unde_catalog.stage_specs import DUE_STAGES
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.due_work import spreading
from unde_catalog_tests.support.due import BRAND, add_products, execute
from unde_catalog_tests.support.many_products import many_due_rows
from unde_catalog_tests.support.servers import Sandbox, Server

Check = Callable[[str], dg.AssetCheckEvaluation]


@pytest.fixture
def check(sandbox: Sandbox, configured: Callable[..., dict[str, str]], instance: dg.DagsterInstance) -> Check:
    """Runs one check and returns its evaluation."""
    configured(sandbox, DUBAI_ZARA_STORES="1,2", ZARA_STOCK_API_URL="http://127.0.0.1:1")

    def run(name: str) -> dg.AssetCheckEvaluation:
        asset = "availability" if name == "checked_on_time" else "raw_products"
        selection = dg.AssetSelection.checks(dg.AssetCheckKey(dg.AssetKey(asset), name))
        job = dg.define_asset_job("of_this_test", selection)
        definitions = dg.Definitions.merge(build_definitions(load_settings()), dg.Definitions(jobs=[job]))
        result = definitions.resolve_job_def("of_this_test").execute_in_process(instance=instance)
        (found,) = result.get_asset_check_evaluations()
        return found

    return run


def test_products_that_were_never_checked_are_a_warning(db: Database, check: Check) -> None:
    add_products(db, 150)
    found = check("checked_on_time")
    assert not found.passed and found.severity == dg.AssetCheckSeverity.WARN
    assert "150 active products of zara were never checked" in (found.description or "")
    spreading.spread(db, "availability", BRAND, timedelta(hours=1))
    found = check("checked_on_time")
    assert (found.passed, found.description) == (True, "100.0% of 150 products are checked on time.")
    assert found.metadata["never_checked"].value == 0
    assert "| zara | 150 | 0 | 0 | 0 | 100.0% | 0 | 2 to 3, average 2.5 |" in str(found.metadata["brands"].value)


@pytest.mark.slow
def test_a_lost_index_of_a_large_table_is_a_warning_with_advice(db: Database, server: Server, check: Check) -> None:
    many_due_rows(server.direct_url(db.url), products=25_000, stages=DUE_STAGES, brands=(BRAND, "oysho"))
    found = check("index_in_use")
    assert found.passed, found.description
    execute(db, "DROP INDEX idx_due_work_due")
    found = check("index_in_use")
    assert not found.passed and found.severity == dg.AssetCheckSeverity.WARN
    assert "reads all of due_work" in (found.description or "") and "REINDEX" in (found.description or "")
