"""The originals stage with a real database, a folder of objects, and a host with configured responses."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from unde_catalog.stores.staging.due_work import requeue
from unde_catalog.worker.handler import StageStopped
from unde_catalog_tests.support.due import add_products, due_row, execute, is_due
from unde_catalog_tests.support.photo_catalogue import BUSY, COLOURS, GREEN, RED, PhotoCatalogue, stored
from unde_catalog_tests.support.upstream import remote_host, reply
from unde_catalog_tests.unit.drawn_photos import plain, saved

# ---------------------------------------------------------------- stored photos


def test_five_photos_are_stored_unchanged_and_recorded(catalogue: PhotoCatalogue) -> None:
    product = catalogue.add(*"abcde", "sixth")
    report = catalogue.run()
    assert (report.done, report.counts["photos_stored"]) == (1, 5)
    assert catalogue.objects() == {f"1/{n}": colour for n, colour in enumerate(COLOURS, 1)}
    assert catalogue.product(product)["image_urls"] == [
        catalogue.store.public_url(f"originals/zara/1/{n}.jpg") for n in range(1, 6)
    ]
    assert catalogue.status(product) == ("uploaded", None)
    row = execute(catalogue.db, "SELECT * FROM product_photos WHERE n = 2")[0]
    assert (row["source_url"], row["key"]) == (catalogue.photos("b")[0], "originals/zara/1/2.jpg")
    assert (row["sha256"], row["bytes"]) == (hashlib.sha256(GREEN).hexdigest(), len(GREEN))
    assert (row["width"], row["height"]) == (64, 64)
    assert is_due(catalogue.db, product, "collages")


def test_a_retry_downloads_only_missing_photos(catalogue: PhotoCatalogue) -> None:
    product = catalogue.add("a", "busy", "c")
    catalogue.host.respond("/busy", BUSY, reply(GREEN))
    assert catalogue.run().later == {"http_503": 1}
    assert catalogue.status(product) == ("pending", "http_503: photo 2 http_503 (Busy)")
    assert catalogue.rows(product) == [(1, "stored", None), (2, "failed", "http_503"), (3, "stored", None)]
    assert catalogue.product(product)["image_urls"] is None
    assert catalogue.requested() == ["a", "busy", "c"]
    assert catalogue.retry().done == 1
    assert catalogue.requested() == ["busy"]
    assert catalogue.rows(product) == stored(1, 2, 3)
    assert catalogue.status(product) == ("uploaded", None)


def test_one_photo_that_is_gone_does_not_fail_the_product(catalogue: PhotoCatalogue) -> None:
    product = catalogue.add("a", "gone", "c")
    catalogue.host.respond("/gone", reply(b"", "410 Gone"))
    assert catalogue.run().done == 1
    assert catalogue.rows(product) == [(1, "stored", None), (2, "gone", "http_410"), (3, "stored", None)]
    assert catalogue.status(product) == ("uploaded", None)
    urls = catalogue.product(product)["image_urls"]
    assert [url[-5:] for url in urls] == ["1.jpg", "3.jpg"]


FORBIDDEN = reply(b"", "403 Forbidden")


def test_a_missing_photo_is_tried_on_other_days_and_its_product_goes_on(
    catalogue: PhotoCatalogue,
) -> None:
    product = catalogue.add("a", "late")
    catalogue.host.respond("/late", reply(b"", "404 Not Found"))
    assert catalogue.run().later == {"http_404": 1}
    assert catalogue.status(product) == ("uploaded", "http_404: photo 2 http_404 (Not Found)")
    assert len(catalogue.product(product)["image_urls"]) == 1
    row = due_row(catalogue.db, product)
    assert row is not None and row["due_at"] - datetime.now(UTC) >= timedelta(hours=23, minutes=59)
    assert catalogue.requested() == ["a", "late"]
    catalogue.host.respond("/late", reply(GREEN))
    assert catalogue.retry().done == 1
    assert catalogue.requested() == ["late"]
    assert catalogue.status(product) == ("uploaded", None)
    assert catalogue.rows(product) == stored(1, 2)
    assert len(catalogue.product(product)["image_urls"]) == 2


@pytest.mark.parametrize(("asked", "waits"), [("86400", 86_400), ("9" * 30, 7 * 86_400), ("7", 3_600)])
def test_a_host_that_asks_for_a_day_is_asked_again_a_day_later(
    catalogue: PhotoCatalogue, asked: str, waits: int
) -> None:
    product = catalogue.add("busy")
    catalogue.host.respond("/busy", reply(b"", "503 Busy", Retry_After=asked))
    before = datetime.now(UTC)
    assert catalogue.run().later == {"http_503": 1}
    row = due_row(catalogue.db, product)
    assert row is not None and row["due_at"] - before >= timedelta(seconds=waits)
    assert row["due_at"] - before < timedelta(seconds=waits, hours=1.1)


def test_later_runs_leave_a_host_alone_that_asked_for_a_day(catalogue: PhotoCatalogue) -> None:
    catalogue.add("busy")
    (other,) = add_products(catalogue.db, 1, first=2, original_image_urls=catalogue.photos("a"))
    catalogue.host.respond("/busy", reply(b"", "503 Busy", Retry_After="86400"))
    assert catalogue.run(product_ids=["1"]).later == {"http_503": 1}
    assert catalogue.run().later == {"host_paused": 1}
    assert catalogue.requested() == ["busy"]
    assert "asked for no requests for another 24 hours" in str(catalogue.status(other)[1])
    assert catalogue.retry().done == 0  # an operator may ask for it, but not the host
    assert catalogue.requested() == []
    execute(catalogue.db, "UPDATE host_holds SET until = unde_now()")
    catalogue.host.respond("/busy", reply(GREEN))
    assert catalogue.retry().done == 2


@pytest.mark.parametrize(
    ("response", "reason"),
    [("404 Not Found", "http_404"), ("403 Forbidden", "http_403"), ("401 Unauthorized", "http_401")],
)
def test_a_photo_that_stays_missing_is_requeued_by_its_reason(
    catalogue: PhotoCatalogue, response: str, reason: str
) -> None:
    product = catalogue.add("a", "lost")
    catalogue.host.respond("/lost", reply(b"", response))
    assert [catalogue.retry().done for _ in range(3)] == [0, 0, 1]
    assert not is_due(catalogue.db, product) and catalogue.status(product) == ("uploaded", None)
    assert catalogue.db.run(requeue.given_up, "originals", "zara", "http_500") == 0
    assert catalogue.db.run(requeue.given_up, "originals", "zara", reason) == 1
    catalogue.host.respond("/lost", reply(GREEN))
    assert catalogue.run().done == 1
    assert catalogue.rows(product) == stored(1, 2)


def test_a_product_goes_on_without_a_photo_that_always_fails(catalogue: PhotoCatalogue) -> None:
    product = catalogue.add("a", "broken")
    catalogue.host.respond("/broken", reply(b"", "500 Oops"))
    for _ in range(4):
        assert catalogue.retry().later == {"http_500": 1}
        assert catalogue.status(product)[0] == "pending"
    assert catalogue.retry().later == {"http_500": 1}
    assert catalogue.status(product) == ("uploaded", "http_500: photo 2 http_500 (Oops)")
    assert [catalogue.retry().done for _ in range(2)] == [0, 1]
    assert catalogue.rows(product) == [(1, "stored", None), (2, "refused", "http_500")]
    assert catalogue.db.run(requeue.given_up, "originals", "zara", "http_500") == 1


@pytest.mark.parametrize("response", ["401 Unauthorized", "409 Conflict", "500 Oops"])
def test_lasting_failures_of_photos_stop_no_brand(catalogue: PhotoCatalogue, response: str) -> None:
    catalogue.add("a")
    lost = add_products(catalogue.db, 30, first=2)
    for n, product in enumerate(lost):
        catalogue.host.respond(f"/lost{n}", reply(b"", response))
        catalogue.set_photos(product, f"lost{n}")
    ends = [catalogue.retry() for _ in range(8)]
    assert ends[0].done == 1 and ends[0].failed == 30
    assert {catalogue.status(product)[0] for product in lost} == {"error"}


def test_photos_that_a_host_forbids_while_it_sends_others_stop_no_brand(catalogue: PhotoCatalogue) -> None:
    catalogue.add("a")
    assert catalogue.run().done == 1
    catalogue.requested()
    for n in range(30):
        catalogue.host.respond(f"/forbidden{n}", FORBIDDEN)
    lost = [
        add_products(catalogue.db, 1, first=n + 2, original_image_urls=catalogue.photos(f"forbidden{n}"))[0]
        for n in range(30)
    ]
    assert catalogue.run().later == {"http_403": 30}
    # The host is asked once for a photo that it sent before.
    assert sorted(catalogue.requested()) == sorted(["a", *(f"forbidden{n}" for n in range(30))])
    # The first of them count as the host's fault on that day.
    ends = [catalogue.retry() for _ in range(3)]
    assert sum(one.given_up["http_403"] for one in ends) == 30 and ends[0].later == {"http_403": 30}
    assert {catalogue.status(product)[0] for product in lost} == {"error"}


def test_a_host_that_forbids_everything_is_at_fault_not_its_photos(catalogue: PhotoCatalogue) -> None:
    products = [
        add_products(catalogue.db, 1, first=n + 1, original_image_urls=catalogue.photos(f"forbidden{n}"))[0]
        for n in range(40)
    ]
    for n in range(40):
        catalogue.host.respond(f"/forbidden{n}", FORBIDDEN)
    with pytest.raises(StageStopped, match="http_403"):
        catalogue.run()
    rows = [due_row(catalogue.db, product) for product in products]
    assert all(row is not None and row["item_faults"] == 0 and row["due_at"] is not None for row in rows)
    assert len(catalogue.requested()) < 40


def test_a_product_whose_photos_are_all_gone_is_given_up_after_3_tries(catalogue: PhotoCatalogue) -> None:
    product = catalogue.add("x", "y")
    for _ in range(2):
        assert catalogue.retry().later == {"http_404": 1}
        assert catalogue.status(product)[0] == "pending"
    assert catalogue.retry().given_up == {"http_404": 1}
    assert catalogue.status(product) == (
        "error", "http_404: photo 1 http_404 (Not Found), photo 2 http_404 (Not Found)",
    )  # fmt: skip
    assert catalogue.product(product)["image_urls"] is None
    assert not is_due(catalogue.db, product)


def test_a_truncated_photo_is_skipped_after_three_attempts(
    catalogue: PhotoCatalogue,
) -> None:
    product = catalogue.add("a", "cut")
    catalogue.host.respond("/cut", reply(GREEN[: len(GREEN) // 2]))
    for _ in range(2):
        assert catalogue.retry().later == {"truncated": 1}
        assert catalogue.status(product)[0] == "pending"
    assert catalogue.retry().done == 1
    assert catalogue.requested() == ["a", "cut", "cut", "cut"]
    assert catalogue.rows(product) == [(1, "stored", None), (2, "refused", "truncated")]
    assert catalogue.status(product) == ("uploaded", None)


def test_an_invalid_photo_is_not_downloaded_again(catalogue: PhotoCatalogue) -> None:
    product = catalogue.add("a", "tiny")
    catalogue.host.respond("/tiny", reply(saved(plain("red", (10, 10)))))
    assert catalogue.run().done == 1
    assert catalogue.rows(product) == [(1, "stored", None), (2, "refused", "too_small")]


def test_a_fault_of_the_host_is_never_given_up(catalogue: PhotoCatalogue) -> None:
    product = catalogue.add("busy", "cut")
    catalogue.host.respond("/busy", BUSY)
    catalogue.host.respond("/cut", reply(GREEN[: len(GREEN) // 2]))
    for _ in range(8):
        assert catalogue.retry().later == {"http_503": 1}
    row = due_row(catalogue.db, product)
    assert row is not None and (row["attempts"], row["item_faults"], row["given_up"]) == (8, 0, False)
    assert catalogue.status(product)[0] == "pending"


def test_a_product_without_photos_is_given_up_at_once(catalogue: PhotoCatalogue) -> None:
    product = catalogue.add()
    assert catalogue.run().given_up == {"no_photos": 1}
    assert catalogue.status(product) == ("error", "no_photos: the source lists no photo")


@pytest.mark.parametrize("urls", ["null", '"http://x/a.jpg"', "{}"])
def test_an_invalid_photo_list_counts_as_empty(catalogue: PhotoCatalogue, urls: str) -> None:
    product = catalogue.add("a")
    execute(catalogue.db, "UPDATE raw_products SET original_image_urls = %s::jsonb", urls)
    assert catalogue.run().given_up == {"no_photos": 1}
    assert catalogue.status(product)[0] == "error"


def test_invalid_urls_are_refused_and_valid_ones_stored(catalogue: PhotoCatalogue) -> None:
    product = catalogue.add("a")
    urls = [None, catalogue.photos("a")[0], "", 5, "ftp://127.0.0.1/a.jpg"]
    execute(catalogue.db, "UPDATE raw_products SET original_image_urls = %s", Jsonb(urls))
    assert catalogue.run().done == 1
    assert catalogue.rows(product) == [
        (1, "refused", "bad_url"),
        *stored(2),
        *((n, "refused", "bad_url") for n in (3, 4, 5)),
    ]


# ---------------------------------------------------------------- stopped stages


def test_a_host_that_is_down_stops_the_stage_and_stored_photos_remain(catalogue: PhotoCatalogue) -> None:
    with remote_host() as down:
        pass
    urls = [*catalogue.photos("a", "b"), down.url("/x"), down.url("/y")]
    ids = add_products(catalogue.db, 60, original_image_urls=urls)
    with pytest.raises(
        StageStopped, match=r"photos cannot be downloaded from 127\.0\.0\.1: .*no_connection"
    ) as stopped:
        catalogue.run()
    rows = [due_row(catalogue.db, one) for one in ids]
    tried = sum(row["attempts"] for row in rows if row)
    assert tried == stopped.value.report.later["no_connection"] < 30
    assert all(row and row["lease_token"] is None and row["due_at"] for row in rows)
    assert {catalogue.status(one)[0] for one in ids} == {"pending"}
    with_photos = execute(catalogue.db, "SELECT DISTINCT product_id FROM product_photos WHERE state = 'stored'")
    assert len(with_photos) * 2 == len(catalogue.requested())
    assert len(with_photos) > tried, "released products lost their stored photos"


def test_a_store_that_is_down_stops_the_stage_and_stored_photos_remain(catalogue: PhotoCatalogue) -> None:
    product = catalogue.add(*"abcde")
    catalogue.full = True
    with pytest.raises(StageStopped, match="the disk is full"):
        catalogue.run()
    row = due_row(catalogue.db, product)
    assert row and (row["attempts"], row["due"]) == (0, True)
    assert len(catalogue.rows(product)) == 3
    catalogue.full = False
    catalogue.requested()
    assert catalogue.run().done == 1
    assert len(catalogue.requested()) == 2


def test_nothing_is_stored_or_deleted_if_the_lease_could_expire(catalogue: PhotoCatalogue) -> None:
    product = catalogue.add("a", "b")
    assert catalogue.run(lease=timedelta(seconds=30)).released == 1
    assert catalogue.objects() == {}
    assert catalogue.run().done == 1
    for fewer in ("b", "a"):  # first one photo must be copied, then one deleted
        catalogue.set_photos(product, fewer)
        assert catalogue.run(lease=timedelta(seconds=30)).released == 1
        assert catalogue.objects() == {"1/1": RED, "1/2": GREEN}
        assert catalogue.rows(product) == stored(1, 2)


def test_a_released_product_keeps_its_last_reason(catalogue: PhotoCatalogue) -> None:
    product = catalogue.add("a", "busy")
    catalogue.host.respond("/busy", BUSY, reply(GREEN))
    catalogue.run()
    status = catalogue.status(product)
    execute(catalogue.db, "UPDATE due_work SET due_at = unde_now() WHERE due_at IS NOT NULL")
    assert catalogue.run(lease=timedelta(seconds=30)).released == 1
    assert catalogue.status(product) == status


def test_photos_that_change_during_the_lease_leave_the_product_due(catalogue: PhotoCatalogue) -> None:
    product = catalogue.add("a")

    async def changed_meanwhile(writer: Any) -> None:
        catalogue.set_photos(product, "b")
        writer.write(reply(RED))

    catalogue.host.respond("/a", changed_meanwhile)
    report = catalogue.run()
    assert report.done == 2
    assert catalogue.objects() == {"1/1": GREEN}
    assert catalogue.status(product) == ("uploaded", None)


# ---------------------------------------------------------------- memory


def test_large_photos_are_validated_one_at_a_time(catalogue: PhotoCatalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    inside: list[int] = []
    most: list[int] = []

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            inside.append(1)
            most.append(len(inside))
            try:
                return real(*args)
            finally:
                inside.pop()

        return call

    module = "unde_catalog.stages.photos.originals"
    from unde_catalog.stages.photos import originals

    monkeypatch.setattr(f"{module}.normalise", counted(originals.normalise))
    monkeypatch.setattr(f"{module}.working_bytes", lambda *_: 600_000_000)
    catalogue.add(*"abcde")
    assert catalogue.run().done == 1
    assert (len(most), max(most)) == (5, 1)
