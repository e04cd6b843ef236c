"""The NATS connection: opens it, replaces a client that closed for good, and declares the streams after each reconnect.

`consumer.py` decides what is pulled and published.

A server may lose its streams in a restart, so nothing is pulled until they are declared again. This uses `nats-py`
directly: one message is pulled at a time, and a handler of several minutes sends heartbeats.
"""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from urllib.parse import urlsplit

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import ConnectionClosedError
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import APIError

from unde_catalog.services.user_media.metrics import UserMediaMetrics
from unde_catalog.services.user_media.streams import StreamsError, declare
from unde_catalog.services.user_media.subjects import Queue
from unde_catalog.text import first_line

NATS_ERRORS = (NatsError, TimeoutError, ConnectionError)
RETRY_SECONDS = 2.0
REPLACE_SECONDS = 30.0  # a client that stays disconnected this long is replaced
PUBLISH_SECONDS = 10.0
_MIN_PAYLOAD = 65_536
_REPEAT_WARNING_SECONDS = 60.0

_log = logging.getLogger(__name__)


class PublishRefused(NatsError):
    """The server did not store a message: which stream refused it, and at which limit."""


class Connection:
    """One NATS client with its pull subscriptions. `ack_wait`: seconds without a heartbeat before redelivery."""

    def __init__(self, servers: Sequence[str], ack_wait: float, metrics: UserMediaMetrics) -> None:
        self.ack_wait = ack_wait
        self.address = ", ".join(f"{url.hostname}:{url.port or 4222}" for url in map(urlsplit, servers))
        self._servers, self._metrics = list(servers), metrics
        self._ready, self._declare_again = asyncio.Event(), asyncio.Event()
        self._client: Client | None = None
        self._streams: Mapping[str, str] = {}
        self._pulls: dict[str, JetStreamContext.PullSubscription] = {}
        self._last_warning, self._warned_at, self._closing = "", 0.0, False

    @property
    def ready(self) -> bool:
        """Whether requests can be pulled now."""
        return self._ready.is_set()

    @property
    def max_payload(self) -> int:
        """The server's limit for one message, in bytes."""
        return self._client.max_payload if self._client is not None else _MIN_PAYLOAD

    async def keep_open(self) -> None:
        """Connect and keep the streams declared until cancelled.

        A client reconnects by itself, but closes for good after some server errors, and a replacement starts over.
        """
        while True:
            client = await nats.connect(
                self._servers,
                name="unde-catalog user-media",
                max_reconnect_attempts=-1,
                reconnect_time_wait=int(RETRY_SECONDS),
                error_cb=self._on_error,
                disconnected_cb=self._on_disconnect,
                reconnected_cb=self._on_reconnect,
            )
            self._client = client
            self._pulls.clear()
            self._declare_again.set()
            await self._keep_streams(client)
            self._ready.clear()
            with suppress(*NATS_ERRORS):
                await client.close()

    async def _keep_streams(self, client: Client) -> None:
        """Declare the streams whenever they may have changed; return when the client must be replaced."""
        last_connected = time.monotonic()
        while not client.is_closed and time.monotonic() < last_connected + REPLACE_SECONDS:
            with suppress(TimeoutError):
                async with asyncio.timeout(RETRY_SECONDS):
                    await self._declare_again.wait()
            if not client.is_connected:
                continue
            last_connected = time.monotonic()
            if not self._declare_again.is_set():
                continue
            self._declare_again.clear()
            try:
                streams = await declare(client.jetstream(), self.ack_wait)
            except (StreamsError, *NATS_ERRORS) as error:
                self.warn(f"cannot declare the streams at {self.address}: {first_line(error)}")
                await asyncio.sleep(RETRY_SECONDS)
                self._declare_again.set()
            else:
                if streams != self._streams:
                    self._pulls.clear()
                self._streams = streams
                self._ready.set()
                self._metrics.connected(True)
                self._last_warning = ""
                _log.info("connected to NATS at %s, streams declared", self.address)

    async def next_message(self, queue: Queue, seconds: float) -> Msg | None:
        """The queue's next message, or None if there is none within `seconds`, also while NATS is unavailable."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ready.wait()
        if not self.ready or self._client is None:
            return None
        started = time.monotonic()
        try:
            pull = self._pulls.get(queue.subject)
            if pull is None:
                stream = self._streams[queue.subject]
                pull = await self._client.jetstream().pull_subscribe_bind(queue.durable, stream)
                self._pulls[queue.subject] = pull
            (message,) = await pull.fetch(1, timeout=seconds)
            return message
        except TimeoutError:
            if time.monotonic() < started + seconds / 2:  # the server refused the pull: do not ask again at once
                await asyncio.sleep(seconds / 2)
        except NATS_ERRORS as error:
            if self.ready:
                self.warn(f"cannot pull from {queue.subject}: {first_line(error)}")
                self._ready.clear()
                self._metrics.connected(False)
                self._declare_again.set()
        return None

    async def publish(self, subject: str, body: bytes, headers: dict[str, str]) -> None:
        """Publish to the subject's stream and wait until the stream confirms it; raises one of NATS_ERRORS."""
        if self._client is None:
            raise ConnectionClosedError
        stream = self._streams[subject]
        js = self._client.jetstream()
        try:
            await js.publish(subject, body, timeout=PUBLISH_SECONDS, stream=stream, headers=headers)
        except APIError as error:
            raise PublishRefused(await _refusal(js, stream, error)) from error

    async def close(self) -> None:
        """Send what is still buffered, and disconnect."""
        self._closing = True
        self._ready.clear()
        if self._client is None:
            return
        with suppress(*NATS_ERRORS):
            if self._client.is_connected:
                await self._client.flush()
        with suppress(*NATS_ERRORS):
            await self._client.close()

    def warn(self, sentence: str) -> None:
        """Log a warning; repeat the same one at most once a minute."""
        now = time.monotonic()
        if sentence != self._last_warning or now > self._warned_at + _REPEAT_WARNING_SECONDS:
            _log.warning("%s", sentence)
            self._last_warning, self._warned_at = sentence, now

    async def _on_error(self, error: Exception) -> None:
        self.warn(f"NATS error at {self.address}, retrying: {first_line(error)}")

    async def _on_disconnect(self) -> None:
        self._ready.clear()
        self._metrics.connected(False)
        if not self._closing:
            _log.warning("disconnected from NATS at %s, reconnecting", self.address)

    async def _on_reconnect(self) -> None:
        self._declare_again.set()


async def _refusal(js: JetStreamContext, stream: str, error: APIError) -> str:
    """Why a stream refuses messages, without numbers that change from one message to the next."""
    refused = f"the stream {stream} refuses messages ({error.description})"
    with suppress(*NATS_ERRORS):
        info = await js.stream_info(stream)
        config, state = info.config, info.state
        if config.max_msgs is not None and 0 < config.max_msgs <= state.messages:
            refused += f": it is full with max_msgs {config.max_msgs:,}"
        elif config.max_bytes is not None and 0 < config.max_bytes < state.bytes + _MIN_PAYLOAD:
            refused += f": it is full with max_bytes {config.max_bytes:,}"
    return f"{refused}; let its readers catch up, or raise its limit with nats stream edit {stream}"
