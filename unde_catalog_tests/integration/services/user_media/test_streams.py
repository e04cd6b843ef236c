"""Streams and consumers at a real NATS server: made, and brought up to date however old or odd what is there is."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, RetentionPolicy, StreamConfig

from unde_catalog.services.user_media.streams import DeclaredStreams, StreamsError, declare
from unde_catalog.services.user_media.subjects import BATCH_RESULT, DEAD, ERROR, INFERENCE, INFERENCE_RESULT, TRAIN
from unde_catalog_tests.support.nats_servers import NatsServer, running_nats
from unde_catalog_tests.support.user_media_service import at

OURS = {
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
    """The server, without any stream."""

    async def clean(js: JetStreamContext) -> None:
        for stream in await js.streams_info():
            await js.delete_stream(stream.config.name or "")

    at(running.url, clean)
    return running.url


async def ours(js: JetStreamContext) -> DeclaredStreams:
    return await declare(js, 30)


def before(url: str, work: Callable[[JetStreamContext], Awaitable[object]]) -> DeclaredStreams:
    """What is declared after that."""
    at(url, work)
    return at(url, ours)


def test_on_an_empty_server_all_is_made_and_a_second_time_changes_nothing(url):
    declared = at(url, ours)
    assert declared.streams == OURS

    async def everything(js: JetStreamContext) -> list[object]:
        consumers = await js.consumers_info("PHOTO_REQUESTS")
        return [*(one.config for one in await js.streams_info()), *(one.config for one in consumers)]

    first = at(url, everything)
    assert at(url, ours) == declared and at(url, everything) == first


def test_several_processes_may_declare_at_once(url):
    async def eight(js: JetStreamContext) -> list[DeclaredStreams]:
        return await asyncio.gather(*(declare(js, 30) for _ in range(8)))

    assert {tuple(sorted(one.streams.items())) for one in at(url, eight)} == {tuple(sorted(OURS.items()))}


def test_an_older_stream_gets_what_it_lacks_and_keeps_what_operators_set(url):
    async def older(js: JetStreamContext) -> None:
        await js.add_stream(StreamConfig("PHOTO_REQUESTS", subjects=[TRAIN], max_msgs=5_000, duplicate_window=60))
        await js.add_stream(StreamConfig("PHOTO_RESULTS", subjects=["theirs", BATCH_RESULT], max_age=120))

    assert before(url, older).streams == OURS

    async def now(js: JetStreamContext) -> list[StreamConfig]:
        return [(await js.stream_info(name)).config for name in ("PHOTO_REQUESTS", "PHOTO_RESULTS")]

    requests, results = at(url, now)
    assert (requests.subjects, requests.max_msgs, requests.duplicate_window) == ([TRAIN, INFERENCE], 5_000, 600)
    assert requests.retention == RetentionPolicy.LIMITS
    assert results.subjects == ["theirs", BATCH_RESULT, INFERENCE_RESULT, ERROR]
    assert (results.max_age, results.duplicate_window) == (120, 120)  # a server allows no longer window than age


def test_with_a_stream_that_has_every_subject_none_is_made(url):
    async def theirs(js: JetStreamContext) -> None:
        await js.add_stream(StreamConfig("THEIRS", subjects=["*"]))

    assert set(before(url, theirs).streams.values()) == {"THEIRS"}


def test_a_subject_that_another_stream_has_stays_there(url):
    async def theirs(js: JetStreamContext) -> None:
        await js.add_stream(StreamConfig("THEIRS", subjects=[INFERENCE, INFERENCE_RESULT]))

    declared = before(url, theirs)
    assert declared.streams == OURS | {INFERENCE: "THEIRS", INFERENCE_RESULT: "THEIRS"}

    async def consumers(js: JetStreamContext) -> list[str]:
        return [one.name for stream in ("THEIRS", "PHOTO_REQUESTS") for one in await js.consumers_info(stream)]

    assert at(url, consumers) == [INFERENCE, TRAIN]


@pytest.mark.parametrize(
    "older",
    [
        ConsumerConfig(ack_wait=5, max_deliver=3, backoff=[1, 2], max_ack_pending=1),
        ConsumerConfig(ack_wait=5, max_deliver=3, deliver_subject="pushed.there"),
        ConsumerConfig(ack_policy=AckPolicy.ALL),
    ],
    ids=["other numbers", "pushed", "acknowledged otherwise"],
)
def test_an_older_consumer_becomes_ours_and_no_message_is_lost_by_it(url, older):
    async def prepare(js: JetStreamContext) -> None:
        await js.add_stream(StreamConfig("PHOTO_REQUESTS", subjects=[TRAIN, INFERENCE]))
        await js.add_consumer("PHOTO_REQUESTS", older.evolve(durable_name=TRAIN, filter_subject=TRAIN))
        for number in (b"1", b"2"):
            await js.publish(TRAIN, number)

    assert before(url, prepare).streams == OURS

    async def now(js: JetStreamContext) -> tuple[ConsumerConfig, list[bytes]]:
        pull = await js.pull_subscribe_bind(TRAIN, "PHOTO_REQUESTS")
        found = [message.data for message in await pull.fetch(2, 30)]
        return (await js.consumer_info("PHOTO_REQUESTS", TRAIN)).config, found

    config, found = at(url, now)
    assert (config.ack_wait, config.max_deliver, config.max_ack_pending) == (30, -1, 100)
    assert config.ack_policy == AckPolicy.EXPLICIT and not config.deliver_subject and not config.backoff
    assert found == [b"1", b"2"]


def test_what_the_server_refuses_is_told_in_a_sentence(url):
    async def full(js: JetStreamContext) -> None:
        await js.add_stream(StreamConfig("THEIRS", subjects=[TRAIN], retention=RetentionPolicy.WORK_QUEUE))
        await js.add_consumer("THEIRS", ConsumerConfig(durable_name="theirs", filter_subject=TRAIN))

    with pytest.raises(StreamsError, match="the consumer photo_upload_train of the stream THEIRS can't be made"):
        before(url, full)
