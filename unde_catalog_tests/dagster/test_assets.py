import re
from collections.abc import Callable

import dagster as dg
import pytest

from unde_catalog.definitions import build_definitions
from unde_catalog.settings.environment import load_settings
from unde_catalog.stores.db.database import Database
from unde_catalog_tests.dagster.runs import failure, failure_metadata, metadata
from unde_catalog_tests.support.servers import Sandbox


@pytest.mark.slow
def test_one_run_takes_a_brand_from_its_scrape_to_its_collages(materialize, db: Database) -> None:
    result = materialize("raw_products", "originals", "collages")
    assert result.success
    assert metadata(result, "raw_products")["new"] == 20
    originals = metadata(result, "originals")
    assert originals["done"] == 20 and not {"failed", "still_due"} & set(originals)
    assert isinstance(originals["bytes"], int) and originals["bytes"] > 1_000_000
    assert {"seconds", "products_per_second"} <= set(originals)
    assert metadata(result, "collages")["done"] == 20
    with db.transaction() as cursor:
        cursor.execute("SELECT scraper_name, status, run_id, records_errors FROM scraper_logs ORDER BY id")
        rows = cursor.fetchall()
    assert [row["scraper_name"] for row in rows] == ["raw_products_zara", "originals_zara", "collages_zara"]
    assert {(row["status"], row["run_id"], row["records_errors"]) for row in rows} == {("success", result.run_id, 0)}


def test_nothing_due_is_a_success(materialize) -> None:
    result = materialize("originals")
    assert result.success
    assert metadata(result, "originals")["summary"] == "nothing was due"


def test_limit_and_product_ids_restrict_a_run(materialize, db: Database, sandbox: Sandbox) -> None:
    assert materialize("raw_products").success
    assert metadata(materialize("originals", config={"limit": 3}), "originals")["done"] == 3
    with db.transaction() as cursor:
        cursor.execute(
            "SELECT p.external_id FROM raw_products p JOIN due_work w ON w.product_id = p.id"
            " WHERE w.stage = 'originals' AND w.due_at IS NOT NULL ORDER BY p.id DESC LIMIT 2"
        )
        chosen = [row["external_id"] for row in cursor.fetchall()]
    assert metadata(materialize("originals", config={"product_ids": chosen}), "originals")["done"] == 2
    with db.transaction() as cursor:
        cursor.execute("SELECT external_id FROM raw_products WHERE image_status = 'uploaded'")
        assert set(chosen) < {row["external_id"] for row in cursor.fetchall()}
    result = materialize("originals", config={"product_ids": ["no-such"]})
    assert not result.success
    assert failure_metadata(result) == {}
    assert "zara has no product no-such" in str(failure(result))
    with db.transaction() as cursor:
        cursor.execute("SELECT count(*) AS failed FROM scraper_logs WHERE status = 'error'")
        assert cursor.fetchone() == {"failed": 0}  # so the report does not list it as a failure


@pytest.mark.slow
def test_force_makes_everything_due_once_for_a_root_run(materialize, sandbox: Sandbox) -> None:
    assert materialize("raw_products", "originals").success
    photos = len(sandbox.log("photo"))
    first = materialize("originals", config={"force": True})
    assert metadata(first, "originals")["done"] == 20
    assert len(sandbox.log("photo")) == 2 * photos
    again = materialize(
        "originals",
        config={"force": True},
        **{"dagster/root_run_id": first.run_id, "dagster/parent_run_id": first.run_id},
    )
    assert again.success
    assert metadata(again, "originals")["summary"] == "nothing was due"


def test_a_brand_without_a_task_succeeds_as_not_configured(
    materialize, monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox
) -> None:
    monkeypatch.setenv("APIFY_TASK_OYSHO", "")
    result = materialize("raw_products", "originals", "collages", brand="oysho")
    assert result.success
    assert "not configured: set APIFY_TASK_OYSHO" in str(metadata(result, "raw_products")["note"])
    assert sandbox.log("apify.start") == []


def test_a_stage_that_has_to_stop_fails_with_one_sentence(materialize, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APIFY_TOKEN", "a-wrong-token")
    result = materialize("raw_products")
    assert not result.success
    message = failure(result)
    assert re.search(r"raw_products of zara stopped: listing the runs of task \w+ failed: Apify responded 401", message)
    assert "check APIFY_TOKEN" in message
    assert "a-wrong-token" not in message


def test_failed_products_are_listed_by_reason_with_examples(
    start_sandbox: Callable[..., Sandbox], configured: Callable[..., dict[str, str]], instance: dg.DagsterInstance
) -> None:
    sandbox = start_sandbox("--faults", "photo:404=1")
    configured(sandbox)
    definitions = build_definitions(load_settings())
    result = definitions.resolve_job_def("update_catalog").execute_in_process(partition_key="zara", instance=instance)
    numbers = metadata(result, "originals")
    assert "done" not in numbers and numbers["failed"] == 20
    assert str(numbers["summary"]).startswith("0 done, 20 failed (20 http_404), ")
    (row,) = [record.data for record in numbers["failures"].records]
    assert (row["reason"], row["products"], row["outcome"]) == ("http_404", 20, "20 retry later")
    examples = str(row["examples"]).split(", ")
    assert len(examples) == 5 and all(one.isdigit() for one in examples)
    assert "photo 1 http_404 (Not Found)" in str(row["detail"])
    sandbox.control(faults="")
    retry = definitions.resolve_job_def("retry_failed_products")  # its configuration is filled in
    assert metadata(retry.execute_in_process(partition_key="zara", instance=instance), "originals")["done"] == 20
