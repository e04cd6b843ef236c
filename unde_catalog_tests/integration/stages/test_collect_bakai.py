"""BakaiMarket as a source of raw_products: complete, partial, interrupted and failing scrapes."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from unde_catalog.settings.environment import load_settings
from unde_catalog.stages.raw_products import bakai_api, bakai_source, factory
from unde_catalog.stages.raw_products.errors import NotConfigured
from unde_catalog.stages.raw_products.source import SourcePage
from unde_catalog.stores.db.database import Database
from unde_catalog_tests.support.apify_brand import counts
from unde_catalog_tests.support.bakai_market import Market
from unde_catalog_tests.support.bakai_responses import ERROR, item, json_response, page
from unde_catalog_tests.support.due import execute
from unde_catalog_tests.support.servers import Sandbox, Server, running_sandbox
from unde_catalog_tests.support.upstream import RemoteHost

FIRST = "/v1/products?limit=500"

DEFAULTS = {"size": 40, "shape": "", "drop": [], "price": {}, "categories": [], "repeat_cursor": False}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running_sandbox(tmp_path_factory.mktemp("bakai")) as sandbox:
        yield sandbox


@pytest.fixture
def market(
    running: Sandbox, configured: Callable[..., dict[str, str]], db: Database, server: Server, database_url: str
) -> Market:
    configured(running)
    running.control(bakai=DEFAULTS, faults="")
    return Market(running, db, server, database_url)


@pytest.fixture
def fake_market(host: RemoteHost, market: Market, monkeypatch: pytest.MonkeyPatch) -> Market:
    """The same, with an API whose responses the test sets."""
    monkeypatch.setenv("BAKAI_CDN_API_URL", host.url(""))
    return market


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bakai_api, "PAGE_SIZE", 10)


@pytest.mark.parametrize("which", ["api", "bucket"])
def test_an_item_becomes_a_row_that_other_systems_can_read(
    market: Market, which: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BAKAI_SOURCE", which)
    market.control(categories=["electronics", None])
    assert counts(market.collect()) == {"items": 40, "new": 40}
    rows = market.rows()
    assert {(row["source"], row["brand"], row["index_scope"], row["image_status"]) for row in rows.values()} == {
        ("bakai", "bakai", "pgvector", "pending")
    }
    assert all(id.startswith("bakai_") and row["original_image_urls"] for id, row in rows.items())
    if which == "api":
        assert {row["category"] for row in rows.values()} == {"electronics", "uncategorized"}
        assert {row["currency"] for row in rows.values()} == {"KGS"}
        assert all(row["price"] > 0 and row["name"] for row in rows.values())
    else:  # a bucket has neither
        assert {(row["category"], row["currency"], row["price"]) for row in rows.values()} == {
            ("uncategorized", "XXX", None)
        }
    assert market.last_scrape()["state"] == "complete"


def test_products_are_counted_by_change_and_collected_once_a_day(market: Market, small_pages: None) -> None:
    market.collect()
    ids = [id.removeprefix("bakai_") for id in market.rows()]
    assert "is recent enough; force repeats it" in market.collect("again").note
    market.advance_hours(12.1)
    market.control(drop=ids[:3], price={ids[5]: "7.50"}, size=41)
    second = market.collect("tomorrow")
    assert counts(second) == {"items": 38, "new": 1, "changed": 1, "unchanged": 36, "vanished": 3}
    assert str(market.rows()[f"bakai_{ids[5]}"]["price"]) == "7.50"
    market.control(drop=ids[:2])
    assert counts(market.collect("forced", force=True)) == {"items": 39, "returned": 1, "unchanged": 38}
    assert market.active() == 39


def test_a_list_that_shrank_too_much_marks_no_product_inactive(market: Market) -> None:
    market.collect()
    market.control(size=20)
    assert (
        "only 20 of 40 active products were seen: no product was marked inactive"
        in market.collect("second", force=True).note
    )
    assert (market.last_scrape()["reason"], market.active()) == ("too_few_products", 40)


def test_a_run_with_a_limit_is_resumed(market: Market, small_pages: None) -> None:
    assert counts(market.collect("a", limit=14)) == {"items": 14, "new": 14}
    assert market.last_scrape()["state"] == "running"
    assert counts(market.collect("b", limit=6)) == {"items": 6, "new": 6}
    assert counts(market.collect("c")) == {"items": 20, "new": 20}
    assert (market.last_scrape()["state"], market.last_scrape()["read_to"]) == ("complete", 40)


def test_selected_products_are_read_and_the_others_wait(market: Market, small_pages: None) -> None:
    market.collect()
    selected = list(market.rows())[17]
    report = market.collect("some", product_ids=(selected, "bakai_0"), force=True)
    assert (counts(report), report.note.count("not in this scrape: bakai_0")) == ({"items": 1, "unchanged": 1}, 1)
    assert counts(market.collect("some", force=True)) == {"items": 40, "unchanged": 39, "repeated": 1}


class Killed(BaseException):
    """Stands for a kill: no handler catches it."""


def test_an_interrupted_run_is_resumed_at_its_last_page(
    market: Market, small_pages: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = bakai_api.BakaiApi._page
    tokens: list[str | None] = []

    def die_at_the_third(api: Any, token: str | None, *args: Any, **more: Any) -> SourcePage:
        tokens.append(token)
        if len(tokens) == 3:
            raise Killed
        return real(api, token, *args, **more)

    monkeypatch.setattr(bakai_api.BakaiApi, "_page", die_at_the_third)
    with pytest.raises(Killed):
        market.collect()
    assert (len(market.rows()), market.last_scrape()["read_to"], market.last_scrape()["staged"]) == (0, 20, 20)
    assert market.collect("somebody else", limit=1).counts["items"] == 1
    assert tokens[3] == tokens[1], "the last page is requested again, and its items are skipped"
    market.collect()
    scrape = market.last_scrape()
    assert (scrape["state"], scrape["counts"]["items"], scrape["counts"]["new"], market.active()) == (
        "complete", 40, 40, 40
    )  # fmt: skip


def test_a_killed_run_is_resumed_with_the_same_outcome(market: Market) -> None:
    market.control(size=1_200)
    killed = market.run_worker("first", killed_at_line=2)  # two pages of three are staged
    assert killed.returncode == -9, killed.stderr
    assert market.collect("somebody else").leased_elsewhere == 1  # its lease has not expired ...
    market.collect("first")  # ... but Dagster's retry of the same run need not wait for it
    scrape = market.last_scrape()
    assert (scrape["state"], scrape["counts"]) == ("complete", {"items": 1_200, "new": 1_200})
    assert (market.active(), execute(market.db, "SELECT 1 FROM scraped_items")) == (1_200, [])


def test_a_list_that_cannot_be_resumed_is_read_from_its_beginning(fake_market: Market, host: RemoteHost) -> None:
    host.respond(FIRST, page([item(n) for n in range(1, 11)], "a", total=12))
    host.respond(f"{FIRST}&cursor=a", page([item(11), item(12)], "b", total=12))
    host.respond(f"{FIRST}&cursor=b", json_response(ERROR, "400 Bad Request"))
    assert "responded 400" in fake_market.stop_message()
    assert fake_market.last_scrape()["read_to"] == 12
    host.respond(f"{FIRST}&cursor=a", json_response(ERROR, "410 Gone"), page([item(11), item(12)], total=12))
    report = fake_market.collect()
    assert "the list was read again from its beginning" in report.note
    assert (fake_market.last_scrape()["state"], fake_market.active()) == ("complete", 12)
    assert fake_market.last_scrape()["counts"]["items"] == 12


INCOMPLETE = {
    "reports a higher total": ({FIRST: page([item(1)], total=7)}, "total_disagrees", "7 items but returned 1"),
    "reports a lower total": ({FIRST: page([item(1), item(2)], total=1)}, "total_disagrees", "1 items but returned 2"),
    "repeats a page": (
        {FIRST: page([item(1)], "a", total=2), f"{FIRST}&cursor=a": page([item(1)], total=2)},
        "listing_broken", "returned the same 1 products again on another page",
    ),
    "repeats a cursor": (
        {FIRST: page([item(1)], "a", total=2), f"{FIRST}&cursor=a": page([item(2)], "a", total=2)},
        "listing_broken", "the listing does not end",
    ),
}  # fmt: skip


@pytest.mark.parametrize("how", INCOMPLETE)
def test_an_incomplete_list_is_merged_and_marks_no_product_inactive(
    fake_market: Market, host: RemoteHost, how: str
) -> None:
    host.respond(FIRST, page([item(1), item(2), item(99)]))
    fake_market.collect()
    responses, reason, message = INCOMPLETE[how]
    for path, one in responses.items():
        host.respond(path, one)
    report = fake_market.collect("second", force=True)
    assert message in report.note and report.note.count("no product was marked inactive") == 1
    scrape = fake_market.last_scrape()
    assert (scrape["state"], scrape["reason"], fake_market.active()) == ("partial", reason, 3)


def test_a_total_that_changes_while_the_list_is_read_is_accepted(fake_market: Market, host: RemoteHost) -> None:
    host.respond(FIRST, page([item(1), item(2)], "a", total=3))
    host.respond(f"{FIRST}&cursor=a", page([item(3), item(4)], total=5))
    fake_market.collect()
    assert fake_market.last_scrape()["state"] == "complete"


def test_an_empty_list_is_reported_and_marks_no_product_inactive(market: Market) -> None:
    market.collect()
    market.control(size=0)
    assert "BakaiMarket's product list is empty" in market.stop_message("second", force=True)
    assert (market.last_scrape()["state"], market.last_scrape()["reason"]) == ("failed", "empty list")
    assert market.active() == 40


def test_malformed_items_are_rejected_with_a_reason(fake_market: Market, host: RemoteHost) -> None:
    odd = ["text", {"name": "no id"}, {"id": 3, "name": "x", "more": [[]] * 2}, item(4, name="a\x00b", price=1e400)]
    host.respond(FIRST, page([item(1), *odd]))
    report = fake_market.collect()
    assert counts(report)["rejected"] == 2
    assert dict(report.given_up) == {"not_an_object": 1, "no_id": 1}
    assert set(fake_market.rows()) == {"bakai_1", "bakai_3", "bakai_4"}
    assert counts(fake_market.collect("later", retry_failed=True)).get("new") is None


@pytest.mark.parametrize(
    ("unset", "source", "note"),
    [
        ("BAKAI_CDN_SECRET_KEY", "api", "not configured: set BAKAI_CDN_SECRET_KEY"),
        ("BAKAI_S3_BUCKET", "bucket", "not configured: set BAKAI_S3_BUCKET"),
    ],
)
def test_without_its_keys_the_brand_is_not_configured(
    market: Market, unset: str, source: str, note: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BAKAI_SOURCE", source)
    monkeypatch.setenv(unset, "")
    report = market.collect()
    assert (report.note, report.handled) == (note, 0)
    with pytest.raises(NotConfigured):
        factory.create_source("bakai", load_settings())


def test_wrong_keys_stop_the_run_and_are_not_quoted(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BAKAI_CDN_SECRET_KEY", "changed-by-someone")
    message = market.stop_message()
    assert "responded 401 (unauthorized) to the request for its products" in message
    assert "check BAKAI_CDN_ACCESS_KEY and BAKAI_CDN_SECRET_KEY" in message
    assert "changed-by-someone" not in message
    assert market.rows() == {}


def test_only_one_page_is_held_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    class Endless:
        def pages(self, after: str | None = None) -> Iterator[SourcePage]:
            for n in range(1_000_000):
                yield SourcePage([{"id": n}], str(n), None)

    listing = bakai_source.BakaiListing(Endless())
    pages = listing.pages(7, "5@4")
    assert [next(pages) for _ in range(2)] == [[{"id": 2}], [{"id": 3}]]
    assert (listing.offset, listing.place) == (9, "8@2")


def test_settings_of_the_brand_are_read_from_a_dot_env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text(
        "BAKAI_CONCURRENT_DOWNLOADS=40\nDOWNLOAD_DELAY_MIN=1\nBAKAI_PUBLISH_CURRENCIES=KGS,USD"
    )
    bakai, zara = (load_settings().brands[key] for key in ("bakai", "zara"))
    assert (bakai.concurrent_downloads, bakai.download_delay_min, bakai.download_delay_max) == (40, 0, 0)
    assert (zara.concurrent_downloads, zara.download_delay_min) == (10, 1)
    assert (bakai.publish_currencies, zara.publish_currencies) == (("KGS", "USD"), ("AED",))
