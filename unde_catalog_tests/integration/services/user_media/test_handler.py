"""Deliveries of a request to the handler, without NATS: real rows, a real folder of photos, the sandbox's Bot API."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from unde_catalog.services.user_media.bucket import PrivateBucket
from unde_catalog.services.user_media.fetch_result import FetchedPhoto, FetchFailed
from unde_catalog.services.user_media.handler import (
    Delivery,
    HandlerLimits,
    PhotoFetcher,
    RequestHandler,
    RequestResult,
    RetryAfter,
)
from unde_catalog.services.user_media.records import Records
from unde_catalog.services.user_media.subjects import QUEUES, Queue
from unde_catalog.services.user_media.telegram import Telegram
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.objects.directory import directory_store
from unde_catalog.stores.objects.objects import StorageUnavailable
from unde_catalog.stores.staging.user_media import erasure, media_days, media_requests
from unde_catalog.stores.staging.user_media.media_requests import RequestKey, SettledRequest
from unde_catalog_tests.support.due import execute
from unde_catalog_tests.support.located_photos import pixels, place_of, private_exif
from unde_catalog_tests.support.servers import Sandbox, running_sandbox
from unde_catalog_tests.support.user_media_service import single, train
from unde_catalog_tests.unit.drawn_photos import corners, saved

BATCHES, SINGLES = QUEUES
AT = datetime(2026, 11, 1, 12, 0, 0, 123456, tzinfo=UTC)
Outcome = RequestResult | RetryAfter


class Bucket(PrivateBucket):
    """A folder bucket that calls `before` with each key before it stores the photo."""

    before: Callable[[str], object] = staticmethod(lambda key: None)

    async def put(self, key: str, data: bytes, content_type: str, metadata: Mapping[str, str]) -> None:
        await asyncio.to_thread(self.before, key)
        await super().put(key, data, content_type, metadata)


class Setup:
    """A handler with its database, folder and sandbox. `deliver` delivers one message `times` times."""

    def __init__(self, db: Database, folder: Path, sandbox: Sandbox) -> None:
        self.db, self.folder, self.sandbox = db, folder, sandbox
        self.bucket = Bucket(directory_store(folder))
        self.limits = HandlerLimits(5, 60, 100, 5)
        self.fetcher: PhotoFetcher | None = None  # instead of Telegram
        self.keep_metadata = False
        self._before = len(sandbox.log("telegram.getFile"))

    def deliver(self, queue: Queue, body: dict[str, Any] | bytes, times: int = 1, sequence: int = 1) -> list[Outcome]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        delivery = Delivery(RequestKey("PHOTO_REQUESTS", sequence, AT), queue, data)

        async def work(handler: RequestHandler) -> list[Outcome]:
            return [await handler.handle(delivery) for _ in range(times)]

        return self.run(work)

    def run(self, work: Callable[[RequestHandler], Awaitable[list[Outcome]]]) -> list[Outcome]:
        async def with_telegram() -> list[Outcome]:
            environment = self.sandbox.environment
            token = SecretStr(environment["TELEGRAM_BOT_TOKEN"])
            async with Telegram(token, environment["TELEGRAM_API_URL"], 5) as telegram:
                handler = RequestHandler(
                    self.fetcher or telegram,
                    self.bucket,
                    Records(self.db),
                    self.limits,
                    keep_metadata=self.keep_metadata,
                )
                return await work(handler)

        return asyncio.run(with_telegram())

    def files(self) -> list[str]:
        return sorted(file.name for file in self.folder.rglob("*.jpg"))

    def requested(self) -> list[str]:
        return sorted(line["file_id"] for line in self.sandbox.log("telegram.getFile")[self._before :])


@pytest.fixture(scope="module")
def one_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running_sandbox(tmp_path_factory.mktemp("telegram")) as running:
        yield running


@pytest.fixture
def setup(db: Database, tmp_path: Path, one_sandbox: Sandbox) -> Iterator[Setup]:
    yield Setup(db, tmp_path / "people", one_sandbox)
    one_sandbox.control(faults="")


def settled(outcome: Outcome) -> SettledRequest:
    assert isinstance(outcome, RequestResult), outcome
    return outcome.settled


def result_of(outcome: Outcome) -> dict[str, Any]:
    body = settled(outcome).answer
    assert body is not None
    return json.loads(body)


class LocatedPhotos:
    """Photos that were sent as files, with the place where they were taken."""

    data = saved(corners(), exif=private_exif(6))

    async def fetch(self, file_id: str, deadline_seconds: float) -> FetchedPhoto | FetchFailed:
        return FetchedPhoto(self.data, "image/jpeg", "jpg", file_id)


@pytest.mark.parametrize("keep", [False, True])
def test_a_photo_is_stored_without_its_place_unless_configured(setup: Setup, keep: bool):
    setup.fetcher, setup.keep_metadata = LocatedPhotos(), keep
    (outcome,) = setup.deliver(BATCHES, train("A1"))
    (file,) = setup.folder.rglob("*.jpg")
    stored = file.read_bytes()
    assert (stored == LocatedPhotos.data) == keep
    assert (b"Secret Street" in stored) == keep and bool(place_of(stored)) == keep
    assert pixels(stored) == pixels(LocatedPhotos.data)
    assert result_of(outcome)["successful_uploads"][0]["file_size"] == len(stored)


def test_a_redelivered_request_gets_the_same_result_without_a_download(setup: Setup):
    first, again = setup.deliver(BATCHES, train("A1", "A2"), times=2)
    assert settled(first) == settled(again)
    assert [isinstance(one, RequestResult) and one.repeated for one in (first, again)] == [False, True]
    assert setup.requested() == ["A1", "A2"]


def test_a_redelivered_batch_fetches_only_the_missing_photos(setup: Setup):
    def down(key: str) -> None:
        if "A2" in key:
            raise StorageUnavailable("the disk is full")

    setup.bucket.before = down
    (retry,) = setup.deliver(BATCHES, train("A1", "A2"))
    assert isinstance(retry, RetryAfter) and retry.seconds == 2 and "1 photos failed for now" in retry.reason
    setup.bucket.before = lambda key: None
    result = result_of(setup.deliver(BATCHES, train("A1", "A2"))[0])
    assert result["message"] == "Batch processing completed: 2/2 files successful"
    assert setup.requested() == ["A1", "A2", "A2"] and setup.files() == ["A1.jpg", "A2.jpg"]


def test_a_file_with_two_ids_is_stored_once_and_under_each_chosen_name(setup: Setup):
    body = train("A1", "B1", "A1-again", "A1")
    body["photos"].append({"file_id": "A1-again", "s3_key": "mine.jpg"})
    result = result_of(setup.deliver(BATCHES, body)[0])
    keys = [one["s3_key"].rpartition("/")[2] for one in result["successful_uploads"]]
    assert [one["file_id"] for one in result["successful_uploads"]] == ["A1", "B1", "A1-again", "A1", "A1-again"]
    assert keys[0] in ("A1.jpg", "A1-again.jpg") and keys == [keys[0], "B1.jpg", keys[0], keys[0], "mine.jpg"]
    assert setup.files() == sorted({*keys})


def test_a_redelivery_reuses_a_file_that_an_earlier_one_stored(setup: Setup):
    def down(key: str) -> None:
        if "B1" in key or "again" in key:
            raise StorageUnavailable("the disk is full")

    setup.bucket.before = down
    setup.limits = HandlerLimits(5, 60, 100, 1)  # one after the other
    (retry,) = setup.deliver(BATCHES, train("A1", "B1", "A1-again"))
    assert isinstance(retry, RetryAfter)
    setup.bucket.before = lambda key: None
    result = result_of(setup.deliver(BATCHES, train("A1", "B1", "A1-again"))[0])
    assert result["successful_files"] == 3 and setup.files() == ["A1.jpg", "B1.jpg"]


def test_after_the_last_try_a_batch_has_a_result_and_a_single_is_dead(setup: Setup):
    def down(key: str) -> None:
        raise StorageUnavailable("the disk is full")

    setup.bucket.before = down
    *retries, batch = setup.deliver(BATCHES, train("A1"), times=5)
    assert [one.seconds for one in retries if isinstance(one, RetryAfter)] == [2, 10, 30, 60]
    assert [one["error_code"] for one in result_of(batch)["failed_uploads"]] == ["S3_UPLOAD_ERROR"]
    assert (settled(batch).state, settled(batch).reason) == ("answered", None)
    *retries, one = setup.deliver(SINGLES, single("C1"), times=3, sequence=2)
    assert len(retries) == 2 and result_of(one)["error_code"] == "S3_UPLOAD_ERROR"
    assert (settled(one).state, settled(one).reason) == (
        "dead", "given up after the last try: the photo could not be stored",
    )  # fmt: skip


def test_photos_that_are_not_stored_within_the_batch_timeout_fail(setup: Setup):
    setup.sandbox.control(faults="telegram.file:timeout=1")
    setup.limits = HandlerLimits(30, 0.3, 100, 5)
    result = result_of(setup.deliver(BATCHES, train("A1", "A2", "A3"))[0])
    assert [one["error_code"] for one in result["failed_uploads"]] == ["DOWNLOAD_TIMEOUT"] * 3
    assert result["failed_uploads"][0]["error"] == "the batch timed out after 0.3 s"


def test_batches_share_five_slots_and_a_single_photo_needs_none(setup: Setup):
    setup.sandbox.control(faults="telegram.file:timeout=1")
    setup.limits = HandlerLimits(30, 2, 100, 5)

    async def work(handler: RequestHandler) -> list[Outcome]:
        bodies = [json.dumps(train(*(f"B{n}x{k}" for k in range(8)))).encode() for n in range(3)]
        batches = [
            asyncio.create_task(handler.handle(Delivery(RequestKey("S", n, AT), BATCHES, body)))
            for n, body in enumerate(bodies)
        ]
        while await asyncio.to_thread(lambda: len(setup.requested())) < 5:
            pass
        await asyncio.to_thread(lambda: setup.sandbox.control(faults=""))
        one = Delivery(RequestKey("S", 9, AT), SINGLES, json.dumps(single("C1")).encode())
        alone = await handler.handle(one)
        assert len(await asyncio.to_thread(setup.requested)) == 6  # five of the batches and this one
        return [alone, *await asyncio.gather(*batches)]

    alone, *batches = setup.run(work)
    assert result_of(alone)["message"] == "Photo uploaded successfully"
    assert all(settled(one).state == "answered" for one in batches)


def test_a_request_that_keeps_killing_the_process_becomes_a_dead_letter(setup: Setup, db: Database):
    key = RequestKey("PHOTO_REQUESTS", 1, AT)
    for _ in range(BATCHES.tries):
        db.run(media_requests.claim, key, media_requests.RequestSubject("train", 1, 2, "a", None, None, 1))
    (outcome,) = setup.deliver(BATCHES, train("A1"))
    assert result_of(outcome)["error_code"] == "INTERNAL_ERROR"
    assert settled(outcome).reason == "no result after 5 tries"
    assert "A1" not in setup.requested()  # photos of the last test, which timed out, may be logged late


def test_an_unexpected_error_is_retried_and_reported_without_its_message(setup: Setup):
    def broken(key: str) -> None:
        raise KeyError("a secret")

    setup.bucket.before = broken
    *retries, last = setup.deliver(BATCHES, train("A1"), times=5)
    assert [one.reason for one in retries if isinstance(one, RetryAfter)] == ["KeyError"] * 4
    assert result_of(last)["error"] == "internal error: KeyError"
    assert "secret" not in (settled(last).reason or "")


def test_a_user_who_is_erased_during_a_request_has_no_photos_left(setup: Setup, db: Database):
    setup.bucket.before = lambda key: db.run(erasure.erase_rows, 67890)
    (outcome,) = setup.deliver(BATCHES, train("A1", "A2"))
    assert (settled(outcome).state, settled(outcome).answer) == ("forgotten", None)
    assert setup.files() == []
    assert execute(db, "SELECT count(*) AS n FROM user_media_photos") == [{"n": 0}]
    assert setup.deliver(BATCHES, train("A1", "A2"))[0] == RequestResult(
        _request(outcome), settled(outcome), repeated=True
    )


def test_erasure_removes_ids_and_results_and_keeps_the_counts(setup: Setup, db: Database):
    setup.deliver(BATCHES, train("A1", user=1))
    setup.deliver(BATCHES, train("A2", user=2), sequence=2)
    assert len(execute(db, "SELECT key FROM user_media_photos WHERE user_id = 1")) == 1
    assert db.run(erasure.erase_rows, 1, 99) == erasure.ErasedRows(0, 0)  # of another bot
    assert db.run(erasure.erase_rows, 1, 12345) == erasure.ErasedRows(1, 1)
    assert execute(db, "SELECT key FROM user_media_photos WHERE user_id = 1") == []
    found = execute(db, "SELECT user_id, answer IS NULL AS gone, stored FROM user_media_requests ORDER BY sequence")
    assert [tuple(row.values()) for row in found] == [(None, True, 1), (2, False, 1)]
    (day,) = db.run(media_days.days, 7)
    assert (day.batches, day.batch_photos, day.batch_stored, day.errors) == (2, 2, 2, 0)


def test_requests_are_counted_per_day_by_kind_and_error_code(setup: Setup, db: Database):
    bodies: Sequence[tuple[Queue, dict[str, Any] | bytes]] = [
        (BATCHES, train("A1", "not/an/id")), (SINGLES, single("C1")), (SINGLES, single("not/an/id")), (BATCHES, b"no"),
    ]  # fmt: skip
    for sequence, (queue, body) in enumerate(bodies, 1):
        setup.deliver(queue, body, sequence=sequence)
    (day,) = db.run(media_days.days, 7)
    assert (day.batches, day.batch_photos, day.batch_stored) == (1, 2, 1)
    assert (day.singles, day.singles_stored, day.errors, day.dead) == (2, 1, 2, 1)
    assert day.codes == {"UNEXPECTED_ERROR": 2, "INFERENCE_PROCESSING_ERROR": 1}
    assert db.run(media_days.unanswered) == media_days.Unanswered(1, "the message is not valid JSON in UTF-8", 0)
    assert day.bytes > 0 and day.mean_batch_seconds is not None


def _request(outcome: Outcome) -> Any:
    assert isinstance(outcome, RequestResult)
    return outcome.request
