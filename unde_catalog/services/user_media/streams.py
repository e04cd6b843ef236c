"""Declares streams and consumers at a NATS server, and brings older ones up to date. Nothing is taken or sent here.

FastStream would do it at its start, but makes a second stream where another one holds a subject fail with a line in
the log, and leaves a durable consumer as it is however old its configuration: so this is nats-py's JetStream.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    ConsumerInfo,
    DeliverPolicy,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import APIError, NotFoundError, ServiceUnavailableError

from unde_catalog.services.user_media.subjects import QUEUES, STREAMS, Queue, Stream

_SECONDS_A_DAY = 86_400
_log = logging.getLogger(__name__)


class StreamsError(RuntimeError):
    """The server can't hold the streams: which one, what it said, and what to do."""


@dataclass(frozen=True, slots=True)
class DeclaredStreams:
    """Which stream each subject is in."""

    streams: Mapping[str, str]


async def declare(js: JetStreamContext, ack_wait: float, streams: Sequence[Stream] = STREAMS) -> DeclaredStreams:
    """Make what is missing and change what is old; safe to call again, and by several processes at once.

    `ack_wait`: seconds after which a message that nobody speaks for is delivered again. `StreamsError`.
    """
    found: dict[str, str] = {}
    try:
        for stream in streams:
            found |= await _declare_stream(js, stream)
        for queue in QUEUES:
            await _declare_consumer(js, found[queue.subject], queue, ack_wait)
    except ServiceUnavailableError as error:
        raise StreamsError(
            "JetStream does not answer: start the server with -js, or enable it for the account"
        ) from error
    return DeclaredStreams(found)


async def _declare_stream(js: JetStreamContext, wanted: Stream) -> dict[str, str]:
    """The stream of each of its subjects: ours, but where another one had the subject before."""
    holders = {subject: await _holder(js, subject) for subject in wanted.subjects}
    others = {subject: name for subject, name in holders.items() if name not in (None, wanted.name)}
    for subject, name in others.items():
        _log.info("%s is in the stream %s, which is used as it is", subject, name)
    own = [subject for subject in wanted.subjects if subject not in others]
    if own:
        try:
            await _make_or_update(js, wanted, own)
        except ServiceUnavailableError:
            raise
        except APIError as error:
            if await _held_meanwhile(js, wanted, own):  # another process was quicker
                return await _declare_stream(js, wanted)
            raise StreamsError(
                f"the stream {wanted.name} can't be made or changed: {error.description}; look at it with nats stream"
                f" info {wanted.name}, and at the account's limits"
            ) from error
    return {subject: others.get(subject) or wanted.name for subject in wanted.subjects}


async def _make_or_update(js: JetStreamContext, wanted: Stream, subjects: list[str]) -> None:
    try:
        config = (await js.stream_info(wanted.name)).config
    except NotFoundError:
        config = None
    if config is None:
        await js.add_stream(
            StreamConfig(
                name=wanted.name,
                description="people's photos",
                subjects=subjects,
                # A request is gone when it is acknowledged, and not before; the others age.
                retention=RetentionPolicy.WORK_QUEUE if wanted.keep_days is None else RetentionPolicy.LIMITS,
                discard=DiscardPolicy.NEW if wanted.keep_days is None else DiscardPolicy.OLD,
                max_age=(wanted.keep_days or 0) * _SECONDS_A_DAY,
                storage=StorageType.FILE,
                duplicate_window=wanted.window,
            )
        )
        _log.info("made the stream %s", wanted.name)
        return
    # What operators set (replicas, limits, ages) is theirs; an older program's stream lacks subjects or a window.
    missing = [subject for subject in subjects if subject not in (config.subjects or [])]
    window = max(config.duplicate_window or 0, wanted.window)
    if config.max_age:
        window = min(window, config.max_age)  # the server allows no longer one
    if missing or window != config.duplicate_window:
        changed = config.evolve(subjects=[*(config.subjects or []), *missing], duplicate_window=window)
        await js.update_stream(changed)
        _log.info("brought the stream %s up to date", wanted.name)


async def _holder(js: JetStreamContext, subject: str) -> str | None:
    try:
        return await js.find_stream_name_by_subject(subject)
    except NotFoundError:
        return None


async def _held_meanwhile(js: JetStreamContext, wanted: Stream, subjects: list[str]) -> bool:
    """Whether each of the subjects has a stream now, with the window wanted where it is ours."""
    for subject in subjects:
        holder = await _holder(js, subject)
        if holder is None:
            return False
        if holder == wanted.name and (await js.stream_info(holder)).config.duplicate_window < wanted.window:
            return False
    return True


async def _declare_consumer(js: JetStreamContext, stream: str, queue: Queue, ack_wait: float) -> None:
    wanted = ConsumerConfig(
        durable_name=queue.durable,
        description="people's photos",
        deliver_policy=DeliverPolicy.ALL,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=ack_wait,
        max_deliver=-1,  # tries are counted in the database: a server that is away is no try
        max_ack_pending=queue.ack_pending,
        filter_subject=queue.subject,
    )
    try:
        try:
            info = await js.consumer_info(stream, queue.durable)
        except NotFoundError:
            await js.add_consumer(stream, wanted)
            _log.info("made the consumer %s of the stream %s", queue.durable, stream)
            return
        if not _differs(info.config, wanted):
            return
        if _can_be_changed(info.config):
            changed = info.config.evolve(
                ack_wait=ack_wait, max_deliver=-1, backoff=None, max_ack_pending=queue.ack_pending,
                filter_subject=queue.subject, filter_subjects=None,
            )  # fmt: skip
            await js.add_consumer(stream, changed)
            _log.info("brought the consumer %s up to date", queue.durable)
        else:
            await _make_anew(js, stream, info, wanted)
            _log.warning("made the consumer %s anew: the one there was could not be used or changed", queue.durable)
    except ServiceUnavailableError:
        raise
    except APIError as error:
        raise StreamsError(
            f"the consumer {queue.durable} of the stream {stream} can't be made or changed: {error.description};"
            f" look at it with nats consumer info {stream} {queue.durable}"
        ) from error


def _differs(found: ConsumerConfig, wanted: ConsumerConfig) -> bool:
    names = ("ack_policy", "ack_wait", "max_deliver", "max_ack_pending", "filter_subject")
    return (
        any(getattr(found, name) != getattr(wanted, name) for name in names)
        or bool(found.backoff)
        or bool(found.deliver_subject)
    )


def _can_be_changed(found: ConsumerConfig) -> bool:
    """A server changes neither how a consumer is acknowledged nor whether it is pulled from."""
    return found.ack_policy == AckPolicy.EXPLICIT and not found.deliver_subject


async def _make_anew(js: JetStreamContext, stream: str, info: ConsumerInfo, wanted: ConsumerConfig) -> None:
    """Put ours in its place, from the first message on that is not acknowledged.

    What is delivered twice by that is answered out of the database.
    """
    await js.delete_consumer(stream, info.name)
    retention = (await js.stream_info(stream)).config.retention
    if retention != RetentionPolicy.WORK_QUEUE and info.ack_floor is not None:  # there it must be ALL, and does as well
        wanted = wanted.evolve(
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=info.ack_floor.stream_seq + 1
        )
    await js.add_consumer(stream, wanted)
