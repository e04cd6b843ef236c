"""User media end to end: a real NATS server, the sandbox's Bot API, PostgreSQL, and the service as a process."""

import json

from unde_catalog.services.user_media.subjects import BATCH_RESULT, ERROR, INFERENCE, INFERENCE_RESULT, TRAIN
from unde_catalog_tests.support.due import execute
from unde_catalog_tests.support.user_media_service import (
    READY,
    Media,
    dead_letters,
    expected_photos,
    published,
    send,
    single,
    train,
    wait_for_results,
)


def test_requests_get_results_errors_or_become_dead_letters(media: Media, db):
    url = media.nats.url
    marked = train("A1", "A2", "not/an/id", user=1)
    marked["photos"][1] |= {"status": "error", "reason": "NO_FACE"}
    with media.service() as service:
        service.wait_for(READY)
        assert service.page("/health") == (200, json.dumps({"taking": True, "nats": f"127.0.0.1:{media.nats.port}"}))
        send(url, TRAIN, marked, headers={"correlation_id": "theirs"})
        send(url, INFERENCE, single("C1", user=2), single("C2", user=3, photo={"file_id": "C2", "s3_key": "me.jpg"}))
        send(
            url, INFERENCE, single("not/an/id", user=4), single("C3", user=5, photo={"file_id": "C3", "s3_key": "../x"})
        )
        send(url, TRAIN, train("A9", user=6, header="delete"), b"\x00not json", train("A9", user=7, version=2))
        send(url, TRAIN, train("A7", user=8), headers={"Nats-Msg-Id": "once"})
        send(url, TRAIN, train("A7", user=8), headers={"Nats-Msg-Id": "once"})
        results = wait_for_results(url, 8)
        for _ in range(9):  # one request has no known sender, so no result
            service.wait_for('"seconds":')
        metrics = service.page("/metrics")[1]
        assert service.end() == 0
        log = service.rest()

    batches = sorted(published(url, BATCH_RESULT), key=lambda one: one.json["user_id"])
    batch, singles = batches[0], published(url, INFERENCE_RESULT)
    assert batch.json["message"] == "Batch processing completed: 1/3 files successful"
    assert (batch.json["batch_id"], batch.json["user_id"]) == ("batch_xyz789", 1)
    assert [(one["file_id"], one["error_code"], one["reason"]) for one in batch.json["failed_uploads"]] == [
        ("A2", None, "NO_FACE"), ("not/an/id", "UNEXPECTED_ERROR", None),
    ]  # fmt: skip
    assert (batch.headers["Unde-Priority"], batch.headers["correlation_id"]) == ("5", "theirs")
    assert [one.json["user_id"] for one in batches] == [1, 8]  # the stream dropped the duplicate
    assert sorted(one.json["user_id"] for one in singles) == [2, 3]
    assert {one.json["upload_result"]["s3_key"] for one in singles if one.json["user_id"] == 3} == {
        "uploads/inf/12345/3/a/me.jpg"
    }
    assert media.photos() == expected_photos([*batches, *singles])

    errors = {one.json["user_id"]: one.json for one in published(url, ERROR)}
    assert {user: one["error_code"] for user, one in errors.items()} == {
        4: "INFERENCE_PROCESSING_ERROR", 5: "INFERENCE_PROCESSING_ERROR", 6: "UNEXPECTED_ERROR", 7: "UNEXPECTED_ERROR",
    }  # fmt: skip
    assert len(results) == 8
    dead = dead_letters(url)
    assert [one.body for one in dead if b"not json" in one.body] == [b"\x00not json"]
    assert sorted(one.headers["Unde-Reason"][:24] for one in dead) == [
        "the header must be 'trai", "the message does not mat", "the message is not valid",
    ]  # fmt: skip
    assert media.unacknowledged() == 0

    states = execute(db, "SELECT state, count(*) AS n FROM user_media_requests GROUP BY state ORDER BY state")
    assert {row["state"]: row["n"] for row in states} == {"answered": 4, "dead": 3, "failed": 2}
    assert 'user_media_batch_files_total{outcome="failed"} 4.0' in metrics
    assert 'user_media_singles_total{outcome="stored"} 2.0' in metrics
    assert "user_media_dead_letters_total 3.0" in metrics
    lines = [json.loads(line) for line in log.splitlines()]
    assert {"avatar_abc123", "a"} <= {line.get("avatar_id") for line in lines}
    assert {3, 1} <= {line.get("batch_size") for line in lines}
    token = media.environment["TELEGRAM_BOT_TOKEN"]
    assert token not in log and not any(token.encode() in one.body for one in [*results, *dead])
