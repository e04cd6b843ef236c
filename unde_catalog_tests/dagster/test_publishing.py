"""Publishing in Dagster: a brand that passes its rules and one that does not, and their checks."""

from collections.abc import Callable

import dagster as dg
import pytest

from unde_catalog.definitions import build_definitions
from unde_catalog.defs.automation.jobs import stage_selection
from unde_catalog.settings.environment import load_settings
from unde_catalog.stages.production_catalog.brand_rules import RULES
from unde_catalog.stores.db.database import Database
from unde_catalog_tests.support.due import execute
from unde_catalog_tests.support.publishing import add_good, published_rows
from unde_catalog_tests.support.servers import Sandbox

ASSET = "production_catalog"


@pytest.fixture
def run(
    sandbox: Sandbox, configured: Callable[..., dict[str, str]], production_url: str, instance: dg.DagsterInstance
) -> Callable[..., dg.ExecuteInProcessResult]:
    """Runs the asset and its check, or (`checks`) the asset and the rules of the brand."""
    configured(sandbox, PRODUCTION_DB_URL=production_url)

    def execute_in_process(brand: str, *, checks: bool = False) -> dg.ExecuteInProcessResult:
        rules = dg.AssetSelection.checks(*(dg.AssetCheckKey(dg.AssetKey("raw_products"), rule) for rule in RULES))
        asset = stage_selection(ASSET)
        job = dg.define_asset_job("of_this_test", asset.without_checks() | rules if checks else asset)
        definitions = dg.Definitions.merge(build_definitions(load_settings()), dg.Definitions(jobs=[job]))
        return definitions.resolve_job_def("of_this_test").execute_in_process(
            partition_key=brand, instance=instance, raise_on_error=False
        )

    return execute_in_process


def failure(result: dg.ExecuteInProcessResult) -> str:
    (event,) = [event for event in result.all_events if event.is_step_failure]
    return str(event.step_failure_data.error)


def test_a_brand_that_breaks_a_rule_fails_and_the_others_are_published(
    run, instance: dg.DagsterInstance, db: Database, production: Database
) -> None:
    for brand in ("zara", "oysho"):
        add_good(db, 20, brand)
        result = run(brand)
        assert result.success
        (materialization,) = result.asset_materializations_for_node(ASSET)
        assert materialization.partition == brand
        metadata = {name: value.value for name, value in materialization.metadata.items()}
        assert (metadata["done"], metadata["new"], metadata["content"]) == (20, 20, "20 products on sale")
        assert not {"hidden", "still_due"} & set(metadata)
        assert [one.passed for one in result.get_asset_check_evaluations()] == [True]
    execute(db, "UPDATE raw_products SET price = price * 100 WHERE brand = 'zara'")
    execute(db, "UPDATE raw_products SET price = price - 1 WHERE brand = 'oysho'")
    rejected = run("zara")
    assert not rejected.success
    assert "production_catalog of zara stopped: zara is not published" in failure(rejected)
    assert "Traceback" not in failure(rejected)
    (record,) = instance.fetch_observations(dg.AssetKey(ASSET), limit=9).records  # which the UI shows on the partition
    assert record.asset_observation is not None and record.partition_key == "zara"
    assert str(record.asset_observation.metadata["failure"].value) in failure(rejected)
    assert run("oysho").success
    assert {row["price"] for row in published_rows(production, "oysho").values()} == {99}
    assert {row["price"] for row in published_rows(production).values()} == {100}


@pytest.mark.slow
def test_each_brand_has_its_own_result_of_each_rule(run, db: Database, instance: dg.DagsterInstance) -> None:
    for brand in ("zara", "oysho"):
        add_good(db, 20, brand)
        assert run(brand).success
    execute(db, "UPDATE raw_products SET price = price * 100 WHERE brand = 'zara'")
    results = {}
    for brand in ("zara", "oysho"):
        found = run(brand, checks=True).get_asset_check_evaluations()
        assert {one.partition for one in found} == {brand}
        results[brand] = {one.check_name: one.passed for one in found}
    assert results["oysho"] == dict.fromkeys(RULES, True)
    assert results["zara"] == {
        "scrape_was_whole": True, "prices_in_line": False, "products_verify": False, "enough_products": False,
    }  # fmt: skip


def test_without_a_production_database_everything_passes(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PRODUCTION_DB_URL")
    result = run("zara")
    assert result.success
    (materialization,) = result.asset_materializations_for_node(ASSET)
    assert materialization.metadata["note"].value == "not configured: set PRODUCTION_DB_URL"
    found = run("zara", checks=True).get_asset_check_evaluations()
    assert [(one.passed, one.description) for one in found] == [(True, "not configured: set PRODUCTION_DB_URL")] * 4
