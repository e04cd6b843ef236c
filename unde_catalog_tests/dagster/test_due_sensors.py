from collections.abc import Callable
from datetime import UTC, datetime

import dagster as dg
import pytest

from unde_catalog.definitions import build_definitions
from unde_catalog.defs.automation.due_sensors import due_work_runs
from unde_catalog.defs.automation.in_flight import RunInFlight
from unde_catalog.defs.resources import BackendsResource
from unde_catalog.settings.environment import load_settings
from unde_catalog.stage_specs import STAGE_SPECS
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.due_work import pauses
from unde_catalog.stores.staging.due_work.pauses import PausedWork
from unde_catalog_tests.support.servers import Sandbox

NOON = datetime(2026, 3, 1, 12, 7, tzinfo=UTC)


def test_each_due_brand_without_a_run_in_flight_gets_one() -> None:
    busy = [
        RunInFlight("oysho", frozenset({"originals"}), started=True),
        RunInFlight("zara", frozenset({"collages"}), started=True),
    ]
    plan = due_work_runs("originals", ["zara", "oysho"], busy, [], NOON)
    (only,) = plan.requests
    assert (only.partition_key, only.run_key) == ("zara", "originals:zara:2026-03-01T12:00")
    assert only.run_config["ops"]["originals"]["config"]["max_minutes"] == 15
    assert only.tags == {
        "brand": "zara", "stage": "originals", "trigger": "sensor", "lane": "work", "dagster/max_runtime": "3600",
    }  # fmt: skip
    assert plan.reasons() == "oysho: a run is in flight"


def test_paused_brands_are_skipped_with_the_reason() -> None:
    paused = [PausedWork("*", "collages", "", NOON), PausedWork("zara", "*", "a new proxy", NOON)]
    plan = due_work_runs("originals", ["zara", "oysho"], [], paused, NOON)
    assert [one.partition_key for one in plan.requests] == ["oysho"]
    assert plan.reasons() == ("zara: paused since 2026-03-01 12:07 UTC (a new proxy): unde-catalog resume --brand zara")


def test_the_run_key_changes_every_quarter_of_an_hour() -> None:
    def key(minute: int) -> str | None:
        return due_work_runs("originals", ["zara"], [], [], NOON.replace(minute=minute)).requests[0].run_key

    assert key(0) == key(14)
    assert key(14) != key(15)


def test_a_large_brand_gets_several_runs_with_keys_of_their_own() -> None:
    busy = [RunInFlight(brand, frozenset({"collages"}), started=True) for brand in ("oysho", "bershka")]
    numbers = {"zara": range(1, 3), "oysho": range(2, 3), "bershka": range(2, 2)}
    plan = due_work_runs("collages", list(numbers), busy, [], NOON, numbers)
    quarter = "2026-03-01T12:00"
    assert [one.run_key for one in plan.requests] == [
        f"collages:zara:{quarter}", f"collages:zara:{quarter}:2", f"collages:oysho:{quarter}:2",
    ]  # fmt: skip
    assert plan.reasons() == "bershka: a run is in flight"


def evaluate(name: str, instance: dg.DagsterInstance) -> dg.SensorResult | dg.SkipReason:
    settings = load_settings()
    sensor = next(one for one in build_definitions(settings).sensors or [] if one.name == name)
    context = dg.build_sensor_context(instance=instance, resources={"backends": BackendsResource(settings)})
    return sensor(context)  # type: ignore[return-value, operator]


@pytest.mark.slow
def test_the_requested_runs_do_the_due_work(
    sandbox: Sandbox, configured: Callable[..., dict[str, str]], instance: dg.DagsterInstance, db: Database
) -> None:
    configured(sandbox)
    definitions = build_definitions(load_settings())
    job = definitions.resolve_implicit_global_asset_job_def()
    for brand in ("zara", "oysho"):
        assert job.execute_in_process(
            asset_selection=[dg.AssetKey("raw_products")], partition_key=brand, instance=instance
        ).success
    assert isinstance(evaluate("make_collages_due", instance), dg.SkipReason)
    plan = evaluate("download_originals_due", instance)
    assert isinstance(plan, dg.SensorResult)
    assert [request.partition_key for request in plan.run_requests or []] == ["zara", "oysho"]
    for request in plan.run_requests or []:
        assert job.execute_in_process(
            asset_selection=[dg.AssetKey("originals")],
            partition_key=request.partition_key,
            run_config=request.run_config,
            tags=request.tags,
            instance=instance,
        ).success
    assert isinstance(evaluate("download_originals_due", instance), dg.SkipReason)
    with db.transaction() as cursor:
        cursor.execute("SELECT brand, count(*) AS n FROM raw_products WHERE image_status = 'uploaded' GROUP BY brand")
        assert {row["brand"]: row["n"] for row in cursor.fetchall()} == {"zara": 20, "oysho": 20}
    db.run(pauses.pause, "zara", "collages", "")
    collages = evaluate("make_collages_due", instance)
    assert isinstance(collages, dg.SensorResult)
    assert [request.partition_key for request in collages.run_requests or []] == ["oysho"]
    db.run(pauses.pause, "*", "*", "maintenance tonight")
    skipped_tick = evaluate("make_collages_due", instance)
    assert isinstance(skipped_tick, dg.SkipReason)
    assert (skipped_tick.skip_message or "").startswith("zara, oysho: paused since ")


@pytest.mark.parametrize(
    ("launched", "brand", "skipped"),
    [
        ("by hand", "zara", True),
        ("by hand", "oysho", False),
        pytest.param("by hand, the whole job", "zara", True, marks=pytest.mark.slow),
        pytest.param("by its sensor", "zara", True, marks=pytest.mark.slow),
        pytest.param("by another stage's sensor", "zara", False, marks=pytest.mark.slow),
    ],
)
def test_a_brand_gets_no_run_while_another_works_on_the_same_stage(
    sandbox: Sandbox, configured: Callable[..., dict[str, str]], instance: dg.DagsterInstance, db: Database,
    launched: str, brand: str, skipped: bool,
) -> None:  # fmt: skip
    configured(sandbox)
    definitions = build_definitions(load_settings())
    job = definitions.resolve_implicit_global_asset_job_def()
    job.execute_in_process(asset_selection=[dg.AssetKey("raw_products")], partition_key="zara", instance=instance)
    stage = "collages" if launched == "by another stage's sensor" else "originals"
    # A sensor's own run has no selection: it is of the job that was made for its target.
    selection = frozenset({dg.AssetKey(stage)}) if launched == "by hand" else None
    named = "update_catalog" if "whole job" in launched else STAGE_SPECS[stage].job if "sensor" in launched else None
    instance.create_run_for_job(
        definitions.resolve_job_def(named) if named else job,
        status=dg.DagsterRunStatus.STARTED,
        tags={"dagster/partition": brand, **({"stage": stage, "brand": brand} if "sensor" in launched else {})},
        asset_selection=selection,
    )
    assert isinstance(evaluate("download_originals_due", instance), dg.SkipReason) == skipped
