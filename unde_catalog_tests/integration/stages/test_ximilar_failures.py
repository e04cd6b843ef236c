"""The ximilar_index stage when Ximilar fails: lost responses, faults, rejected photos, wrong settings."""

import pytest

from unde_catalog.stages.ximilar_index.client import LocalPace, Ximilar
from unde_catalog.stores.staging.index.ximilar_rows import credits_used
from unde_catalog.worker.handler import StageStopped
from unde_catalog_tests.support.due import due_row, execute, is_due
from unde_catalog_tests.support.ximilar_index import COLLECTION, XimilarIndex


def test_a_deleted_record_is_restored_with_the_next_change(index: XimilarIndex) -> None:
    product = index.add("red")
    index.run()
    index.sandbox.control(ximilar={"remove": list(index.collection())})
    index.set(product, price="1.00")
    index.run()
    assert [record["price"] for record in index.collection().values()] == ["1.00"]


@pytest.mark.parametrize("fault", ["lost", "500-after", "timeout-after", "not-json", "wrong-types", "body-500-after"])
def test_an_insert_whose_response_was_lost_is_not_sent_again(
    index: XimilarIndex, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setattr("unde_catalog.stages.ximilar_index.client._SECONDS", (1, 1))
    product = index.add("red", "green")
    index.sandbox.control(next_faults={"ximilar.insert": [fault]})
    assert index.run().later == {"ximilar_down": 1}
    assert index.status(product) == ("pending", 0)
    assert index.retry().done == 1
    assert index.status(product) == ("synced", 2)
    assert len(index.sent_records()) == len(set(index.sent_records())) == 2 and index.db.run(credits_used) == (2, 2)


@pytest.mark.parametrize("fault", ["503", "429", "body-500", "reset"])
def test_an_insert_that_was_not_executed_is_sent_again_after_a_check(index: XimilarIndex, fault: str) -> None:
    product = index.add("red", "green")
    index.sandbox.control(next_faults={"ximilar.insert": [fault]})
    assert index.run().later == {"ximilar_down": 1}
    assert index.retry().done == 1
    assert index.status(product) == ("synced", 2) and index.billed() == 2
    assert index.sandbox.log("ximilar.get"), "the insert was repeated without a check"


@pytest.mark.parametrize("kind", ["get", "update", "delete"])
def test_free_requests_are_retried_at_once(index: XimilarIndex, kind: str) -> None:
    product = index.add("red", "green")
    index.sandbox.control(next_faults={"ximilar.insert": ["lost"] if kind == "get" else []})
    index.run()
    if kind == "update":
        index.set(product, price="1.00")
    elif kind == "delete":
        index.set(product, active=False)
    index.sandbox.control(next_faults={f"ximilar.{kind}": ["503", "lost", "not-json"]})
    assert index.retry().done == 1
    assert len(index.sandbox.log(f"ximilar.{kind}")) == 4


def test_a_photo_that_ximilar_rejects_fails_only_its_product(index: XimilarIndex) -> None:
    bad, good = index.add("red"), index.add("green")
    index.store.put(f"originals/zara/{bad}/1.jpg", b"no image", "image/jpeg")
    report = index.run()
    assert report.later == {"photo_rejected": 1} and report.done == 1
    assert index.status(good) == ("partial", 1)
    index.retry()
    assert index.retry().given_up == {"photo_rejected": 1}
    assert index.status(bad) == ("error", 0)
    assert (due_row(index.db, bad, "ximilar_index") or {})["detail"]
    query = "SELECT error_message FROM raw_products WHERE id = %s"
    assert execute(index.db, query, bad)[0]["error_message"].startswith("photo_rejected: ")
    index.set_photos(bad, "red")
    index.run()
    assert index.status(bad) == ("partial", 1)
    assert execute(index.db, query, bad)[0]["error_message"] is None


def test_a_missing_object_fails_only_its_product(index: XimilarIndex) -> None:
    bad = index.add("red")
    index.store.delete([f"originals/zara/{bad}/1.jpg"])
    assert index.run().later == {"photo_rejected": 1}
    assert index.billed() == 0


def test_a_revoked_token_stops_the_stage_with_advice(index: XimilarIndex) -> None:
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
def test_a_wrong_prefix_stops_the_stage_with_advice(index: XimilarIndex, prefix: str) -> None:
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


def test_an_unavailable_ximilar_stops_the_stage(index: XimilarIndex) -> None:
    for _ in range(60):
        index.add("red")
    index.sandbox.control(faults="ximilar.insert:503=1")
    with pytest.raises(StageStopped, match="503.* times in a row"):
        index.run()
    index.sandbox.control(faults="")
    execute(index.db, "UPDATE due_work SET due_at = unde_now() WHERE due_at IS NOT NULL")
    assert index.run().done == 60 and index.billed() == 60
