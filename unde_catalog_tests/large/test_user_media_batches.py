"""A thousand batches in a row, while services are killed and NATS is cut off like by a power cut: `make test-large`."""

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from unde_catalog.services.user_media.subjects import BATCH_RESULT, TRAIN
from unde_catalog.stores.db.database import Database
from unde_catalog_tests.support.due import execute, poll
from unde_catalog_tests.support.nats_servers import running_nats
from unde_catalog_tests.support.servers import Sandbox
from unde_catalog_tests.support.user_media_service import (
    READY,
    Media,
    dead_letters,
    expected_photos,
    send,
    train,
    wait_for_results,
)

BATCHES = 1_000
KILLS = 8  # services, one after the other
PATIENCE = 600


@pytest.fixture
def media(sandbox: Sandbox, configured: Callable[..., dict[str, str]], tmp_path: Path) -> Iterator[Media]:
    with running_nats(tmp_path / "nats") as nats:
        yield Media(nats, sandbox, {**configured(sandbox), "NATS_URL": nats.url})


def test_a_thousand_batches_get_one_result_each_despite_kills(media: Media, db: Database):
    url = media.nats.url
    with ExitStack() as stack:

        def begin() -> None:
            services.append(stack.enter_context(media.service("--ack-wait", "3")))
            services[-1].wait_for(READY)

        services = []
        begin()
        send(url, TRAIN, *(train(f"A{n % 40}", f"B{n % 40}", user=n) for n in range(BATCHES)))
        begin()
        for kill in range(1, KILLS + 1):
            count = kill * BATCHES // (KILLS + 2)
            poll(db.url, f"SELECT count(*) >= {count} FROM user_media_requests WHERE state = 'answered'", PATIENCE)
            os.killpg(services[-2].process.pid, signal.SIGKILL)
            if kill == KILLS // 2:
                media.nats.stop(kill=True)
                media.nats.start()
            begin()
        poll(db.url, f"SELECT count(*) = {BATCHES} FROM user_media_requests WHERE state = 'answered'", PATIENCE)
        found = wait_for_results(url, BATCHES, BATCH_RESULT)
        assert [one.end() for one in services[-2:]] == [0, 0]

    assert {one.json["user_id"] for one in found} == set(range(BATCHES)) and len(found) == BATCHES
    assert Counter(one.json["successful_files"] for one in found) == {2: BATCHES}
    rows = execute(db, "SELECT user_id, answer FROM user_media_requests")
    assert {row["user_id"]: bytes(row["answer"]) for row in rows} == {one.json["user_id"]: one.body for one in found}
    assert media.photos() == expected_photos(found) and len(media.photos()) == 2 * BATCHES
    assert (media.unacknowledged(), dead_letters(url)) == (0, [])
