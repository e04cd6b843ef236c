"""Streams and consumers at a real NATS server: created, and updated whatever configuration exists."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path

import pytest
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DiscardPolicy, RetentionPolicy, StreamConfig

from unde_catalog.services.user_media import streams
from unde_catalog.services.user_media.connection import Connection, PublishRefused
from unde_catalog.services.user_media.metrics import UserMediaMetrics
from unde_catalog.services.user_media.streams import StreamsError, declare
from unde_catalog.services.user_media.subjects import (
    BATCH_RESULT,
    DEAD,
    ERROR,
    INFERENCE,
    INFERENCE_RESULT,
    QUEUES,
    TRAIN,
)  # fmt: skip
from unde_catalog_tests.support.nats_servers import NatsServer, running_nats
from unde_catalog_tests.support.user_media_service import with_jetstream

EXPECTED = {
    TRAIN: "PHOTO_REQUESTS", INFERENCE: "PHOTO_REQUESTS", BATCH_RESULT: "PHOTO_RESULTS",
    INFERENCE_RESULT: "PHOTO_RESULTS", ERROR: "PHOTO_RESULTS", DEAD: "PHOTO_DEAD",
}  # fmt: skip


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    folder: Path = tmp_path_factory.mktemp("streams")
    with running_nats(folder / "nats") as server:
        yield server


@pytest.fixture
def url(running: NatsServer) -> str:
    """The URL of the server, without any stream."""

    async def clean(js: JetStreamContext) -> None:
        for stream in await js.streams_info():
            await js.delete_stream(stream.config.name or "")

    with_jetstream(running.url, clean)
    return running.url


async def declare_30(js: JetStreamContext) -> Mapping[str, str]:
    return await declare(js, 30)


def declared_after(url: str, work: Callable[[JetStreamContext], Awaitable[object]]) -> Mapping[str, str]:
    """Prepare the server with `work`, then declare the streams."""
    with_jetstream(url, work)
    return with_jetstream(url, declare_30)


def test_an_empty_server_gets_everything_and_a_second_call_changes_nothing(url):
    declared = with_jetstream(url, declare_30)
    assert declared == EXPECTED

    async def everything(js: JetStreamContext) -> list[object]:
        consumers = await js.consumers_info("PHOTO_REQUESTS")
        return [*(one.config for one in await js.streams_info()), *(one.config for one in consumers)]

    first = with_jetstream(url, everything)
    assert with_jetstream(url, declare_30) == declared and with_jetstream(url, everything) == first


def test_several_processes_can_declare_at_once(url):
    async def eight(js: JetStreamContext) -> list[Mapping[str, str]]:
        return await asyncio.gather(*(declare(js, 30) for _ in range(8)))

    assert {tuple(sorted(one.items())) for one in with_jetstream(url, eight)} == {tuple(sorted(EXPECTED.items()))}


def test_an_older_stream_is_completed_and_keeps_the_operators_settings(url):
    async def older(js: JetStreamContext) -> None:
        await js.add_stream(StreamConfig("PHOTO_REQUESTS", subjects=[TRAIN], max_msgs=5_000, duplicate_window=60))
        await js.add_stream(StreamConfig("PHOTO_RESULTS", subjects=["theirs", BATCH_RESULT], max_age=120))

    assert declared_after(url, older) == EXPECTED

    async def now(js: JetStreamContext) -> list[StreamConfig]:
        return [(await js.stream_info(name)).config for name in ("PHOTO_REQUESTS", "PHOTO_RESULTS")]

    requests, results = with_jetstream(url, now)
    assert (requests.subjects, requests.max_msgs, requests.duplicate_window) == ([TRAIN, INFERENCE], 5_000, 600)
    assert requests.retention == RetentionPolicy.LIMITS
    assert results.subjects == ["theirs", BATCH_RESULT, INFERENCE_RESULT, ERROR]
    assert (results.max_age, results.duplicate_window) == (120, 120)  # the window cannot exceed the age


def test_no_stream_is_created_if_another_one_holds_every_subject(url):
    async def theirs(js: JetStreamContext) -> None:
        await js.add_stream(StreamConfig("THEIRS", subjects=["*"]))

    assert set(declared_after(url, theirs).values()) == {"THEIRS"}


def test_a_subject_of_another_stream_stays_there(url):
    async def theirs(js: JetStreamContext) -> None:
        await js.add_stream(StreamConfig("THEIRS", subjects=[INFERENCE, INFERENCE_RESULT]))

    declared = declared_after(url, theirs)
    assert declared == EXPECTED | {INFERENCE: "THEIRS", INFERENCE_RESULT: "THEIRS"}

    async def consumers(js: JetStreamContext) -> list[str]:
        return [one.name for stream in ("THEIRS", "PHOTO_REQUESTS") for one in await js.consumers_info(stream)]

    assert with_jetstream(url, consumers) == [INFERENCE, TRAIN]


@pytest.mark.parametrize(
    "older",
    [
        ConsumerConfig(ack_wait=5, max_deliver=3, backoff=[1, 2], max_ack_pending=1),
        ConsumerConfig(ack_wait=5, max_deliver=3, deliver_subject="pushed.there"),
        ConsumerConfig(ack_policy=AckPolicy.ALL),
    ],
    ids=["other numbers", "push consumer", "other ack policy"],
)
def test_an_older_consumer_is_updated_without_losing_a_message(url, older):
    async def prepare(js: JetStreamContext) -> None:
        await js.add_stream(StreamConfig("PHOTO_REQUESTS", subjects=[TRAIN, INFERENCE]))
        await js.add_consumer("PHOTO_REQUESTS", older.evolve(durable_name=TRAIN, filter_subject=TRAIN))
        for number in (b"1", b"2"):
            await js.publish(TRAIN, number)

    assert declared_after(url, prepare) == EXPECTED

    async def now(js: JetStreamContext) -> tuple[ConsumerConfig, list[bytes]]:
        pull = await js.pull_subscribe_bind(TRAIN, "PHOTO_REQUESTS")
        found = [message.data for message in await pull.fetch(2, 30)]
        return (await js.consumer_info("PHOTO_REQUESTS", TRAIN)).config, found

    config, found = with_jetstream(url, now)
    assert (config.ack_wait, config.max_deliver, config.max_ack_pending) == (30, -1, 100)
    assert config.ack_policy == AckPolicy.EXPLICIT and not config.deliver_subject and not config.backoff
    assert found == [b"1", b"2"]


def test_a_refusal_by_the_server_names_the_consumer_and_the_stream(url):
    async def full(js: JetStreamContext) -> None:
        await js.add_stream(StreamConfig("THEIRS", subjects=[TRAIN], retention=RetentionPolicy.WORK_QUEUE))
        await js.add_consumer("THEIRS", ConsumerConfig(durable_name="theirs", filter_subject=TRAIN))

    refusal = "cannot create or update the consumer photo_upload_train of the stream THEIRS: .*"
    with pytest.raises(StreamsError, match=f"{refusal}read by the consumer theirs; .*nats consumer rm THEIRS theirs"):
        declared_after(url, full)


@pytest.mark.parametrize(
    ("limit", "named"), [({"max_msgs": 2}, "max_msgs 2"), ({"max_bytes": 300}, "max_bytes 300")], ids=str
)
def test_a_full_stream_is_named_with_its_limit_once_a_minute(
    url: str, limit: dict[str, int], named: str, caplog: pytest.LogCaptureFixture
):
    async def full(js: JetStreamContext) -> None:
        config = StreamConfig("FULL", subjects=[INFERENCE_RESULT], discard=DiscardPolicy.NEW)
        await js.add_stream(config.evolve(**limit))

    async def publish() -> list[str]:
        connection = Connection([url], 30, UserMediaMetrics())
        connecting = asyncio.create_task(connection.keep_open())
        while not connection.ready:
            await connection.next_message(QUEUES[1], 0.1)
        refusals = []
        for n in range(8):
            try:
                await connection.publish(INFERENCE_RESULT, b"x" * 60, {"Nats-Msg-Id": str(n)})
            except PublishRefused as refused:
                refusals.append(str(refused))
                connection.warn(str(refused))
        connecting.cancel()
        await connection.close()
        return refusals

    with_jetstream(url, full)
    refusals = asyncio.run(publish())
    assert len(refusals) >= 4 and len(set(refusals)) == 1
    assert "the stream FULL refuses messages" in refusals[0] and f"it is full with {named};" in refusals[0]
    assert caplog.text.count("the stream FULL refuses messages") == 1


@pytest.mark.parametrize(
    ("pattern", "covers"),
    [("photo", True), (">", True), ("*", True), ("photo.>", False), ("photo.*", False), ("other", False)],
)
def test_a_subject_with_wildcards_covers_others(pattern: str, covers: bool):
    assert streams._matches(pattern, "photo") is covers
    assert streams._matches(f"a.{pattern}", "a.photo") is covers
