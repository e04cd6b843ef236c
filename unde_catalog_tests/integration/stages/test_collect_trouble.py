"""Collecting when Apify is in trouble or the process dies: a clear sentence, nothing lost, no run paid for twice."""

import logging
from datetime import timedelta
from typing import Any

import pytest

from unde_catalog.stores.staging.products import ingest
from unde_catalog_tests.support.apify_brand import OpenShop, Shop, item


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client's and our own waits are real, but short."""
    monkeypatch.setattr("unde_catalog.stages.raw_products.apify._FIRST_RETRY", timedelta(milliseconds=1))
    monkeypatch.setattr("unde_catalog.stages.raw_products.dataset._WAIT_SECONDS", 0.5)
    monkeypatch.setattr("unde_catalog.stages.raw_products.task_run._KNOWN_WITHIN", 0.0)


# What was asked, what came, what to do.
TROUBLE = [
    ("apify.start:401=1", ["401", "starting a run of task z1psVOTyIKFdU5N9n", "check APIFY_TOKEN"]),
    ("apify.start:402=1", ["402", "starting a run of task", "out of credit"]),
    ("apify.start:404=1", ["404", "starting a run of task", "check the task id"]),
    ("apify.start:429=1", ["429 (rate-limit-exceeded)", "starting a run", "run it again later"]),
    ("apify.start:503=1", ["503", "starting a run", "the next run of this stage looks whether it was started"]),
    ("apify.start:html=1", ["answer to starting a run", "can't be understood", "is APIFY_API_URL right?"]),
    ("apify.runs:401=1", ["401", "listing the runs of task", "check APIFY_TOKEN"]),
    ("apify.run:503=1", ["503", "waiting for run", "it may pass: run it again later"]),
    ("apify.items:429=1", ["429", "reading dataset", "from item 0", "run it again later"]),
    ("apify.items:html=1", ["answer to reading dataset", "can't be understood", "is APIFY_API_URL right?"]),
    ("apify.items:empty=1", ["answer to reading dataset", "can't be understood"]),
    ("apify.items:truncated=1", ["reading dataset", "failed"]),
    ("apify.items:404=1", ["404", "reading dataset"]),
    ("apify.dataset:500=1", ["500", "counting dataset"]),
    ("apify.run:FAILED=1", ["ended as FAILED: The website stopped responding", "Apify's console", "pays for"]),
    ("apify.run:TIMED-OUT=1", ["ended as TIMED-OUT", "Apify's console"]),
]


@pytest.mark.parametrize(("fault", "said"), TROUBLE, ids=[fault for fault, _ in TROUBLE])
def test_trouble_at_apify_is_one_sentence_without_the_token(
    open_shop: OpenShop, fault: str, said: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    shop = open_shop("--faults", fault)
    caplog.set_level(logging.DEBUG)
    sentence = shop.stopped()
    assert sentence.startswith("raw_products of zara stopped: ")
    assert [part for part in said if part not in sentence] == [], sentence
    assert "\n" not in sentence and len(sentence) < 500
    assert "sandbox-token" not in sentence + caplog.text
    assert shop.starts() <= 1
    assert shop.rows() == {}


@pytest.mark.parametrize(
    "fault", ["apify.items:503x2=1", "apify.run:429x2=1", "apify.items:truncatedx1=1", "apify.runs:resetx1=1"]
)
def test_trouble_that_passes_is_waited_for(open_shop: OpenShop, fault: str) -> None:
    shop = open_shop("--faults", fault)
    assert shop.collect().counts["new"] == 20
    assert shop.starts() == 1


def test_a_start_that_was_refused_for_a_moment_is_not_repeated_by_the_client(open_shop: OpenShop) -> None:
    shop = open_shop("--faults", "apify.start:503x1=1")
    assert "503" in shop.stopped()
    assert shop.starts() == 1
    assert shop.collect().counts["new"] == 20
    assert shop.starts() == 2


def test_a_start_whose_answer_was_lost_is_found_again_and_not_paid_for_twice(shop: Shop) -> None:
    shop.sandbox.control(brand="zara", lose_start_answers=1)
    report = shop.collect()
    assert report.counts["new"] == 20
    assert "was there already and is read instead of paying for another" in report.note
    assert shop.starts() == 1


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
def test_a_killed_process_is_gone_on_with_as_if_nothing_had_happened(shop: Shop, lines: int, moment: str) -> None:
    items = [item(n) for n in range(1, 2301)]
    shop.sells([*items, item(7, category="woman-again"), {"id": None}])
    killed = shop.worker("first", dies_after=lines)
    assert killed.returncode == -9, killed.stderr
    assert len(killed.stderr.splitlines()) == lines
    assert shop.collect("somebody else").leased_elsewhere == 1  # its lease still runs ...
    shop.collect("first")  # ... but Dagster's retry of the same run need not wait for that
    assert shop.starts() == 1
    undisturbed, scrape = shop.elsewhere(), shop.last_scrape()
    undisturbed.collect()
    assert shop.catalogue() == undisturbed.catalogue()
    assert scrape["counts"] == undisturbed.last_scrape()["counts"]
    assert scrape["counts"] == {"items": 2302, "new": 2300, "repeated": 1, "rejected": 1}
    assert (scrape["state"], shop.query("SELECT count(*) AS n FROM scraped_items")) == ("complete", [{"n": 0}])


def test_when_the_server_lost_the_staged_items_they_are_read_again(shop: Shop) -> None:
    shop.sells([item(n) for n in range(1, 2301)])
    assert shop.worker("first", dies_after=5).returncode == -9  # two of three chunks wait
    shop.query("TRUNCATE scraped_items")  # what a crash does to an unlogged table
    shop.collect("first")
    assert (len(shop.rows()), shop.starts(), shop.last_scrape()["state"]) == (2300, 1, "complete")


def test_a_run_that_does_not_end_is_waited_for_again_by_the_next_run(open_shop: OpenShop) -> None:
    shop = open_shop("--run-seconds", "3600", APIFY_RUN_TIMEOUT="0.5")
    for _ in range(2):
        sentence = shop.stopped()
        assert "after 0.5 s (APIFY_RUN_TIMEOUT)" in sentence and "goes on waiting for it" in sentence
    assert (shop.starts(), shop.last_scrape()["state"]) == (1, "running")


def test_a_scrape_that_was_open_for_a_day_is_given_up(open_shop: OpenShop) -> None:
    shop = open_shop("--run-seconds", "3600", APIFY_RUN_TIMEOUT="0")
    shop.stopped()
    shop.hours_later(25)
    shop.stopped()
    assert shop.starts() == 2
    assert [row["reason"] for row in shop.query("SELECT reason FROM scrapes ORDER BY id")] == ["abandoned", None]


def test_a_run_that_failed_is_followed_by_a_new_one(open_shop: OpenShop) -> None:
    shop = open_shop("--faults", "apify.run:FAILEDx1=1")
    shop.stopped()
    assert shop.last_scrape()["state"] == "failed"
    assert shop.collect().counts["new"] == 20
    assert shop.starts() == 2


def test_a_young_run_that_nobody_has_read_is_adopted(shop: Shop) -> None:
    older, newer = shop.somebody_starts_a_run(), shop.somebody_starts_a_run()
    assert shop.collect().counts["new"] == 20
    assert shop.last_scrape()["apify_run_id"] == newer
    assert shop.starts() == 2
    shop.collect("forced", force=True)  # the older one would bring back an older catalogue
    assert shop.starts() == 3
    assert shop.last_scrape()["apify_run_id"] not in (older, newer)


def test_an_old_run_is_not_adopted(shop: Shop) -> None:
    shop.somebody_starts_a_run()
    shop.hours_later(25)
    assert "was there already" not in shop.collect().note
    assert shop.starts() == 2


def test_a_run_of_somebody_else_that_failed_is_not_adopted(open_shop: OpenShop) -> None:
    shop = open_shop("--faults", "apify.run:FAILEDx1=1", "--run-seconds", "0")
    shop.somebody_starts_a_run()
    assert shop.collect().counts["new"] == 20
    assert shop.starts() == 2


def test_a_run_that_apify_has_forgotten_gives_way_to_a_new_one(open_shop: OpenShop) -> None:
    shop = open_shop("--run-seconds", "3600", APIFY_RUN_TIMEOUT="0")
    shop.stopped()
    shop.query("UPDATE scrapes SET apify_run_id = 'gone'")
    assert "Apify does not know run gone any more; the next run starts another" in shop.stopped()
    assert shop.last_scrape()["state"] == "failed"


def test_an_empty_dataset_is_said_and_marks_nothing_inactive(shop: Shop) -> None:
    shop.collect()
    shop.sells([])
    sentence = shop.stopped("second", force=True)
    assert "succeeded with an empty dataset" in sentence and "Apify's console" in sentence
    assert all(row["active"] for row in shop.rows().values())
    assert shop.last_scrape()["state"] == "failed"


def test_items_that_appear_late_are_waited_for(open_shop: OpenShop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unde_catalog.stages.raw_products.dataset._WAIT_SECONDS", 10.0)
    shop = open_shop("--run-seconds", "2")
    shop.sandbox.control(brand="zara", late_items=0.15)  # less than a tenth of the run
    assert shop.collect().counts["new"] == 20
    assert shop.last_scrape()["state"] == "complete"


def test_a_count_that_lags_is_waited_for(open_shop: OpenShop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unde_catalog.stages.raw_products.dataset._WAIT_SECONDS", 10.0)
    shop = open_shop("--run-seconds", "1")  # the sandbox's counts lag as long as the run
    shop.collect()
    assert (shop.last_scrape()["state"], shop.last_scrape()["seen"]) == ("complete", 20)
    assert len(shop.sandbox.log("apify.dataset")) > 1


def test_a_dataset_that_grows_while_it_is_read_is_read_to_its_end(shop: Shop) -> None:
    shop.sells([item(n) for n in range(1, 2001)])
    shop.sandbox.control(brand="zara", pages="grow")
    assert shop.collect().counts["new"] == 2000
    assert shop.last_scrape()["state"] == "complete"


def test_a_dataset_that_shrinks_while_it_is_read_marks_nothing_inactive(shop: Shop) -> None:
    shop.sells([item(n) for n in range(1, 1501)])
    shop.collect()
    shop.sells([item(n) for n in range(1, 1401)])
    shop.sandbox.control(brand="zara", pages="shrink")
    report = shop.collect("second", force=True)
    assert "the dataset counts 700 items and gave 1000, it changed while it was read" in report.note
    assert (shop.last_scrape()["state"], shop.last_scrape()["reason"]) == ("partial", "dataset_changed")
    assert all(row["active"] for row in shop.rows().values())


def test_pages_that_repeat_themselves_end_with_a_sentence_and_not_never(shop: Shop) -> None:
    shop.sells([item(n) for n in range(1, 2001)])
    shop.sandbox.control(brand="zara", pages="repeat")
    assert "gave the same 1000 items again from item 1000: Apify repeats itself" in shop.stopped()
    shop.sandbox.control(brand="zara", pages="")
    shop.collect()
    assert (len(shop.rows()), shop.starts(), shop.last_scrape()["state"]) == (2000, 1, "complete")


def test_a_dataset_that_gives_less_than_it_counts_is_not_believed(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as more:
        more.setattr("unde_catalog.stages.raw_products.apify.ApifyTask.item_count", lambda *_: 25)
        assert "says that it has 25 items and gave 20" in shop.stopped()
    assert shop.last_scrape()["state"] == "running"
    shop.collect()
    assert (len(shop.rows()), shop.starts(), shop.last_scrape()["state"]) == (20, 1, "complete")


@pytest.mark.parametrize(
    ("token", "said"),
    [
        ("", "APIFY_TOKEN is not set"),
        ("   ", "APIFY_TOKEN is not set"),
        ("very\nsecret", "APIFY_TOKEN holds a space, a line break or the like"),
        ("secr\u00e9t", "APIFY_TOKEN holds a space, a line break or the like"),
        ("wrong-secret", "401"),
    ],
)
def test_a_token_that_can_not_be_used_is_one_sentence_that_does_not_quote_it(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, token: str, said: str
) -> None:
    monkeypatch.setenv("APIFY_TOKEN", token)
    sentence = shop.stopped()
    assert said in sentence
    assert not token.strip() or "secr" not in sentence


def test_an_apify_that_can_not_be_reached_is_one_sentence(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APIFY_API_URL", "http://127.0.0.1:9")
    sentence = shop.stopped()
    assert "listing the runs of task z1psVOTyIKFdU5N9n failed: ConnectError" in sentence
    assert "\n" not in sentence


def test_a_database_that_goes_away_leaves_the_scrape_to_the_next_run(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = ingest.merge, []

    def cut_once(cursor: Any, *args: Any) -> ingest.Merged:
        calls.append(1)
        if len(calls) == 1:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return real(cursor, *args)

    monkeypatch.setattr(ingest, "merge", cut_once)
    try:
        shop.collect()
    except Exception as error:
        assert "can't be used" in str(error)
        shop.collect()
    assert (len(shop.rows()), shop.starts(), shop.last_scrape()["state"]) == (20, 1, "complete")
