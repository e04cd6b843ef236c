"""Dead letters: their headers, and bodies that leave no room for headers."""

from datetime import UTC, datetime

from unde_catalog.services.user_media import dead_letters
from unde_catalog.stores.staging.user_media.media_requests import RequestKey

KEY = RequestKey("PHOTO_REQUESTS", 7, datetime(2026, 11, 1, 12, 0, 0, 123456, tzinfo=UTC))


def test_a_dead_letter_names_origin_and_reason_without_server_headers():
    headers = {"Nats-Msg-Id": "theirs", "Nats-TTL": "1", "name": "Zoë\r\nNats-Rollup: all"}
    body, copied = dead_letters.copy(KEY, "photo_upload_train", b"{}", headers, "no shape:\n ü", 1_048_576)
    assert body == b"{}"
    assert copied == {
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


def test_a_dead_letter_never_exceeds_the_servers_limit():
    headers = {f"h{n}": "x" * 500 for n in range(100)}
    body, copied = dead_letters.copy(KEY, "photo_upload_train", b"x" * 65_536, headers, "y" * 10_000, 65_536)
    assert copied["Unde-Cut"] == "from 65536 bytes"
    assert len(body) + sum(len(name) + len(value) + 4 for name, value in copied.items()) < 65_536


def test_each_request_has_its_own_stable_message_id():
    other = RequestKey("PHOTO_REQUESTS", 7, datetime(2026, 11, 2, tzinfo=UTC))
    assert dead_letters.message_id(KEY) == dead_letters.message_id(KEY) != dead_letters.message_id(other)
