"""Webhooks: accepted once each, with a valid and recent signature, and what they make due."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from unde_catalog.settings.environment import SettingsError
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.due_work import work_queue
from unde_catalog.stores.staging.due_work.work_queue import LeaseOutcome
from unde_catalog_tests.support.catalogue_client import WEBHOOK, announce, problem, signature
from unde_catalog_tests.support.due import BRAND, STAGE, add_products, due_row, execute, is_due
from unde_catalog_tests.support.search_api import Api, OpenApi

SHARED, ROTATED, OWN = "the-secret-of-all-brands", "the-next-secret-of-all", "the-secret-of-oysho-only"
OYSHO = "/api/v1/webhooks/products/oysho"
TWO = {"external_ids": ["1", "2"], "event": "changed"}


@pytest.fixture
def api(open_api: OpenApi) -> Api:
    return open_api(WEBHOOK_SECRET=f"{SHARED}, {ROTATED}", OYSHO_WEBHOOK_SECRET=OWN)


def settle(db: Database) -> None:
    """Finish everything that is due."""
    leases = db.run(work_queue.take, STAGE, BRAND, 100, timedelta(minutes=10))
    db.run(work_queue.finish, STAGE, [LeaseOutcome(lease, "done") for lease in leases])


def deliveries(db: Database) -> list[dict[str, Any]]:
    return execute(db, "SELECT * FROM webhook_deliveries ORDER BY received_at")


def test_announced_products_are_due_and_unknown_ones_are_listed(api: Api) -> None:
    db = api.backends.db
    first, second, third, gone = add_products(db, 4)
    settle(db)
    execute(db, "UPDATE raw_products SET image_status = 'error', error_message = 'no photo' WHERE id = %s", second)
    execute(db, "UPDATE raw_products SET active = false WHERE id = %s", gone)
    unknown = [f"x{n}" for n in range(30)]
    body = {"external_ids": ["2", "1", "1", "4", *unknown], "event": "changed"}
    response = announce(api, body, SHARED, headers={"X-Unde-Delivery": "of-today-7"})
    assert response.status_code == 200, response.text
    assert response.json() == {
        "repeated": False, "known": 3, "due": 2, "unknown": 30, "unknown_ids": unknown[:20],
    }  # fmt: skip
    assert [is_due(db, product) for product in (first, second, third, gone)] == [True, True, False, False]
    row = due_row(db, first)
    assert row is not None and row["forced_at"] is not None  # photos with unchanged URLs are checked too
    (status,) = execute(db, "SELECT image_status FROM raw_products WHERE id = %s", second)
    assert status == {"image_status": "pending"}
    (delivery,) = deliveries(db)
    assert (delivery["brand"], delivery["delivery"], delivery["known"]) == ("zara", "of-today-7", 3)


def test_a_repeated_delivery_has_no_effect_on_any_endpoint(api: Api) -> None:
    db = api.backends.db
    products = add_products(db, 2)
    add_products(db, 2, brand="bershka")
    settle(db)
    timestamp = announce(api, TWO, SHARED).request.headers["X-Unde-Timestamp"]
    settle(db)
    before = execute(db, "SELECT * FROM due_work ORDER BY product_id, stage")
    valid = signature(SHARED, timestamp, json.dumps(TWO).encode())
    again = {"X-Unde-Timestamp": timestamp, "X-Unde-Signature": valid}
    for path, headers in (
        (WEBHOOK, {}), (WEBHOOK, {"X-Unde-Delivery": "another"}), ("/api/v1/webhooks/products/bershka", {}),
        (WEBHOOK, {"X-Unde-Signature": f"v1={'0' * 64}, {valid}"}),
    ):  # fmt: skip
        response = announce(api, TWO, SHARED, path, headers={**again, **headers})
        assert (response.status_code, response.json()["repeated"], response.json()["due"]) == (200, True, 2)
    assert execute(db, "SELECT * FROM due_work ORDER BY product_id, stage") == before
    assert announce(api, TWO, SHARED, age=5).json()["repeated"] is False  # another timestamp: another delivery
    assert all(is_due(db, product) for product in products)


def test_concurrent_copies_of_a_delivery_count_once(api: Api) -> None:
    db = api.backends.db
    (product, _) = add_products(db, 2)
    settle(db)
    before = due_row(db, product)
    data, timestamp = json.dumps(TWO).encode(), str(int(time.time()))
    signed = {"X-Unde-Timestamp": timestamp, "X-Unde-Signature": signature(SHARED, timestamp, data)}
    with ThreadPoolExecutor(4) as pool:
        responses = list(pool.map(lambda _: announce(api, data, SHARED, headers=signed).json(), range(8)))
    assert sorted(response["repeated"] for response in responses) == [False] + [True] * 7
    assert {(response["known"], response["due"], response["unknown"]) for response in responses} == {(2, 2, 0)}
    after = due_row(db, product)
    assert before is not None and after is not None
    assert after["wanted"] == before["wanted"] + 1
    assert len(deliveries(db)) == 1


def test_secrets_can_be_rotated_and_set_per_brand(api: Api) -> None:
    assert announce(api, TWO, ROTATED).status_code == 200
    assert announce(api, TWO, OWN, OYSHO).status_code == 200
    assert len(deliveries(api.backends.db)) == 2


INVALID: list[tuple[dict[str, Any], str]] = [
    ({"secret": "not-the-secret-of-any"}, "bad_signature"),
    ({"secret": OWN}, "bad_signature"),
    ({"secret": SHARED, "path": OYSHO}, "bad_signature"),
    ({"secret": SHARED, "age": 4_000}, "old_timestamp"),
    ({"secret": SHARED, "age": -4_000}, "old_timestamp"),
    ({"secret": SHARED, "headers": {"X-Unde-Timestamp": "1"}}, "old_timestamp"),
    ({"secret": SHARED, "headers": {"X-Unde-Timestamp": "now"}}, "bad_timestamp"),
    ({"secret": SHARED, "headers": {"X-Unde-Timestamp": "-5"}}, "bad_timestamp"),
    ({"secret": SHARED, "headers": {"X-Unde-Timestamp": "9" * 400}}, "bad_timestamp"),
    ({"secret": SHARED, "headers": {"X-Unde-Timestamp": ""}}, "bad_timestamp"),
    ({"secret": SHARED, "headers": {"X-Unde-Signature": ""}}, "bad_signature"),
    ({"secret": SHARED, "headers": {"X-Unde-Signature": "v1="}}, "bad_signature"),
    ({"secret": SHARED, "headers": {"X-Unde-Signature": "v0=" + "0" * 64}}, "bad_signature"),
    ({"secret": SHARED, "headers": {"X-Unde-Signature": ",".join(["v1=" + "0" * 64] * 500)}}, "bad_signature"),
]


def test_invalid_or_old_signatures_are_rejected(api: Api) -> None:
    for options, code in INVALID:
        response = announce(api, TWO, **options)
        assert problem(response) == (401, code), options
        assert SHARED not in response.text
    assert problem(api.post(WEBHOOK, json=TWO)) == (401, "not_signed")
    now = str(int(time.time()))
    signed = {"X-Unde-Timestamp": now, "X-Unde-Signature": signature(SHARED, now, json.dumps(TWO).encode())}
    changed = {**TWO, "external_ids": ["3"]}
    assert problem(announce(api, changed, SHARED, headers=signed)) == (401, "bad_signature")
    assert deliveries(api.backends.db) == []
    assert not any(SHARED in line or ROTATED in line for line in api.lines)


def test_an_invalid_announcement_is_rejected_and_makes_nothing_due(api: Api) -> None:
    (product, _) = add_products(api.backends.db, 2)
    settle(api.backends.db)
    bodies: list[Any] = [
        b"", b"{", b"\xff", None, [], {}, {"external_ids": ["1"]}, {**TWO, "event": "deleted"}, {**TWO, "more": 1},
        {**TWO, "external_ids": []}, {**TWO, "external_ids": "1"}, {**TWO, "external_ids": [1]},
        {**TWO, "external_ids": [None]}, {**TWO, "external_ids": ["x" * 101]}, {**TWO, "external_ids": [""]},
        {**TWO, "external_ids": [str(n) for n in range(1_001)]}, b"[" * 100_000,
    ]  # fmt: skip
    for body in bodies:
        assert problem(announce(api, body, SHARED)) == (422, "invalid_request"), body
    assert problem(announce(api, b" " * 1_000_001, SHARED)) == (413, "too_large")
    assert not is_due(api.backends.db, product)
    assert deliveries(api.backends.db) == []
    odd = {**TWO, "external_ids": ["1", "\x00", "a\x00", "x' OR true --"]}
    assert announce(api, odd, SHARED).json()["unknown"] == 3


def test_webhooks_are_rejected_without_a_secret(open_api: OpenApi) -> None:
    api = open_api(OYSHO_WEBHOOK_SECRET=OWN, SEARCH_NEEDS_KEY="true")
    assert problem(announce(api, TWO, "")) == (503, "webhooks_not_configured")
    assert problem(announce(api, TWO, OWN, "/api/v1/webhooks/products/nobody")) == (404, "unknown_brand")
    assert announce(api, TWO, OWN, OYSHO).status_code == 200  # a signature replaces the API key


def test_a_short_secret_is_rejected(open_api: OpenApi) -> None:
    with pytest.raises(SettingsError, match="WEBHOOK_SECRET: expected a secret of 16 characters") as error:
        open_api(WEBHOOK_SECRET=f"{SHARED},short")
    assert SHARED not in str(error.value)
