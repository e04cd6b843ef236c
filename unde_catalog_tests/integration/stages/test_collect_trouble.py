"""Collecting when Apify fails or the process is killed: a clear message, nothing lost, no run paid for twice."""

import logging
from datetime import timedelta
from typing import Any

import pytest

from unde_catalog.stores.staging.products import ingest
from unde_catalog_tests.support.apify_brand import ApifyBrand, CreateApifyBrand, item


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits are real but short."""
    monkeypatch.setattr("unde_catalog.stages.raw_products.apify._FIRST_RETRY_DELAY", timedelta(milliseconds=1))
    monkeypatch.setattr("unde_catalog.stages.raw_products.apify_dataset._WAIT_SECONDS", 0.5)
    monkeypatch.setattr("unde_catalog.stages.raw_products.apify_run._LOOKUP_SECONDS", 0.0)


# The fault, and parts of the message: the response, the request, the advice.
FAILURES = [
    ("apify.start:401=1", ["401", "starting a run of task z1psVOTyIKFdU5N9n", "check APIFY_TOKEN"]),
    ("apify.start:402=1", ["402", "starting a run of task", "has no credit left"]),
    ("apify.start:404=1", ["404", "starting a run of task", "check the task ID"]),
    ("apify.start:429=1", ["429 (rate-limit-exceeded)", "starting a run", "run it again later"]),
    ("apify.start:503=1", ["503", "starting a run", "the next run of this stage checks whether it did start"]),
    ("apify.start:html=1", ["starting a run", "response is not readable", "check APIFY_API_URL"]),
    ("apify.runs:401=1", ["401", "listing the runs of task", "check APIFY_TOKEN"]),
    ("apify.run:503=1", ["503", "waiting for run", "it may pass: run it again later"]),
    ("apify.items:429=1", ["429", "reading dataset", "from item 0", "run it again later"]),
    ("apify.items:html=1", ["reading dataset", "response is not readable", "check APIFY_API_URL"]),
    ("apify.items:empty=1", ["reading dataset", "response is not readable"]),
    ("apify.items:truncated=1", ["reading dataset", "failed"]),
    ("apify.items:404=1", ["404", "reading dataset"]),
    ("apify.dataset:500=1", ["500", "counting dataset"]),
    ("apify.run:FAILED=1", ["ended as FAILED: The website stopped responding", "the Apify console", "pays for"]),
    ("apify.run:TIMED-OUT=1", ["ended as TIMED-OUT", "the Apify console"]),
]


@pytest.mark.parametrize(("fault", "parts"), FAILURES, ids=[fault for fault, _ in FAILURES])
def test_a_failure_of_apify_is_one_message_without_the_token(
    create_apify_brand: CreateApifyBrand, fault: str, parts: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    apify_brand = create_apify_brand("--faults", fault)
    caplog.set_level(logging.DEBUG)
    message = apify_brand.stop_message()
    assert message.startswith("raw_products of zara stopped: ")
    assert [part for part in parts if part not in message] == [], message
    assert "\n" not in message and len(message) < 500
    assert "sandbox-token" not in message + caplog.text
    assert apify_brand.paid_runs() <= 1
    assert apify_brand.rows() == {}


@pytest.mark.parametrize(
    "fault", ["apify.items:503x2=1", "apify.run:429x2=1", "apify.items:truncatedx1=1", "apify.runs:resetx1=1"]
)
def test_temporary_failures_are_retried(create_apify_brand: CreateApifyBrand, fault: str) -> None:
    apify_brand = create_apify_brand("--faults", fault)
    assert apify_brand.collect().counts["new"] == 20
    assert apify_brand.paid_runs() == 1


def test_a_failed_start_is_not_retried_by_the_client(create_apify_brand: CreateApifyBrand) -> None:
    apify_brand = create_apify_brand("--faults", "apify.start:503x1=1")
    assert "503" in apify_brand.stop_message()
    assert apify_brand.paid_runs() == 1
    assert apify_brand.collect().counts["new"] == 20
    assert apify_brand.paid_runs() == 2


def test_a_start_whose_response_was_lost_is_not_paid_for_twice(apify_brand: ApifyBrand) -> None:
    apify_brand.sandbox.control(brand="zara", lose_start_answers=1)
    report = apify_brand.collect()
    assert report.counts["new"] == 20
    assert "existed already and is used instead of paying for another" in report.note
    assert apify_brand.paid_runs() == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("lines", "moment"),
    [
        (1, "between the start and its recording"),
        (2, "after the first page"),
        (4, "after the last page"),
        (5, "after the first merge"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_killed_run_is_resumed_with_the_same_outcome(apify_brand: ApifyBrand, lines: int, moment: str) -> None:
    items = [item(n) for n in range(1, 2301)]
    apify_brand.set_items([*items, item(7, category="woman-again"), {"id": None}])
    killed = apify_brand.run_worker("first", killed_at_line=lines)
    assert killed.returncode == -9, killed.stderr
    assert len(killed.stderr.splitlines()) == lines
    assert apify_brand.collect("somebody else").leased_elsewhere == 1  # its lease has not expired ...
    apify_brand.collect("first")  # ... but Dagster's retry of the same run need not wait for it
    assert apify_brand.paid_runs() == 1
    uninterrupted, scrape = apify_brand.with_new_database(), apify_brand.last_scrape()
    uninterrupted.collect()
    assert apify_brand.catalogue() == uninterrupted.catalogue()
    assert scrape["counts"] == uninterrupted.last_scrape()["counts"]
    assert scrape["counts"] == {"items": 2302, "new": 2300, "repeated": 1, "rejected": 1}
    assert (scrape["state"], apify_brand.query("SELECT count(*) AS n FROM scraped_items")) == ("complete", [{"n": 0}])


def test_staged_items_lost_in_a_server_crash_are_read_again(apify_brand: ApifyBrand) -> None:
    apify_brand.set_items([item(n) for n in range(1, 2301)])
    assert apify_brand.run_worker("first", killed_at_line=5).returncode == -9  # two of three chunks are not merged yet
    apify_brand.query("TRUNCATE scraped_items")  # as a crash does with an unlogged table
    apify_brand.collect("first")
    assert (len(apify_brand.rows()), apify_brand.paid_runs(), apify_brand.last_scrape()["state"]) == (
        2300,
        1,
        "complete",
    )


def test_a_slow_apify_run_is_waited_for_by_the_next_run(create_apify_brand: CreateApifyBrand) -> None:
    apify_brand = create_apify_brand("--run-seconds", "3600", APIFY_RUN_TIMEOUT="0.5")
    for _ in range(2):
        message = apify_brand.stop_message()
        assert "after 0.5 s (APIFY_RUN_TIMEOUT)" in message and "continues to wait for it" in message
    assert (apify_brand.paid_runs(), apify_brand.last_scrape()["state"]) == (1, "running")


def test_a_scrape_that_was_open_for_a_day_is_abandoned(create_apify_brand: CreateApifyBrand) -> None:
    apify_brand = create_apify_brand("--run-seconds", "3600", APIFY_RUN_TIMEOUT="0")
    apify_brand.stop_message()
    apify_brand.advance_hours(25)
    apify_brand.stop_message()
    assert apify_brand.paid_runs() == 2
    assert [row["reason"] for row in apify_brand.query("SELECT reason FROM scrapes ORDER BY id")] == ["abandoned", None]


def test_a_failed_apify_run_is_followed_by_a_new_one(create_apify_brand: CreateApifyBrand) -> None:
    apify_brand = create_apify_brand("--faults", "apify.run:FAILEDx1=1")
    apify_brand.stop_message()
    assert apify_brand.last_scrape()["state"] == "failed"
    assert apify_brand.collect().counts["new"] == 20
    assert apify_brand.paid_runs() == 2


def test_a_recent_unread_run_is_adopted(apify_brand: ApifyBrand) -> None:
    older, newer = apify_brand.start_foreign_run(), apify_brand.start_foreign_run()
    assert apify_brand.collect().counts["new"] == 20
    assert apify_brand.last_scrape()["apify_run_id"] == newer
    assert apify_brand.paid_runs() == 2
    apify_brand.collect("forced", force=True)  # the older one would bring back an older catalogue
    assert apify_brand.paid_runs() == 3
    assert apify_brand.last_scrape()["apify_run_id"] not in (older, newer)


def test_an_old_run_is_not_adopted(apify_brand: ApifyBrand) -> None:
    apify_brand.start_foreign_run()
    apify_brand.advance_hours(25)
    assert "existed already" not in apify_brand.collect().note
    assert apify_brand.paid_runs() == 2


def test_a_failed_foreign_run_is_not_adopted(create_apify_brand: CreateApifyBrand) -> None:
    apify_brand = create_apify_brand("--faults", "apify.run:FAILEDx1=1", "--run-seconds", "0")
    apify_brand.start_foreign_run()
    assert apify_brand.collect().counts["new"] == 20
    assert apify_brand.paid_runs() == 2


def test_a_run_that_apify_no_longer_knows_is_replaced(create_apify_brand: CreateApifyBrand) -> None:
    apify_brand = create_apify_brand("--run-seconds", "3600", APIFY_RUN_TIMEOUT="0")
    apify_brand.stop_message()
    apify_brand.query("UPDATE scrapes SET apify_run_id = 'gone'")
    assert "Apify no longer knows run gone; the next run of this stage starts another" in apify_brand.stop_message()
    assert apify_brand.last_scrape()["state"] == "failed"


def test_an_empty_dataset_is_reported_and_marks_no_product_inactive(apify_brand: ApifyBrand) -> None:
    apify_brand.collect()
    apify_brand.set_items([])
    message = apify_brand.stop_message("second", force=True)
    assert "succeeded with an empty dataset" in message and "the Apify console" in message
    assert all(row["active"] for row in apify_brand.rows().values())
    assert apify_brand.last_scrape()["state"] == "failed"


def test_items_that_appear_late_are_waited_for(
    create_apify_brand: CreateApifyBrand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unde_catalog.stages.raw_products.apify_dataset._WAIT_SECONDS", 10.0)
    apify_brand = create_apify_brand("--run-seconds", "2")
    apify_brand.sandbox.control(brand="zara", late_items=0.15)  # less than a tenth of the run
    assert apify_brand.collect().counts["new"] == 20
    assert apify_brand.last_scrape()["state"] == "complete"


def test_an_item_count_that_lags_is_waited_for(
    create_apify_brand: CreateApifyBrand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unde_catalog.stages.raw_products.apify_dataset._WAIT_SECONDS", 10.0)
    apify_brand = create_apify_brand("--run-seconds", "1")  # the sandbox's counts lag as long as the run
    apify_brand.collect()
    assert (apify_brand.last_scrape()["state"], apify_brand.last_scrape()["seen"]) == ("complete", 20)
    assert len(apify_brand.sandbox.log("apify.dataset")) > 1


def test_a_growing_dataset_is_read_to_its_end(apify_brand: ApifyBrand) -> None:
    apify_brand.set_items([item(n) for n in range(1, 2001)])
    apify_brand.sandbox.control(brand="zara", pages="grow")
    assert apify_brand.collect().counts["new"] == 2000
    assert apify_brand.last_scrape()["state"] == "complete"


def test_a_shrinking_dataset_marks_no_product_inactive(apify_brand: ApifyBrand) -> None:
    apify_brand.set_items([item(n) for n in range(1, 1501)])
    apify_brand.collect()
    apify_brand.set_items([item(n) for n in range(1, 1401)])
    apify_brand.sandbox.control(brand="zara", pages="shrink")
    report = apify_brand.collect("second", force=True)
    assert "the dataset reports 700 items but returned 1000, so it changed while it was read" in report.note
    assert (apify_brand.last_scrape()["state"], apify_brand.last_scrape()["reason"]) == ("partial", "dataset_changed")
    assert all(row["active"] for row in apify_brand.rows().values())


def test_a_repeated_page_stops_the_run(apify_brand: ApifyBrand) -> None:
    apify_brand.set_items([item(n) for n in range(1, 2001)])
    apify_brand.sandbox.control(brand="zara", pages="repeat")
    assert "returned the same 1000 items again from item 1000" in apify_brand.stop_message()
    apify_brand.sandbox.control(brand="zara", pages="")
    apify_brand.collect()
    assert (len(apify_brand.rows()), apify_brand.paid_runs(), apify_brand.last_scrape()["state"]) == (
        2000,
        1,
        "complete",
    )


def test_a_dataset_that_returns_fewer_items_than_it_reports_is_refused(
    apify_brand: ApifyBrand, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as more:
        more.setattr("unde_catalog.stages.raw_products.apify.ApifyTask.item_count", lambda *_: 25)
        assert "reports 25 items but returned only 20" in apify_brand.stop_message()
    assert apify_brand.last_scrape()["state"] == "running"
    apify_brand.collect()
    assert (len(apify_brand.rows()), apify_brand.paid_runs(), apify_brand.last_scrape()["state"]) == (20, 1, "complete")


@pytest.mark.parametrize(
    ("token", "part"),
    [
        ("", "APIFY_TOKEN is not set"),
        ("   ", "APIFY_TOKEN is not set"),
        ("very\nsecret", "APIFY_TOKEN contains a space, a line break or a similar character"),
        ("secr\u00e9t", "APIFY_TOKEN contains a space, a line break or a similar character"),
        ("wrong-secret", "401"),
    ],
)
def test_an_unusable_token_is_reported_and_not_quoted(
    apify_brand: ApifyBrand, monkeypatch: pytest.MonkeyPatch, token: str, part: str
) -> None:
    monkeypatch.setenv("APIFY_TOKEN", token)
    message = apify_brand.stop_message()
    assert part in message
    assert not token.strip() or "secr" not in message


def test_an_unreachable_apify_is_one_message(apify_brand: ApifyBrand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APIFY_API_URL", "http://127.0.0.1:9")
    message = apify_brand.stop_message()
    assert "listing the runs of task z1psVOTyIKFdU5N9n failed: ConnectError" in message
    assert "\n" not in message


def test_a_lost_database_connection_leaves_the_scrape_to_the_next_run(
    apify_brand: ApifyBrand, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = ingest.merge, []

    def terminate_once(cursor: Any, *args: Any) -> ingest.MergeCounts:
        calls.append(1)
        if len(calls) == 1:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return real(cursor, *args)

    monkeypatch.setattr(ingest, "merge", terminate_once)
    try:
        apify_brand.collect()
    except Exception as error:
        assert "can't be used" in str(error)
        apify_brand.collect()
    assert (len(apify_brand.rows()), apify_brand.paid_runs(), apify_brand.last_scrape()["state"]) == (20, 1, "complete")
