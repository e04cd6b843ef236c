"""The ximilar_index stage against the sandbox, whose log bills every record that is sent, duplicates too."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from unde_catalog.stages.ximilar_index import stage as ximilar
from unde_catalog.stages.ximilar_index.client import LocalPace, Ximilar
from unde_catalog.stages.ximilar_index.open import SharedPace
from unde_catalog.stages.ximilar_index.stage import XimilarStage
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.objects.directory import directory_store
from unde_catalog.stores.staging.due_work import host_pace
from unde_catalog.stores.staging.index.ximilar_rows import credits_used
from unde_catalog.worker.handler import StageStopped
from unde_catalog.worker.loop import run_worker
from unde_catalog.worker.report import RunOptions, StageReport
from unde_catalog_tests.support.due import add_products, due_row, execute, is_due
from unde_catalog_tests.support.servers import Sandbox
from unde_catalog_tests.unit.drawn_photos import plain, saved

COLLECTION = "sandbox-fashion-new"
COLOURS = ("red", "green", "blue", "white", "black")
PHOTOS = {name: saved(plain(name)) for name in COLOURS}


class Index:
    """Pilot products with stored photos, the stage over them, and the collection as the sandbox has it."""

    def __init__(self, db: Database, sandbox: Sandbox, folder: Path) -> None:
        self.db, self.sandbox, self.budget, self.runs = db, sandbox, 1_000, 0
        self.store = directory_store(folder)
        self.api = Ximilar(
            sandbox.url, "/similarity/fashion-new/v2/", "sandbox-ximilar-token", COLLECTION, LocalPace(1_000)
        )

    def add(self, *colours: str, scope: str = "pilot", **columns: Any) -> int:
        """A product whose photos are stored, of these colours; its id."""
        values = {"name": "SHIRT", "price": "99.00", "category": "woman-shirts", "index_scope": scope, **columns}
        number = len(execute(self.db, "SELECT 1 FROM raw_products")) + 1
        product = add_products(self.db, 1, first=number, **values)[0]
        self.has(product, *colours)
        return product

    def has(self, product: int, *colours: str) -> None:
        """Its photos are all there and these, as the originals stage leaves it."""
        execute(self.db, "UPDATE raw_products SET image_status = 'pending' WHERE id = %s", product)
        execute(self.db, "DELETE FROM product_photos WHERE product_id = %s", product)
        for n, colour in enumerate(colours, 1):
            key = f"originals/zara/{product}/{n}.jpg"
            self.store.put(key, PHOTOS[colour], "image/jpeg")
            execute(
                self.db,
                "INSERT INTO product_photos VALUES (%s, %s, %s, 'stored', NULL, %s, encode(sha256(%s), 'hex'), 60, 60,"
                " 900, now())",
                product, n, f"https://cdn.test/{colour}-{n}.jpg", key, PHOTOS[colour],
            )  # fmt: skip
        urls = Jsonb([self.store.public_url(f"originals/zara/{product}/{n}.jpg") for n in range(1, len(colours) + 1)])
        status = "uploaded" if colours else "error"
        execute(
            self.db, "UPDATE raw_products SET image_status = %s, image_urls = %s WHERE id = %s", status, urls, product
        )

    def set(self, product: int, **columns: Any) -> None:
        for name, value in columns.items():
            execute(self.db, f"UPDATE raw_products SET {name} = %s WHERE id = %s", value, product)

    def run(self, **options: Any) -> StageReport:
        self.runs += 1
        stage = XimilarStage(self.api, self.store, self.db, take_limit=1_000, budget=self.budget)
        asked = RunOptions(**{"root_run": str(self.runs), **options})
        return run_worker(stage, self.db, "zara", asked, logging.getLogger("test"))

    def again(self) -> StageReport:
        """Run when the next tries have come due."""
        execute(self.db, "UPDATE due_work SET due_at = unde_now() WHERE due_at IS NOT NULL")
        return self.run()

    def collection(self) -> dict[str, dict[str, Any]]:
        """The records that are really there, by `_id`."""
        body = self.api._request("allRecords?size=1000&page=1", {"fields_to_return": _FIELDS})
        return {record["_id"]: record for record in body["answer_records"]}

    def status(self, product: int) -> tuple[str, int]:
        """ximilar_status and the number of URLs that are synced."""
        row = execute(self.db, "SELECT * FROM raw_products WHERE id = %s", product)[0]
        return row["ximilar_status"], len(row["ximilar_synced_urls"])

    def billed(self) -> int:
        return sum(one["billed"] for one in self.sandbox.log("ximilar.insert") if "billed" in one)

    def bought(self) -> list[str]:
        """The ids of all records that were ever sent in inserts that were carried out."""
        return [id for one in self.sandbox.log("ximilar.insert") for id in one.get("ids", ())]


_FIELDS = ["_id", "product_id", "sku_id", "brand", "name", "category", "price"]


@pytest.fixture
def index(
    db: Database, start_sandbox: Callable[..., Sandbox], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Index]:
    monkeypatch.setattr(ximilar, "SETTLE_SECONDS", 0.0)
    monkeypatch.setattr("unde_catalog.stages.ximilar_index.client._FIRST_WAIT", 0.01)
    yield Index(db, start_sandbox(), tmp_path / "objects")


def numbers(ids: Any) -> list[tuple[str, str]]:
    """(external id, photo number) of record ids."""
    return sorted((id.split("-")[1], id.split("-")[2]) for id in ids)


def test_the_first_two_photos_of_pilot_products_are_inserted_once(index: Index) -> None:
    one, two, other = index.add("red", "green", "blue"), index.add("red"), index.add("red", scope="off")
    report = index.run()
    assert (report.done, report.counts["records_inserted"]) == (2, 3)
    assert numbers(index.collection()) == [("1", "1"), ("1", "2"), ("2", "1")]
    assert (index.status(one), index.status(two)) == (("synced", 2), ("partial", 1))
    assert index.status(other) == ("pending", 0) and due_row(index.db, other, "ximilar_index") is None
    assert index.run().done == 0
    assert index.billed() == 3 and index.db.run(credits_used) == (3, 3)


def test_metadata_is_flat_text_of_the_product(index: Index) -> None:
    index.add("red")
    index.run()
    (record,) = index.collection().values()
    assert {name: record[name] for name in _FIELDS[1:]} == {
        "product_id": "1", "sku_id": "1", "brand": "zara", "name": "SHIRT", "category": "woman-shirts",
        "price": "99.00",
    }  # fmt: skip


def test_many_products_go_ten_records_a_request(index: Index) -> None:
    for _ in range(23):
        index.add("red", "green")
    assert index.run().done == 23
    sizes = [len(one["ids"]) for one in index.sandbox.log("ximilar.insert")]
    assert sum(sizes) == 46 and max(sizes) == 10 and len(sizes) <= 6


def test_a_raised_target_sends_only_what_is_missing(index: Index) -> None:
    product = index.add("red", "green", "blue", "white")
    index.run()
    index.set(product, ximilar_target_count=4)
    assert index.status(product) == ("partial", 2)
    index.run()
    assert index.status(product) == ("synced", 4) and index.billed() == 4


def test_a_changed_photo_is_deleted_and_inserted(index: Index) -> None:
    product = index.add("red", "green")
    index.run()
    before = set(index.collection())
    index.has(product, "red", "blue")
    assert is_due(index.db, product, "ximilar_index") and index.status(product)[0] == "partial"
    index.run()
    after = set(index.collection())
    assert numbers(after) == [("1", "1"), ("1", "2")] and len(before & after) == 1
    assert index.status(product) == ("synced", 2) and index.billed() == 3


@pytest.mark.parametrize(("column", "value"), [("price", "49.50"), ("name", "BLOUSE"), ("category", "woman-blouses")])
def test_a_changed_price_or_name_is_an_update_and_costs_nothing(index: Index, column: str, value: str) -> None:
    product = index.add("red", "green")
    index.run()
    index.set(product, **{column: value})
    assert is_due(index.db, product, "ximilar_index") and index.status(product) == ("partial", 2)
    assert index.run().counts["records_updated"] == 2
    assert {record[column] for record in index.collection().values()} == {value}
    assert index.status(product) == ("synced", 2) and index.billed() == 2


@pytest.mark.parametrize(
    ("leave", "back"), [({"active": False}, {"active": True}), ({"index_scope": "off"}, {"index_scope": "pilot"})]
)
def test_products_leave_and_return(index: Index, leave: dict[str, Any], back: dict[str, Any]) -> None:
    product, stays = index.add("red", "green"), index.add("blue")
    index.run()
    index.set(product, **leave)
    assert is_due(index.db, product, "ximilar_index")
    index.run()
    assert numbers(index.collection()) == [(str(stays), "1")] and index.status(product) == ("pending", 0)
    index.set(product, **back)
    index.run()
    assert len(index.collection()) == 3 and index.status(product) == ("synced", 2)


def test_a_product_that_lost_all_its_photos_leaves(index: Index) -> None:
    product = index.add("red", "green")
    index.run()
    index.has(product)
    index.run()
    assert index.collection() == {} and index.status(product) == ("pending", 0)
    assert not is_due(index.db, product, "ximilar_index")


def test_a_record_that_somebody_deleted_comes_back_with_the_next_change(index: Index) -> None:
    product = index.add("red")
    index.run()
    index.sandbox.control(ximilar={"remove": list(index.collection())})
    index.set(product, price="1.00")
    index.run()
    assert [record["price"] for record in index.collection().values()] == ["1.00"]


@pytest.mark.parametrize("fault", ["lost", "500-after", "timeout-after", "not-json", "wrong-types", "body-500-after"])
def test_an_insert_whose_answer_was_lost_is_settled_and_not_sent_again(
    index: Index, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setattr("unde_catalog.stages.ximilar_index.client._SECONDS", (1, 1))
    product = index.add("red", "green")
    index.sandbox.control(next_faults={"ximilar.insert": [fault]})
    assert index.run().later == {"ximilar_down": 1}
    assert index.status(product) == ("pending", 0)
    assert index.again().done == 1
    assert index.status(product) == ("synced", 2)
    assert len(index.bought()) == len(set(index.bought())) == 2 and index.db.run(credits_used) == (2, 2)


@pytest.mark.parametrize("fault", ["503", "429", "body-500", "reset"])
def test_an_insert_that_was_not_carried_out_is_sent_again_after_a_look(index: Index, fault: str) -> None:
    product = index.add("red", "green")
    index.sandbox.control(next_faults={"ximilar.insert": [fault]})
    assert index.run().later == {"ximilar_down": 1}
    assert index.again().done == 1
    assert index.status(product) == ("synced", 2) and index.billed() == 2
    assert index.sandbox.log("ximilar.get"), "nobody looked before sending again"


@pytest.mark.parametrize("kind", ["get", "update", "delete"])
def test_what_costs_nothing_is_repeated_at_once(index: Index, kind: str) -> None:
    product = index.add("red", "green")
    index.sandbox.control(next_faults={"ximilar.insert": ["lost"] if kind == "get" else []})
    index.run()
    if kind == "update":
        index.set(product, price="1.00")
    elif kind == "delete":
        index.set(product, active=False)
    index.sandbox.control(next_faults={f"ximilar.{kind}": ["503", "lost", "not-json"]})
    assert index.again().done == 1
    assert len(index.sandbox.log(f"ximilar.{kind}")) == 4


def test_a_photo_that_ximilar_can_not_read_is_given_up_and_takes_no_other_with_it(index: Index) -> None:
    bad, good = index.add("red"), index.add("green")
    index.store.put(f"originals/zara/{bad}/1.jpg", b"no image", "image/jpeg")
    report = index.run()
    assert report.later == {"photo_rejected": 1} and report.done == 1
    assert index.status(good) == ("partial", 1)
    index.again()
    assert index.again().given_up == {"photo_rejected": 1}
    assert index.status(bad) == ("error", 0)
    assert (due_row(index.db, bad, "ximilar_index") or {})["detail"]


def test_a_photo_whose_object_is_missing_is_its_own_fault(index: Index) -> None:
    bad = index.add("red")
    index.store.delete([f"originals/zara/{bad}/1.jpg"])
    assert index.run().later == {"photo_rejected": 1}
    assert index.billed() == 0


def test_at_the_budget_it_hands_back_and_says_so(index: Index) -> None:
    for _ in range(12):
        index.add("red", "green")
    index.budget = 15
    report = index.run()
    assert "XIMILAR_MONTHLY_CREDITS" in report.note and report.later == {}
    assert report.done == 12 - report.still_due and index.billed() == 15, "the budget was not used up, or passed"
    index.budget = 100
    assert index.run().done == report.still_due and index.billed() == 24
    assert len(index.bought()) == len(set(index.bought()))


def test_a_full_collection_hands_back_and_goes_on_when_there_is_room(index: Index) -> None:
    index.sandbox.control(ximilar={"size": 5})
    for _ in range(4):
        index.add("red", "green")
    report = index.run()
    assert "full" in report.note and len(index.collection()) == 5 and report.later == {}
    assert index.db.run(credits_used) == (5, 5)
    index.sandbox.control(ximilar={"size": 100})
    index.run()
    assert len(index.collection()) == 8 and index.billed() == 8
    assert index.run().note == ""


def test_a_revoked_token_stops_with_what_to_set_and_touches_nothing(index: Index) -> None:
    product = index.add("red")
    index.sandbox.control(ximilar={"token": "another"})
    with pytest.raises(StageStopped, match="check XIMILAR_API_TOKEN") as stopped:
        index.run()
    assert "sandbox-ximilar-token" not in str(stopped.value)
    row = due_row(index.db, product, "ximilar_index")
    assert row and row["due"] and row["attempts"] == 0 and row["lease_token"] is None
    index.sandbox.control(ximilar={"token": "sandbox-ximilar-token"})
    assert index.run().done == 1 and index.billed() == 1


@pytest.mark.parametrize("prefix", ["/similarity/photos/v2/", "/similarity/nonsense/v2/", "/elsewhere/"])
def test_a_wrong_prefix_stops_with_what_to_set_and_changes_nothing(index: Index, prefix: str) -> None:
    product = index.add("red")
    index.run()
    index.set(product, active=False)
    right, index.api = (
        index.api,
        Ximilar(index.sandbox.url, prefix, "sandbox-ximilar-token", COLLECTION, LocalPace(1_000)),
    )
    with pytest.raises(StageStopped, match="XIMILAR_PREFIX"):
        index.run()
    index.api = right
    assert len(index.collection()) == 1 and is_due(index.db, product, "ximilar_index")


def test_ximilar_that_stays_away_stops_the_stage(index: Index) -> None:
    for _ in range(60):
        index.add("red")
    index.sandbox.control(faults="ximilar.insert:503=1")
    with pytest.raises(StageStopped, match="503.* times in a row"):
        index.run()
    index.sandbox.control(faults="")
    execute(index.db, "UPDATE due_work SET due_at = unde_now() WHERE due_at IS NOT NULL")
    assert index.run().done == 60 and index.billed() == 60


def test_many_processes_keep_one_rate_together(index: Index, db: Database) -> None:
    paces = [SharedPace(db, 20) for _ in range(4)]
    turns: list[float] = []

    def call(pace: SharedPace) -> None:
        for _ in range(5):
            pace.wait()
            turns.append(time.monotonic())

    threads = [threading.Thread(target=call, args=(pace,)) for pace in paces]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    turns.sort()
    assert len(turns) == 20 and turns[-1] - turns[0] >= 19 / 20 - 0.05, "more than 20 a second"
    paces[0].hold(30)
    assert 10 < db.run(host_pace.next_slot, "ximilar", 0.05).wait <= 30
    execute(db, "UPDATE host_pace SET next_at = clock_timestamp() + interval '2 days'")
    assert db.run(host_pace.next_slot, "ximilar", 0.05).wait < 1, "a clock that was turned back stops all for days"


def test_force_looks_at_everything_and_buys_nothing_again(index: Index) -> None:
    index.add("red", "green")
    index.run()
    assert index.run(force=True).done == 1
    assert index.billed() == 2
