"""One request after its deliveries, without NATS: real rows, a real folder of photos, the sandbox's Bot API."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from unde_catalog.services.user_media.bucket import PrivateBucket
from unde_catalog.services.user_media.handler import Delivery, HandlerLimits, RequestHandler, RequestResult, RetryAfter
from unde_catalog.services.user_media.records import Records
from unde_catalog.services.user_media.subjects import QUEUES, Queue
from unde_catalog.services.user_media.telegram import Telegram
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.objects.directory import directory_store
from unde_catalog.stores.objects.objects import StorageUnavailable
from unde_catalog.stores.staging.user_media import days
from unde_catalog.stores.staging.user_media import erasure as forgetting
from unde_catalog.stores.staging.user_media import requests as rows
from unde_catalog.stores.staging.user_media.requests import RequestKey, SettledRequest
from unde_catalog_tests.support.due import execute
from unde_catalog_tests.support.servers import Sandbox, running_sandbox
from unde_catalog_tests.support.user_media_service import single, train

BATCHES, SINGLES = QUEUES
AT = datetime(2026, 11, 1, 12, 0, 0, 123456, tzinfo=UTC)
Outcome = RequestResult | RetryAfter


class Bucket(PrivateBucket):
    """A folder, and something that happens before each photo is put."""

    before: Callable[[str], object] = staticmethod(lambda key: None)

    async def put(self, key: str, data: bytes, content_type: str, metadata: Mapping[str, str]) -> None:
        await asyncio.to_thread(self.before, key)
        await super().put(key, data, content_type, metadata)


class House:
    """A handler with its surroundings. `deliver` is one delivery after another of one message."""

    def __init__(self, db: Database, folder: Path, sandbox: Sandbox) -> None:
        self.db, self.folder, self.sandbox = db, folder, sandbox
        self.bucket = Bucket(directory_store(folder))
        self.limits = HandlerLimits(5, 60, 100, 5)
        self._before = len(sandbox.log("telegram.getFile"))

    def deliver(self, queue: Queue, body: dict[str, Any] | bytes, times: int = 1, sequence: int = 1) -> list[Outcome]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        delivery = Delivery(RequestKey("PHOTO_REQUESTS", sequence, AT), queue, data)

        async def work(handler: RequestHandler) -> list[Outcome]:
            return [await handler.handle(delivery) for _ in range(times)]

        return self.run(work)

    def run(self, work: Callable[[RequestHandler], Awaitable[list[Outcome]]]) -> list[Outcome]:
        async def done() -> list[Outcome]:
            environment = self.sandbox.environment
            token = SecretStr(environment["TELEGRAM_BOT_TOKEN"])
            async with Telegram(token, environment["TELEGRAM_API_URL"], 5) as telegram:
                return await work(RequestHandler(telegram, self.bucket, Records(self.db), self.limits))

        return asyncio.run(done())

    def files(self) -> list[str]:
        return sorted(file.name for file in self.folder.rglob("*.jpg"))

    def asked(self) -> list[str]:
        return sorted(line["file_id"] for line in self.sandbox.log("telegram.getFile")[self._before :])


@pytest.fixture(scope="module")
def one_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running_sandbox(tmp_path_factory.mktemp("telegram")) as running:
        yield running


@pytest.fixture
def house(db: Database, tmp_path: Path, one_sandbox: Sandbox) -> Iterator[House]:
    yield House(db, tmp_path / "people", one_sandbox)
    one_sandbox.control(faults="")


def ended(outcome: Outcome) -> SettledRequest:
    assert isinstance(outcome, RequestResult), outcome
    return outcome.settled


def told(outcome: Outcome) -> dict[str, Any]:
    answer = ended(outcome).answer
    assert answer is not None
    return json.loads(answer)


def test_an_answered_request_gets_the_same_answer_again_and_nothing_is_fetched(house: House):
    first, again = house.deliver(BATCHES, train("A1", "A2"), times=2)
    assert ended(first) == ended(again)
    assert [isinstance(one, RequestResult) and one.repeated for one in (first, again)] == [False, True]
    assert house.asked() == ["A1", "A2"]


def test_of_a_batch_only_what_is_missing_is_fetched_again(house: House):
    def down(key: str) -> None:
        if "A2" in key:
            raise StorageUnavailable("the disk is full")

    house.bucket.before = down
    (put_off,) = house.deliver(BATCHES, train("A1", "A2"))
    assert isinstance(put_off, RetryAfter) and put_off.after == 2 and "1 photos may come yet" in put_off.reason
    house.bucket.before = lambda key: None
    result = told(house.deliver(BATCHES, train("A1", "A2"))[0])
    assert result["message"] == "Batch processing completed: 2/2 files successful"
    assert house.asked() == ["A1", "A2", "A2"] and house.files() == ["A1.jpg", "A2.jpg"]


def test_one_file_under_two_ids_is_stored_once_and_under_each_name_that_is_wanted(house: House):
    body = train("A1", "B1", "A1-again", "A1")
    body["photos"].append({"file_id": "A1-again", "s3_key": "mine.jpg"})
    result = told(house.deliver(BATCHES, body)[0])
    keys = [one["s3_key"].rpartition("/")[2] for one in result["successful_uploads"]]
    assert [one["file_id"] for one in result["successful_uploads"]] == ["A1", "B1", "A1-again", "A1", "A1-again"]
    assert keys[0] in ("A1.jpg", "A1-again.jpg") and keys == [keys[0], "B1.jpg", keys[0], keys[0], "mine.jpg"]
    assert house.files() == sorted({*keys})


def test_a_redelivery_knows_what_an_earlier_one_stored_of_the_same_file(house: House):
    def down(key: str) -> None:
        if "B1" in key or "again" in key:
            raise StorageUnavailable("the disk is full")

    house.bucket.before = down
    house.limits = HandlerLimits(5, 60, 100, 1)  # one after the other
    (put_off,) = house.deliver(BATCHES, train("A1", "B1", "A1-again"))
    assert isinstance(put_off, RetryAfter)
    house.bucket.before = lambda key: None
    result = told(house.deliver(BATCHES, train("A1", "B1", "A1-again"))[0])
    assert result["successful_files"] == 3 and house.files() == ["A1.jpg", "B1.jpg"]


def test_after_the_last_try_a_batch_tells_what_failed_and_a_single_photo_is_put_aside(house: House):
    def down(key: str) -> None:
        raise StorageUnavailable("the disk is full")

    house.bucket.before = down
    *put_off, batch = house.deliver(BATCHES, train("A1"), times=5)
    assert [one.after for one in put_off if isinstance(one, RetryAfter)] == [2, 10, 30, 60]
    assert [one["error_code"] for one in told(batch)["failed_uploads"]] == ["S3_UPLOAD_ERROR"]
    assert (ended(batch).state, ended(batch).reason) == ("answered", None)
    *put_off, one = house.deliver(SINGLES, single("C1"), times=3, sequence=2)
    assert len(put_off) == 2 and told(one)["error_code"] == "S3_UPLOAD_ERROR"
    assert (ended(one).state, ended(one).reason) == (
        "dead", "given up after the last try: the photo could not be stored",
    )  # fmt: skip


def test_what_is_not_done_when_a_batch_has_no_time_left_has_failed(house: House):
    house.sandbox.control(faults="telegram.file:timeout=1")
    house.limits = HandlerLimits(30, 0.3, 100, 5)
    result = told(house.deliver(BATCHES, train("A1", "A2", "A3"))[0])
    assert [one["error_code"] for one in result["failed_uploads"]] == ["DOWNLOAD_TIMEOUT"] * 3
    assert result["failed_uploads"][0]["error"] == "the batch was not done within 0.3 s"


def test_five_photos_of_all_batches_are_in_hand_at_once_and_a_single_one_waits_for_none(house: House):
    house.sandbox.control(faults="telegram.file:timeout=1")
    house.limits = HandlerLimits(30, 2, 100, 5)

    async def work(handler: RequestHandler) -> list[Outcome]:
        bodies = [json.dumps(train(*(f"B{n}x{k}" for k in range(8)))).encode() for n in range(3)]
        batches = [
            asyncio.create_task(handler.handle(Delivery(RequestKey("S", n, AT), BATCHES, body)))
            for n, body in enumerate(bodies)
        ]
        while await asyncio.to_thread(lambda: len(house.asked())) < 5:
            pass
        await asyncio.to_thread(lambda: house.sandbox.control(faults=""))
        one = Delivery(RequestKey("S", 9, AT), SINGLES, json.dumps(single("C1")).encode())
        alone = await handler.handle(one)
        assert len(await asyncio.to_thread(house.asked)) == 6  # five of the batches, and this one
        return [alone, *await asyncio.gather(*batches)]

    alone, *batches = house.run(work)
    assert told(alone)["message"] == "Photo uploaded successfully"
    assert all(ended(one).state == "answered" for one in batches)


def test_a_request_that_always_kills_us_is_put_aside_after_so_many_tries(house: House, db: Database):
    key = RequestKey("PHOTO_REQUESTS", 1, AT)
    for _ in range(BATCHES.tries):
        db.run(rows.take, key, rows.RequestSubject("train", 1, 2, "a", None, None, 1))
    (outcome,) = house.deliver(BATCHES, train("A1"))
    assert told(outcome)["error_code"] == "INTERNAL_ERROR"
    assert ended(outcome).reason == "it was begun 5 times and never came to an end"
    assert house.asked() == []


def test_a_fault_of_ours_is_tried_again_and_then_told_without_its_words(house: House):
    def broken(key: str) -> None:
        raise KeyError("a secret of somebody's")

    house.bucket.before = broken
    *put_off, last = house.deliver(BATCHES, train("A1"), times=5)
    assert [one.reason for one in put_off if isinstance(one, RetryAfter)] == ["KeyError"] * 4
    assert told(last)["error"] == "it can't be handled, for a fault of ours: KeyError"
    assert "secret" not in (ended(last).reason or "")


def test_a_person_who_is_forgotten_while_his_photos_come_has_none_left(house: House, db: Database):
    house.bucket.before = lambda key: db.run(forgetting.erase_rows, 67890)
    (outcome,) = house.deliver(BATCHES, train("A1", "A2"))
    assert (ended(outcome).state, ended(outcome).answer) == ("forgotten", None)
    assert house.files() == []
    assert execute(db, "SELECT count(*) AS n FROM user_media_photos") == [{"n": 0}]
    assert house.deliver(BATCHES, train("A1", "A2"))[0] == RequestResult(
        _request(outcome), ended(outcome), repeated=True
    )


def test_forgetting_takes_names_and_answers_away_and_leaves_the_counts(house: House, db: Database):
    house.deliver(BATCHES, train("A1", user=1))
    house.deliver(BATCHES, train("A2", user=2), sequence=2)
    assert len(execute(db, "SELECT key FROM user_media_photos WHERE user_id = 1")) == 1
    assert db.run(forgetting.erase_rows, 1, 99) == forgetting.ErasedRows(0, 0)  # of another bot
    assert db.run(forgetting.erase_rows, 1, 12345) == forgetting.ErasedRows(1, 1)
    assert execute(db, "SELECT key FROM user_media_photos WHERE user_id = 1") == []
    found = execute(db, "SELECT user_id, answer IS NULL AS gone, stored FROM user_media_requests ORDER BY sequence")
    assert [tuple(row.values()) for row in found] == [(None, True, 1), (2, False, 1)]
    (day,) = db.run(days.days, 7)
    assert (day.batches, day.batch_photos, day.batch_stored, day.errors) == (2, 2, 2, 0)


def test_a_day_is_counted_by_kind_and_code(house: House, db: Database):
    bodies: Sequence[tuple[Queue, dict[str, Any] | bytes]] = [
        (BATCHES, train("A1", "not/an/id")), (SINGLES, single("C1")), (SINGLES, single("not/an/id")), (BATCHES, b"no"),
    ]  # fmt: skip
    for sequence, (queue, body) in enumerate(bodies, 1):
        house.deliver(queue, body, sequence=sequence)
    (day,) = db.run(days.days, 7)
    assert (day.batches, day.batch_photos, day.batch_stored) == (1, 2, 1)
    assert (day.singles, day.singles_stored, day.errors, day.dead) == (2, 1, 2, 1)
    assert day.codes == {"UNEXPECTED_ERROR": 2, "INFERENCE_PROCESSING_ERROR": 1}
    assert db.run(days.unanswered) == days.Unanswered(1, "the message is not JSON in UTF-8", 0)
    assert day.bytes > 0 and day.mean_batch_seconds is not None


def _request(outcome: Outcome) -> Any:
    assert isinstance(outcome, RequestResult)
    return outcome.request
