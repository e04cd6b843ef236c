"""Declares the streams and consumers at a NATS server and updates older ones. Nothing is pulled or published here.

A subject that another stream already holds is used there, and settings that an operator chose are kept.
"""

import logging
from collections.abc import Mapping, Sequence

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

_SECONDS_PER_DAY = 86_400
_DESCRIPTION = "user media"
_log = logging.getLogger(__name__)


class StreamsError(RuntimeError):
    """The server cannot hold a stream or consumer: which one, the server's message, and what to do."""


async def declare(js: JetStreamContext, ack_wait: float, streams: Sequence[Stream] = STREAMS) -> Mapping[str, str]:
    """Create what is missing and update what is old; returns the stream name of each subject.

    It is idempotent, and safe in several processes at once.

    `ack_wait`: seconds after which an unacknowledged message without a heartbeat is redelivered. `StreamsError`.
    """
    names: dict[str, str] = {}
    try:
        for stream in streams:
            names |= await _declare_stream(js, stream)
        for queue in QUEUES:
            await _declare_consumer(js, names[queue.subject], queue, ack_wait)
    except ServiceUnavailableError as error:
        raise StreamsError(
            "JetStream does not respond: start the server with -js, or enable it for the account"
        ) from error
    return names


async def _declare_stream(js: JetStreamContext, stream: Stream) -> dict[str, str]:
    """The stream name of each of its subjects: this stream, or the one that already holds the subject."""
    holders = {subject: await _holder(js, subject) for subject in stream.subjects}
    others = {subject: name for subject, name in holders.items() if name not in (None, stream.name)}
    for subject, name in others.items():
        _log.info("subject %s belongs to the existing stream %s, using it unchanged", subject, name)
    own = [subject for subject in stream.subjects if subject not in others]
    if own:
        try:
            await _create_or_update(js, stream, own)
        except ServiceUnavailableError:
            raise
        except APIError as error:
            if await _declared_meanwhile(js, stream, own):  # another process was faster
                return await _declare_stream(js, stream)
            raise StreamsError(
                f"cannot create or update the stream {stream.name}: {error.description}; check nats stream info"
                f" {stream.name} and the account's limits"
            ) from error
    return {subject: others.get(subject) or stream.name for subject in stream.subjects}


async def _create_or_update(js: JetStreamContext, stream: Stream, subjects: list[str]) -> None:
    try:
        config = (await js.stream_info(stream.name)).config
    except NotFoundError:
        config = None
    if config is None:
        await js.add_stream(
            StreamConfig(
                name=stream.name,
                description=_DESCRIPTION,
                subjects=subjects,
                # A request stays until it is acknowledged; results and dead letters expire.
                retention=RetentionPolicy.WORK_QUEUE if stream.keep_days is None else RetentionPolicy.LIMITS,
                discard=DiscardPolicy.NEW if stream.keep_days is None else DiscardPolicy.OLD,
                max_age=(stream.keep_days or 0) * _SECONDS_PER_DAY,
                storage=StorageType.FILE,
                duplicate_window=stream.window,
            )
        )
        _log.info("created the stream %s", stream.name)
        return
    # Operators own replicas, limits and ages; a stream of an older version may lack subjects or a long enough window.
    missing = [subject for subject in subjects if subject not in (config.subjects or [])]
    window = max(config.duplicate_window or 0, stream.window)
    if config.max_age:
        window = min(window, config.max_age)  # the server's upper limit
    if missing or window != config.duplicate_window:
        await js.update_stream(
            config.evolve(subjects=[*(config.subjects or []), *missing], duplicate_window=window),
        )
        _log.info("updated the stream %s", stream.name)


async def _holder(js: JetStreamContext, subject: str) -> str | None:
    try:
        return await js.find_stream_name_by_subject(subject)
    except NotFoundError:
        return None


async def _declared_meanwhile(js: JetStreamContext, stream: Stream, subjects: list[str]) -> bool:
    """Whether each subject has a stream now, and this stream has its duplicate window."""
    for subject in subjects:
        holder = await _holder(js, subject)
        if holder is None:
            return False
        if holder == stream.name and (await js.stream_info(holder)).config.duplicate_window < stream.window:
            return False
    return True


async def _declare_consumer(js: JetStreamContext, stream: str, queue: Queue, ack_wait: float) -> None:
    config = ConsumerConfig(
        durable_name=queue.durable,
        description=_DESCRIPTION,
        deliver_policy=DeliverPolicy.ALL,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=ack_wait,
        max_deliver=-1,  # the database counts the tries, so that an outage does not use them up
        max_ack_pending=queue.ack_pending,
        filter_subject=queue.subject,
    )
    try:
        try:
            info = await js.consumer_info(stream, queue.durable)
        except NotFoundError:
            await js.add_consumer(stream, config)
            _log.info("created the consumer %s of the stream %s", queue.durable, stream)
            return
        if not _differs(info.config, config):
            return
        if _can_be_updated(info.config):
            updated = info.config.evolve(
                ack_wait=ack_wait, max_deliver=-1, backoff=None, max_ack_pending=queue.ack_pending,
                filter_subject=queue.subject, filter_subjects=None,
            )  # fmt: skip
            await js.add_consumer(stream, updated)
            _log.info("updated the consumer %s", queue.durable)
        else:
            await _recreate(js, stream, info, config)
            _log.warning("recreated the consumer %s: its configuration could not be updated", queue.durable)
    except ServiceUnavailableError:
        raise
    except APIError as error:
        in_the_way = await _readers(js, stream, queue)
        advice = (
            f"its subject is read by the consumer {', '.join(in_the_way)}; end that service and remove it with nats "
            f"consumer rm {stream} {in_the_way[0]}"
            if in_the_way
            else f"check nats consumer info {stream} {queue.durable}"
        )
        raise StreamsError(
            f"cannot create or update the consumer {queue.durable} of the stream {stream}: {error.description}; "
            f"{advice}"
        ) from error


async def _readers(js: JetStreamContext, stream: str, queue: Queue) -> list[str]:
    """Other consumers that get the queue's messages, of the first 256: in a work queue there can be only one."""
    found = []
    for one in await js.consumers_info(stream):
        config = one.config
        subjects = config.filter_subjects or ([config.filter_subject] if config.filter_subject else [">"])
        if one.name != queue.durable and any(_matches(subject, queue.subject) for subject in subjects):
            found.append(one.name)
    return found


def _matches(pattern: str, subject: str) -> bool:
    """Whether a NATS subject with wildcards covers a subject: `*` stands for a part, `>` for all that follow."""
    parts, wanted = pattern.split("."), subject.split(".")
    if parts[-1] == ">" and len(wanted) >= len(parts):
        parts, wanted = parts[:-1], wanted[: len(parts) - 1]
    return len(parts) == len(wanted) and all(one in ("*", other) for one, other in zip(parts, wanted, strict=True))


def _differs(existing: ConsumerConfig, config: ConsumerConfig) -> bool:
    names = ("ack_policy", "ack_wait", "max_deliver", "max_ack_pending", "filter_subject")
    return (
        any(getattr(existing, name) != getattr(config, name) for name in names)
        or bool(existing.backoff)
        or bool(existing.deliver_subject)
    )


def _can_be_updated(existing: ConsumerConfig) -> bool:
    """A server changes neither a consumer's acknowledgement policy nor whether it is a pull consumer."""
    return existing.ack_policy == AckPolicy.EXPLICIT and not existing.deliver_subject


async def _recreate(js: JetStreamContext, stream: str, info: ConsumerInfo, config: ConsumerConfig) -> None:
    """Replace the consumer, starting at the first unacknowledged message.

    Redelivered requests get their stored result from the database.
    """
    await js.delete_consumer(stream, info.name)
    retention = (await js.stream_info(stream)).config.retention
    if retention != RetentionPolicy.WORK_QUEUE and info.ack_floor is not None:  # a work queue allows only ALL
        config = config.evolve(
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=info.ack_floor.stream_seq + 1
        )
    await js.add_consumer(stream, config)
