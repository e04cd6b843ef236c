"""Copies of requests that were put aside: their headers, and bodies that leave no room for any."""

from datetime import UTC, datetime

from unde_catalog.services.user_media import dead_letters
from unde_catalog.stores.staging.user_media.requests import RequestKey

KEY = RequestKey("PHOTO_REQUESTS", 7, datetime(2026, 11, 1, 12, 0, 0, 123456, tzinfo=UTC))


def test_a_copy_tells_where_it_was_and_why_and_orders_the_server_nothing():
    headers = {"Nats-Msg-Id": "theirs", "Nats-TTL": "1", "name": "Zoë\r\nNats-Rollup: all"}
    body, told = dead_letters.copy(KEY, "photo_upload_train", b"{}", headers, "no shape:\n ü", 1_048_576)
    assert body == b"{}"
    assert told == {
        "Nats-Msg-Id": "dead.PHOTO_REQUESTS.7.1793534400123456",
        "Unde-Reason": "no shape:  \\xfc",
        "Unde-Subject": "photo_upload_train",
        "Unde-Stream": "PHOTO_REQUESTS",
        "Unde-Sequence": "7",
        "Unde-Sent-At": "2026-11-01T12:00:00.123Z",
        "Original-Nats-Msg-Id": "theirs",
        "Original-Nats-TTL": "1",
        "Original-name": "Zo\\xeb  Nats-Rollup: all",
    }


def test_a_copy_is_never_more_than_the_server_takes():
    headers = {f"h{n}": "x" * 500 for n in range(100)}
    body, told = dead_letters.copy(KEY, "photo_upload_train", b"x" * 65_536, headers, "y" * 10_000, 65_536)
    assert told["Unde-Cut"] == "from 65536 bytes"
    assert len(body) + sum(len(name) + len(value) + 4 for name, value in told.items()) < 65_536


def test_each_request_has_a_message_id_of_its_own_and_keeps_it():
    other = RequestKey("PHOTO_REQUESTS", 7, datetime(2026, 11, 2, tzinfo=UTC))
    assert dead_letters.message_id(KEY) == dead_letters.message_id(KEY) != dead_letters.message_id(other)
