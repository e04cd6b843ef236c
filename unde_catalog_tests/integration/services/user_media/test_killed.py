"""The user media service, killed at every step: each request still gets exactly one result."""

import pytest

from unde_catalog.services.user_media.subjects import BATCH_RESULT, TRAIN
from unde_catalog_tests.support.due import execute
from unde_catalog_tests.support.user_media_service import (
    READY,
    Media,
    expected_photos,
    published,
    send,
    train,
    wait_for_results,
)
from unde_catalog_tests.support.user_media_worker import STEPS

pytestmark = pytest.mark.slow

_NEVER = "3600"  # seconds without a heartbeat before redelivery


def test_a_kill_at_any_step_loses_and_duplicates_nothing(media: Media, db):
    steps, url = list(STEPS), media.nats.url
    with media.service(
        "--ack-wait", _NEVER, program=("-m", "unde_catalog_tests.support.user_media_worker")
    ) as services:
        for n in range(len(steps)):
            services.wait_for(READY)
            send(url, TRAIN, train(f"A{n}", f"B{n}", user=n))
        assert services.process.wait(60) == 0
    before, requested = published(url, BATCH_RESULT), media.requested()
    assert len(before) == len(steps) - steps.index("after the result is published")

    # Updating the consumer to a shorter ack_wait makes the server redeliver at once.
    with media.service("--ack-wait", "1") as service:
        service.wait_for("updated the consumer photo_upload_train")
        for _ in steps[:-1]:  # the last one was acknowledged
            service.wait_for('"sequence":', "answered")
        assert service.end() == 0

    results = wait_for_results(url, len(steps), BATCH_RESULT)
    assert results[: len(before)] == before  # the same bytes, and no second message
    by_user = {one.json["user_id"]: one for one in results}
    assert len(results) == len(by_user) == len(steps)
    assert all(one.json["successful_files"] == 2 for one in results)
    rows = execute(db, "SELECT user_id, answer, state FROM user_media_requests")
    assert {row["user_id"]: bytes(row["answer"]) for row in rows} == {n: one.body for n, one in by_user.items()}
    assert media.photos() == expected_photos(results)
    photos = execute(db, "SELECT key, sha256 FROM user_media_photos")
    assert {row["key"]: row["sha256"] for row in photos} == media.photos()
    assert len(photos) == 2 * len(steps)
    assert media.unacknowledged() == 0
    # Photos with a row were not fetched again.
    for n in range(steps.index("before the result is recorded"), len(steps)):
        assert media.requested()[f"A{n}"] == media.requested()[f"B{n}"] == requested[f"A{n}"] == 1
