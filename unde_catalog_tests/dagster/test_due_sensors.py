from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import dagster as dg
import pytest

from unde_catalog.automation.due_sensors import runs_to_ask_for
from unde_catalog.definitions import build_definitions
from unde_catalog.resources import WorkplaceResource
from unde_catalog.settings import load_settings
from unde_catalog.staging.database import Database
from unde_catalog_tests.servers import Sandbox

NOON = datetime(2026, 3, 1, 12, 7, tzinfo=UTC)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as ephemeral:
        yield ephemeral


def test_a_run_is_asked_for_each_due_brand_that_has_none_in_flight() -> None:
    requests = runs_to_ask_for("originals", ["zara", "oysho"], ["oysho"], NOON)
    (only,) = requests
    assert (only.partition_key, only.run_key) == ("zara", "originals:zara:2026-03-01T12:00")
    assert only.run_config["ops"]["originals"]["config"]["max_minutes"] == 15


def test_the_run_key_changes_with_the_quarter_so_that_dagster_never_drops_a_later_run() -> None:
    def key(minute: int) -> str | None:
        return runs_to_ask_for("originals", ["zara"], [], NOON.replace(minute=minute))[0].run_key

    assert key(0) == key(14)
    assert key(14) != key(15)


def evaluate(name: str, instance: dg.DagsterInstance) -> dg.SensorResult | dg.SkipReason:
    settings = load_settings()
    sensor = next(one for one in build_definitions(settings).sensors or [] if one.name == name)
    context = dg.build_sensor_context(instance=instance, resources={"workplace": WorkplaceResource(settings)})
    return sensor(context)  # type: ignore[return-value, operator]


def test_what_the_sensor_asks_for_does_the_work(
    sandbox: Sandbox, configured: Callable[..., dict[str, str]], instance: dg.DagsterInstance, db: Database
) -> None:
    configured(sandbox)
    definitions = build_definitions(load_settings())
    job = definitions.resolve_implicit_global_asset_job_def()
    for brand in ("zara", "oysho"):
        assert job.execute_in_process(
            asset_selection=[dg.AssetKey("raw_products")], partition_key=brand, instance=instance
        ).success
    assert isinstance(evaluate("collages_due", instance), dg.SkipReason)
    asked = evaluate("originals_due", instance)
    assert isinstance(asked, dg.SensorResult)
    assert [request.partition_key for request in asked.run_requests or []] == ["zara", "oysho"]
    for request in asked.run_requests or []:
        assert job.execute_in_process(
            asset_selection=[dg.AssetKey("originals")],
            partition_key=request.partition_key,
            run_config=request.run_config,
            tags=request.tags,
            instance=instance,
        ).success
    assert isinstance(evaluate("originals_due", instance), dg.SkipReason)
    with db.transaction() as cursor:
        cursor.execute("SELECT brand, count(*) AS n FROM raw_products WHERE image_status = 'uploaded' GROUP BY brand")
        assert {row["brand"]: row["n"] for row in cursor.fetchall()} == {"zara": 20, "oysho": 20}
    collages = evaluate("collages_due", instance)
    assert isinstance(collages, dg.SensorResult)
    assert len(collages.run_requests or []) == 2


@pytest.mark.parametrize("launched_as", ["originals alone", "the whole job"])
def test_a_brand_is_not_asked_for_while_any_run_works_on_it(
    sandbox: Sandbox, configured: Callable[..., dict[str, str]], instance: dg.DagsterInstance, db: Database,
    launched_as: str,
) -> None:  # fmt: skip
    configured(sandbox)
    definitions = build_definitions(load_settings())
    job = definitions.resolve_implicit_global_asset_job_def()
    job.execute_in_process(asset_selection=[dg.AssetKey("raw_products")], partition_key="zara", instance=instance)
    selection = frozenset({dg.AssetKey("originals")}) if launched_as == "originals alone" else None
    instance.create_run_for_job(
        job if selection else definitions.resolve_job_def("catalogue"),
        status=dg.DagsterRunStatus.STARTED,
        tags={"dagster/partition": "zara"},
        asset_selection=selection,
    )
    assert isinstance(evaluate("originals_due", instance), dg.SkipReason)
