"""A run that names unknown products is refused when it is queued, and is no failure of the stage."""

from collections.abc import Callable, Iterator, Sequence

import dagster as dg
import pytest
from dagster._core.run_coordinator import SubmitRunContext
from dagster._core.storage.partition_status_cache import AssetPartitionStatus

from unde_catalog.definitions import build_definitions
from unde_catalog.defs.automation.run_input import why_refused
from unde_catalog.defs.instance.run_coordinator import CatalogueRunCoordinator
from unde_catalog.defs.partitions import BRAND_PARTITIONS
from unde_catalog.settings.environment import load_settings
from unde_catalog.stores.db.database import Database
from unde_catalog_tests.support.servers import Sandbox


@pytest.fixture
def queueing(sandbox: Sandbox, configured: Callable[..., dict[str, str]]) -> Iterator[dg.DagsterInstance]:
    configured(sandbox)
    coordinator = {"module": CatalogueRunCoordinator.__module__, "class": CatalogueRunCoordinator.__name__}
    with dg.instance_for_test(overrides={"run_coordinator": coordinator}) as instance:
        yield instance


def created(instance: dg.DagsterInstance, product_ids: Sequence[str], brand: str = "zara") -> dg.DagsterRun:
    return instance.create_run_for_job(
        build_definitions().resolve_job_def("download_originals"),
        run_config={"ops": {"originals": {"config": {"product_ids": list(product_ids)}}}},
        tags={"dagster/partition": brand},
    )


def test_a_run_that_names_unknown_products_is_canceled_when_it_is_queued(queueing: dg.DagsterInstance) -> None:
    run = created(queueing, ["4711", "no-such"])
    submitted = queueing.run_coordinator.submit_run(SubmitRunContext(run, workspace=None))  # type: ignore[arg-type]
    assert submitted.status == dg.DagsterRunStatus.CANCELED
    records = queueing.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.RUN_CANCELED).records
    messages = [record.event_log_entry.get_dagster_event().message for record in records]
    assert messages == ["Refused: zara has no product 4711, no-such: product_ids takes external ids"]
    statuses = queueing.get_status_by_partition(dg.AssetKey("originals"), ["zara"], BRAND_PARTITIONS)
    assert statuses is not None and statuses.get("zara") != AssetPartitionStatus.FAILED


def test_only_known_products_of_the_brand_are_accepted(queueing: dg.DagsterInstance, db: Database) -> None:
    with db.transaction() as cursor:
        cursor.execute(
            "INSERT INTO raw_products (source, external_id, brand, scraped_at)"
            " VALUES ('apify_zara', '4711', 'zara', unde_now())"
        )
    settings = load_settings()
    assert why_refused(created(queueing, ["4711"]), settings) is None
    assert why_refused(created(queueing, []), settings) is None
    assert "oysho has no product 4711" in (why_refused(created(queueing, ["4711"], "oysho"), settings) or "")


def test_a_run_is_queued_where_the_database_does_not_respond(
    queueing: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAGING_DB_URL", "postgresql://role@127.0.0.1:1/none")
    assert why_refused(created(queueing, ["4711"]), load_settings()) is None
