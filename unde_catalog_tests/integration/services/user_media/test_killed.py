"""The service for people's photos, killed at every step: what it had in hand is answered all the same, and once."""

from unde_catalog.services.user_media.subjects import BATCH_RESULT, TRAIN
from unde_catalog_tests.support.due import execute
from unde_catalog_tests.support.user_media_service import TAKING, Media, answers, hashes, said, send, train
from unde_catalog_tests.support.user_media_worker import STEPS

_NEVER = "3600"  # seconds of silence before others get a request


def test_killed_at_any_step_it_loses_nothing_and_stores_and_answers_nothing_twice(media: Media, db):
    steps, url = list(STEPS), media.nats.url
    with media.service(
        "--ack-wait", _NEVER, program=("-m", "unde_catalog_tests.support.user_media_worker")
    ) as services:
        for n in range(len(steps)):
            services.wait_for(TAKING)
            send(url, TRAIN, train(f"A{n}", f"B{n}", user=n))
        assert services.process.wait(60) == 0
    kept, asked = said(url, BATCH_RESULT), media.asked()
    assert len(kept) == len(steps) - steps.index("after the answer is published")

    # The consumer is brought to a shorter wait, and what nobody speaks for comes at once.
    with media.service("--ack-wait", "1") as service:
        service.wait_for("brought the consumer photo_upload_train up to date")
        for _ in steps[:-1]:  # the last one was acknowledged
            service.wait_for('"message": "answered')
        assert service.end() == 0

    found = answers(url, len(steps), BATCH_RESULT)
    assert found[: len(kept)] == kept  # word for word, and no second one
    by_user = {one.json["user_id"]: one for one in found}
    assert len(found) == len(by_user) == len(steps)
    assert all(one.json["successful_files"] == 2 for one in found)
    rows = execute(db, "SELECT user_id, answer, state FROM user_media_requests")
    assert {row["user_id"]: bytes(row["answer"]) for row in rows} == {n: one.body for n, one in by_user.items()}
    assert media.photos() == hashes(found)
    photos = execute(db, "SELECT key, sha256 FROM user_media_photos")
    assert {row["key"]: row["sha256"] for row in photos} == media.photos()
    assert len(photos) == 2 * len(steps)
    assert media.left() == 0
    # Whatever had its row was not fetched again.
    for n in range(steps.index("before the answer is written down"), len(steps)):
        assert media.asked()[f"A{n}"] == media.asked()[f"B{n}"] == asked[f"A{n}"] == 1
