"""The connection to NATS: made, kept, and made sure of again after every break.

What is sent over it is `consumer.py`'s.

After a break the server may have lost its streams, so nothing is taken until they are declared again.
"""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from urllib.parse import urlsplit

from faststream import AckPolicy
from faststream.nats import JStream, NatsBroker, NatsMessage, PullSub
from faststream.nats.subscriber.usecases import PullStreamSubscriber
from nats.aio.client import Client
from nats.errors import Error as NatsError

from unde_catalog.services.user_media.metrics import UserMediaMetrics
from unde_catalog.services.user_media.streams import StreamsError, declare
from unde_catalog.services.user_media.subjects import Queue
from unde_catalog.text import first_line

NATS_ERRORS = (NatsError, TimeoutError, ConnectionError)
RETRY_SECONDS = 2.0
GIVE_UP_SECONDS = 30.0  # a client that is not connected for so long makes way for a new one
PUBLISH_SECONDS = 10.0
_LEAST_PAYLOAD = 65_536
_SAY_AGAIN_SECONDS = 60.0  # a trouble that stays is told so often

_log = logging.getLogger(__name__)


class Connection:
    """One connection with its streams and consumers. `ack_wait`: seconds a message in hand may be silent."""

    def __init__(self, servers: Sequence[str], ack_wait: float, metrics: UserMediaMetrics) -> None:
        self.ack_wait = ack_wait
        self.where = ", ".join(f"{url.hostname}:{url.port or 4222}" for url in map(urlsplit, servers))
        self._servers, self._metrics = list(servers), metrics
        self._ready, self._unsure = asyncio.Event(), asyncio.Event()
        self._broker, self._client = self._new_broker(), None
        self._streams: Mapping[str, str] = {}
        self._pulls: dict[str, PullStreamSubscriber] = {}
        self._said, self._said_at, self._closing = "", 0.0, False

    @property
    def ready(self) -> bool:
        """Whether requests can be taken now."""
        return self._ready.is_set()

    @property
    def max_payload(self) -> int:
        """Bytes a message may have."""
        return self._client.max_payload if self._client is not None else _LEAST_PAYLOAD

    async def open(self) -> None:
        """Connect, for as long as that takes, and keep streams and consumers declared from then on, until cancelled.

        FastStream ends a client's own reconnecting for good where a server says no, as it may in the middle of its
        restart (wrong password, too many connections): such a client makes way for a new one.
        """
        while True:
            try:
                self._client = await self._broker.connect()
                await self._broker.start()
            except NATS_ERRORS as error:
                await self._on_error(error)
                await asyncio.sleep(RETRY_SECONDS)
            else:
                self._pulls.clear()
                self._unsure.set()
                await self._keep(self._client)
                self._ready.clear()
                with suppress(*NATS_ERRORS):
                    await self._client.close()
            self._broker = self._new_broker()

    async def _keep(self, client: Client) -> None:
        """Declare the streams whenever they may have changed; returns when the client is of no more use."""
        last_seen = time.monotonic()
        while not client.is_closed and time.monotonic() < last_seen + GIVE_UP_SECONDS:
            with suppress(TimeoutError):
                async with asyncio.timeout(RETRY_SECONDS):
                    await self._unsure.wait()
            if not client.is_connected:
                continue
            last_seen = time.monotonic()
            if not self._unsure.is_set():
                continue
            self._unsure.clear()
            try:
                declared = await declare(client.jetstream(), self.ack_wait)
            except (StreamsError, *NATS_ERRORS) as error:
                self._say(f"no requests are taken from NATS at {self.where}: {_words(error)}")
                await asyncio.sleep(RETRY_SECONDS)
                self._unsure.set()
            else:
                if declared.streams != self._streams:
                    self._pulls.clear()
                self._streams = declared.streams
                self._ready.set()
                self._metrics.connected(True)
                self._said = ""
                _log.info("connected to NATS at %s, its streams are there", self.where)

    async def next_message(self, queue: Queue, seconds: float) -> NatsMessage | None:
        """The queue's next message within so many seconds; None for none, also while NATS is away."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ready.wait()
        if not self.ready:
            return None
        try:
            pull = self._pulls.get(queue.subject)
            if pull is None:
                pull = _pull(self._broker, queue, self._streams[queue.subject], seconds)
                await pull.start()
                self._pulls[queue.subject] = pull
            asked = time.monotonic()
            message = await pull.get_one(timeout=seconds)
            if message is None and time.monotonic() < asked + seconds / 2:  # refused, and not yet said why
                await asyncio.sleep(seconds / 2)
            return message
        except NATS_ERRORS as error:
            if self._ready.is_set():
                self._lost(f"{queue.subject} can't be read: {_words(error)}")
            return None

    async def publish(self, subject: str, body: bytes, headers: dict[str, str], correlation_id: str) -> None:
        """Put a message into its stream; one of NATS_ERRORS unless the stream says that it is there."""
        await self._broker.publish(
            body, subject, headers=headers, correlation_id=correlation_id, timeout=PUBLISH_SECONDS,
            stream=self._streams[subject],
        )  # fmt: skip

    async def close(self) -> None:
        """Send what is not sent yet, and disconnect."""
        self._closing = True
        self._ready.clear()
        with suppress(*NATS_ERRORS):
            await self._broker.stop()

    def _lost(self, sentence: str) -> None:
        self._say(sentence)
        self._ready.clear()
        self._metrics.connected(False)
        self._unsure.set()

    def _say(self, sentence: str) -> None:
        now = time.monotonic()
        if sentence != self._said or now > self._said_at + _SAY_AGAIN_SECONDS:
            _log.warning("%s", sentence)
            self._said, self._said_at = sentence, now

    async def _on_error(self, error: Exception) -> None:
        self._say(f"NATS at {self.where} can't be used, and is tried again: {_words(error)}")

    async def _on_disconnect(self) -> None:
        self._ready.clear()
        self._metrics.connected(False)
        if not self._closing:
            _log.warning("NATS at %s is gone: it goes on when it is back", self.where)

    async def _on_reconnect(self) -> None:
        self._unsure.set()

    def _new_broker(self) -> NatsBroker:
        return NatsBroker(
            self._servers,
            name="unde-catalog user-media",
            max_reconnect_attempts=-1,
            reconnect_time_wait=int(RETRY_SECONDS),
            logger=None,  # it would tell of every message, and of every try to reach a server
            error_cb=self._on_error,
            disconnected_cb=self._on_disconnect,
            reconnected_cb=self._on_reconnect,
        )


def _pull(broker: NatsBroker, queue: Queue, stream: str, seconds: float) -> PullStreamSubscriber:
    """Bound to the durable consumer that `streams.py` made; acknowledged by hand."""
    return broker.subscriber(
        queue.subject,
        stream=JStream(stream, declare=False),
        durable=queue.durable,
        pull_sub=PullSub(batch_size=1, timeout=seconds),
        ack_policy=AckPolicy.MANUAL,
    )


def _words(error: BaseException) -> str:
    return first_line(error)
