"""Pulls requests from NATS, runs the handler, publishes the results, and only then acknowledges.

`handler.py` does the work of a request, `connection.py` keeps NATS connected; nothing here parses a message.

A pull asks for one message, so that no request waits in this process while another process is idle.
"""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress

from nats.aio.msg import Msg

from unde_catalog.services.user_media import dead_letters, responses
from unde_catalog.services.user_media.connection import NATS_ERRORS, Connection, PublishRefused
from unde_catalog.services.user_media.handler import Delivery, RequestHandler, RequestResult, RetryAfter
from unde_catalog.services.user_media.metrics import UserMediaMetrics
from unde_catalog.services.user_media.subjects import DEAD, QUEUES, Queue
from unde_catalog.stores.db.database import DatabaseUnavailable
from unde_catalog.stores.objects.objects import StorageUnavailable
from unde_catalog.stores.staging.user_media.media_requests import RequestKey
from unde_catalog.text import first_line

PULL_SECONDS = 2.0  # an idle worker repeats its pull this often, and sees `stop` at most this late
RETRY_SECONDS = 5.0  # before redelivery after an error of the database, the object store or this program

_log = logging.getLogger(__name__)


class UserMediaConsumer:
    """All queues of one process: `run` until `stop`. Several processes share the queues."""

    def __init__(self, connection: Connection, handler: RequestHandler, metrics: UserMediaMetrics) -> None:
        self._connection, self._handler, self._metrics = connection, handler, metrics
        self._stopping = False
        self._workers: list[asyncio.Task[None]] = []

    async def run(self, queues: Sequence[Queue] = QUEUES) -> None:
        """Pull and process requests until `stop`."""
        for queue in queues:
            pull_lock = asyncio.Lock()
            self._workers += [asyncio.create_task(self._work(queue, pull_lock)) for _ in range(queue.concurrency)]
        await asyncio.gather(*self._workers, return_exceptions=True)

    async def stop(self, seconds: float) -> None:
        """Pull nothing more, wait up to `seconds` for running requests, and release the others for redelivery."""
        self._stopping = True
        if not self._workers:
            return
        # Pulls end first: a cancelled pull stays open at the server, which would deliver a released message to it.
        _, busy = await asyncio.wait(self._workers, timeout=max(seconds, PULL_SECONDS + 1))
        if busy:
            _log.warning("released %d requests that are still running after %g s", len(busy), seconds)
            for worker in busy:
                worker.cancel()
            await asyncio.wait(busy)

    async def _work(self, queue: Queue, pull_lock: asyncio.Lock) -> None:
        """Process one request after the other. The lock keeps one pull per queue open, so replies cannot mix."""
        while not self._stopping:
            async with pull_lock:
                message = None if self._stopping else await self._connection.next_message(queue, PULL_SECONDS)
            if message is None:
                continue
            if self._stopping:
                await self._redeliver(message, 0)
                continue
            self._metrics.in_progress(queue.header, 1)
            heartbeat = asyncio.create_task(self._send_heartbeats(message))
            try:
                await self._process(queue, message)
            finally:
                heartbeat.cancel()
                self._metrics.in_progress(queue.header, -1)

    async def _send_heartbeats(self, message: Msg) -> None:
        """Keep the server from redelivering a message that is being processed."""
        while True:
            await asyncio.sleep(self._connection.ack_wait / 3)
            with suppress(*NATS_ERRORS):  # a redelivery meanwhile is safe: both deliveries send the same result
                await message.in_progress()

    async def _process(self, queue: Queue, message: Msg) -> None:
        metadata = message.metadata
        key = RequestKey(metadata.stream, metadata.sequence.stream, metadata.timestamp)
        delivery = Delivery(key, queue, message.data)
        extra = {"stream": key.stream, "sequence": key.sequence, "delivery": metadata.num_delivered}
        try:
            outcome = await self._handler.handle(delivery)
            if isinstance(outcome, RetryAfter):
                _log.info("redelivery in %g s: %s", outcome.seconds, outcome.reason, extra=extra)
                self._metrics.redelivered("to_come")
                await self._redeliver(message, outcome.seconds)
                return
            await self._publish_and_ack(delivery, outcome, message)
            self._record(queue, outcome, extra)
        except asyncio.CancelledError:
            await self._redeliver(message, 0)
            with suppress(DatabaseUnavailable):
                await self._handler.release(delivery)
            raise
        except (DatabaseUnavailable, StorageUnavailable) as error:
            _log.error("redelivery in %g s: %s", RETRY_SECONDS, error, extra=extra)
            self._metrics.redelivered("database" if isinstance(error, DatabaseUnavailable) else "store")
            await self._redeliver(message, RETRY_SECONDS)
        except NATS_ERRORS as error:
            # Once a minute, not for each of thousands of requests; the metric counts them.
            cause = first_line(error) or type(error).__name__
            self._connection.warn(f"results are not published, requests are redelivered: {cause}")
            self._metrics.redelivered("nats")
            await self._redeliver(message, RETRY_SECONDS if isinstance(error, PublishRefused) else PULL_SECONDS)
        except Exception:  # a bug must not stop the worker; the request is retried
            _log.exception("redelivery in %g s after an unexpected error", RETRY_SECONDS, extra=extra)
            self._metrics.redelivered("bug")
            await self._redeliver(message, RETRY_SECONDS)

    async def _publish_and_ack(self, delivery: Delivery, outcome: RequestResult, message: Msg) -> None:
        """Publish the result, then acknowledge. After a crash in between, the redelivery publishes the same bytes."""
        settled, key = outcome.settled, delivery.key
        received = message.headers or {}
        message_id = dead_letters.message_id(key)
        correlation = {"correlation_id": received.get("correlation_id", message_id)}
        if settled.subject is not None and settled.answer is not None:
            headers = {"Nats-Msg-Id": message_id, "content-type": "application/json", **correlation}
            if settled.priority is not None:
                headers["Unde-Priority"] = str(settled.priority)
            await self._connection.publish(settled.subject, settled.answer, headers)
        if settled.reason is not None:
            limit = self._connection.max_payload
            body, headers = dead_letters.copy(
                key, delivery.queue.subject, delivery.body, received, settled.reason, limit
            )
            await self._connection.publish(DEAD, body, headers | correlation)
            await message.term()
        else:
            await message.ack_sync()

    def _record(self, queue: Queue, outcome: RequestResult, extra: dict[str, object]) -> None:
        """Count and log a request that ended."""
        settled, extra = outcome.settled, extra | responses.log_fields(outcome.request)
        if outcome.repeated:
            self._metrics.repeated()
            _log.info("result of an earlier delivery sent again (%s)", settled.state, extra=extra)
            return
        self._metrics.ended(queue.header, responses.describe(outcome.request).photos, settled)
        extra |= {
            "stored": settled.stored, "failed": settled.failed, "bytes": settled.bytes, "seconds": settled.seconds
        }  # fmt: skip
        if settled.reason is not None:
            _log.error("moved to %s: %s", DEAD, settled.reason, extra=extra)
        else:
            _log.info("%s", settled.state, extra=extra)

    async def _redeliver(self, message: Msg, seconds: float) -> None:
        """Ask the server to deliver it again after `seconds`; if NATS is unavailable, it does so after `ack_wait`."""
        with suppress(*NATS_ERRORS):
            await message.nak(delay=seconds)
