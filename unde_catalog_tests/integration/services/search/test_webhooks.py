"""Webhooks of sources: taken only with a signature that fits and is of now, once each, and what they make due."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from unde_catalog.settings.environment import SettingsError
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.due_work import leases as due_work
from unde_catalog.stores.staging.due_work.leases import LeaseOutcome
from unde_catalog_tests.support.catalogue_client import WEBHOOK, announce, problem, signature
from unde_catalog_tests.support.due import BRAND, STAGE, add_products, due_row, execute, is_due
from unde_catalog_tests.support.served_api import Api, OpenApi

GENERAL, LATER, OWN = "the-secret-of-all-brands", "the-later-secret-of-all", "the-secret-of-oysho-alone"
OYSHO = "/api/v1/webhooks/products/oysho"
TWO = {"external_ids": ["1", "2"], "event": "changed"}


@pytest.fixture
def api(open_api: OpenApi) -> Api:
    return open_api(WEBHOOK_SECRET=f"{GENERAL}, {LATER}", OYSHO_WEBHOOK_SECRET=OWN)


def settle(db: Database) -> None:
    """Nothing is due any more."""
    leases = db.run(due_work.take, STAGE, BRAND, 100, timedelta(minutes=10))
    db.run(due_work.finish, STAGE, [LeaseOutcome(lease, "done") for lease in leases])


def deliveries(db: Database) -> list[dict[str, Any]]:
    return execute(db, "SELECT * FROM webhook_deliveries ORDER BY received_at")


def test_announced_products_are_due_for_their_photos_and_unknown_ones_named(api: Api) -> None:
    db = api.place.db
    first, second, third, gone = add_products(db, 4)
    settle(db)
    execute(db, "UPDATE raw_products SET image_status = 'error', error_message = 'no photo' WHERE id = %s", second)
    execute(db, "UPDATE raw_products SET active = false WHERE id = %s", gone)
    unknown = [f"x{n}" for n in range(30)]
    body = {"external_ids": ["2", "1", "1", "4", *unknown], "event": "changed"}
    answer = announce(api, body, GENERAL, headers={"X-Unde-Delivery": "of-today-7"})
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "repeated": False, "known": 3, "due": 2, "unknown": 30, "unknown_ids": unknown[:20],
    }  # fmt: skip
    assert [is_due(db, product) for product in (first, second, third, gone)] == [True, True, False, False]
    row = due_row(db, first)
    assert row is not None and row["forced_at"] is not None  # also photos whose addresses are the same are looked at
    (status,) = execute(db, "SELECT image_status FROM raw_products WHERE id = %s", second)
    assert status == {"image_status": "pending"}
    (kept,) = deliveries(db)
    assert (kept["brand"], kept["delivery"], kept["known"]) == ("zara", "of-today-7", 3)


def test_a_delivery_counts_once_however_often_and_wherever_it_comes(api: Api) -> None:
    db = api.place.db
    products = add_products(db, 2)
    add_products(db, 2, brand="bershka")
    settle(db)
    moment = announce(api, TWO, GENERAL).request.headers["X-Unde-Timestamp"]
    settle(db)
    before = execute(db, "SELECT * FROM due_work ORDER BY product_id, stage")
    fits = signature(GENERAL, moment, json.dumps(TWO).encode())
    again = {"X-Unde-Timestamp": moment, "X-Unde-Signature": fits}
    for path, more in (
        (WEBHOOK, {}), (WEBHOOK, {"X-Unde-Delivery": "another"}), ("/api/v1/webhooks/products/bershka", {}),
        (WEBHOOK, {"X-Unde-Signature": f"v1={'0' * 64}, {fits}"}),
    ):  # fmt: skip
        answer = announce(api, TWO, GENERAL, path, headers={**again, **more})
        assert (answer.status_code, answer.json()["repeated"], answer.json()["due"]) == (200, True, 2)
    assert execute(db, "SELECT * FROM due_work ORDER BY product_id, stage") == before
    assert announce(api, TWO, GENERAL, age=5).json()["repeated"] is False  # signed at another time: another delivery
    assert all(is_due(db, product) for product in products)


def test_of_many_at_once_one_makes_due_and_the_others_repeat_it(api: Api) -> None:
    db = api.place.db
    (product, _) = add_products(db, 2)
    settle(db)
    before = due_row(db, product)
    data, moment = json.dumps(TWO).encode(), str(int(time.time()))
    signed = {"X-Unde-Timestamp": moment, "X-Unde-Signature": signature(GENERAL, moment, data)}
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: announce(api, data, GENERAL, headers=signed).json(), range(8)))
    assert sorted(one["repeated"] for one in answers) == [False] + [True] * 7
    assert {(one["known"], one["due"], one["unknown"]) for one in answers} == {(2, 2, 0)}
    after = due_row(db, product)
    assert before is not None and after is not None
    assert after["wanted"] == before["wanted"] + 1
    assert len(deliveries(db)) == 1


def test_while_a_secret_is_changed_both_hold_and_a_brand_may_have_its_own(api: Api) -> None:
    assert announce(api, TWO, LATER).status_code == 200
    assert announce(api, TWO, OWN, OYSHO).status_code == 200
    assert len(deliveries(api.place.db)) == 2


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"secret": "not-the-secret-of-any"}, "bad_signature"),
    ({"secret": OWN}, "bad_signature"),
    ({"secret": GENERAL, "path": OYSHO}, "bad_signature"),
    ({"secret": GENERAL, "age": 4_000}, "old_timestamp"),
    ({"secret": GENERAL, "age": -4_000}, "old_timestamp"),
    ({"secret": GENERAL, "headers": {"X-Unde-Timestamp": "1"}}, "old_timestamp"),
    ({"secret": GENERAL, "headers": {"X-Unde-Timestamp": "now"}}, "bad_timestamp"),
    ({"secret": GENERAL, "headers": {"X-Unde-Timestamp": "-5"}}, "bad_timestamp"),
    ({"secret": GENERAL, "headers": {"X-Unde-Timestamp": "9" * 400}}, "bad_timestamp"),
    ({"secret": GENERAL, "headers": {"X-Unde-Timestamp": ""}}, "bad_timestamp"),
    ({"secret": GENERAL, "headers": {"X-Unde-Signature": ""}}, "bad_signature"),
    ({"secret": GENERAL, "headers": {"X-Unde-Signature": "v1="}}, "bad_signature"),
    ({"secret": GENERAL, "headers": {"X-Unde-Signature": "v0=" + "0" * 64}}, "bad_signature"),
    ({"secret": GENERAL, "headers": {"X-Unde-Signature": ",".join(["v1=" + "0" * 64] * 500)}}, "bad_signature"),
]


def test_what_the_source_did_not_sign_or_not_now_is_refused(api: Api) -> None:
    for options, code in WRONG:
        answer = announce(api, TWO, **options)
        assert problem(answer) == (401, code), options
        assert GENERAL not in answer.text
    assert problem(api.post(WEBHOOK, json=TWO)) == (401, "not_signed")
    now = str(int(time.time()))
    signed = {"X-Unde-Timestamp": now, "X-Unde-Signature": signature(GENERAL, now, json.dumps(TWO).encode())}
    changed = {**TWO, "external_ids": ["3"]}
    assert problem(announce(api, changed, GENERAL, headers=signed)) == (401, "bad_signature")
    assert deliveries(api.place.db) == []
    assert not any(GENERAL in line or LATER in line for line in api.lines)


def test_a_body_that_is_no_announcement_is_refused_and_nothing_is_due(api: Api) -> None:
    (product, _) = add_products(api.place.db, 2)
    settle(api.place.db)
    bodies: list[Any] = [
        b"", b"{", b"\xff", None, [], {}, {"external_ids": ["1"]}, {**TWO, "event": "deleted"}, {**TWO, "more": 1},
        {**TWO, "external_ids": []}, {**TWO, "external_ids": "1"}, {**TWO, "external_ids": [1]},
        {**TWO, "external_ids": [None]}, {**TWO, "external_ids": ["x" * 101]}, {**TWO, "external_ids": [""]},
        {**TWO, "external_ids": [str(n) for n in range(1_001)]}, b"[" * 100_000,
    ]  # fmt: skip
    for body in bodies:
        assert problem(announce(api, body, GENERAL)) == (422, "invalid_request"), body
    assert problem(announce(api, b" " * 1_000_001, GENERAL)) == (413, "too_large")
    assert not is_due(api.place.db, product)
    assert deliveries(api.place.db) == []
    odd = {**TWO, "external_ids": ["1", "\x00", "a\x00", "x' OR true --"]}
    assert announce(api, odd, GENERAL).json()["unknown"] == 3


def test_where_no_secret_is_set_no_webhook_is_taken(open_api: OpenApi) -> None:
    api = open_api(OYSHO_WEBHOOK_SECRET=OWN, SEARCH_NEEDS_KEY="true")
    assert problem(announce(api, TWO, "")) == (503, "webhooks_not_configured")
    assert problem(announce(api, TWO, OWN, "/api/v1/webhooks/products/nobody")) == (404, "unknown_brand")
    assert announce(api, TWO, OWN, OYSHO).status_code == 200  # a signature is in place of a key


def test_a_secret_that_could_be_guessed_is_refused(open_api: OpenApi) -> None:
    with pytest.raises(SettingsError, match="WEBHOOK_SECRET: wants a secret of 16 characters") as refused:
        open_api(WEBHOOK_SECRET=f"{GENERAL},short")
    assert GENERAL not in str(refused.value)
