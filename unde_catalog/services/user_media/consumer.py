"""Takes requests from their streams, lets them be handled, sends the answers, and only then acknowledges.

What a request needs is in `handler.py`, how streams are made in `streams.py`; nothing here reads a message.

FastStream's own consuming is not used: it waits for all messages of a pull before the next one, sends no heartbeats,
restarts a consumer that fails at once and for ever, and on its way out drops what it has just pulled. Its subscribers
are asked for one message at a time instead (`get_one`), each hand for its own.
"""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress

from faststream.nats import NatsMessage

from unde_catalog.services.user_media import dead_letters, responses
from unde_catalog.services.user_media.connection import NATS_ERRORS, Connection
from unde_catalog.services.user_media.handler import Delivery, RequestHandler, RequestResult, RetryAfter
from unde_catalog.services.user_media.metrics import UserMediaMetrics
from unde_catalog.services.user_media.subjects import DEAD, QUEUES, Queue
from unde_catalog.stores.db.database import DatabaseUnavailable
from unde_catalog.stores.objects.objects import StorageUnavailable
from unde_catalog.stores.staging.user_media.requests import RequestKey

PULL_SECONDS = 2.0  # an idle hand asks anew so often, and notices the end as late as that
OUR_FAULT_SECONDS = 5.0  # before a request is delivered again that the database or the store kept us from ending

_log = logging.getLogger(__name__)


class UserMediaConsumer:
    """All queues of one process. `run` until `stop`; a second instance anywhere shares the work."""

    def __init__(self, connection: Connection, handler: RequestHandler, metrics: UserMediaMetrics) -> None:
        self._connection, self._handler, self._metrics = connection, handler, metrics
        self._stopping = False
        self._hands: list[asyncio.Task[None]] = []

    async def run(self, queues: Sequence[Queue] = QUEUES) -> None:
        """Take and handle until `stop`."""
        for queue in queues:
            one_at_a_time = asyncio.Lock()
            self._hands += [asyncio.create_task(self._hand(queue, one_at_a_time)) for _ in range(queue.in_hand)]
        await asyncio.gather(*self._hands, return_exceptions=True)

    async def stop(self, seconds: float) -> None:
        """Take nothing more, end what is in hand within so many seconds, and leave the rest to others at once."""
        self._stopping = True
        if not self._hands:
            return
        # A pull that is broken off stays open at the server, which would send it what is given back.
        _, busy = await asyncio.wait(self._hands, timeout=max(seconds, PULL_SECONDS + 1))
        if busy:
            _log.warning("%d hands are not through after %g s: others may take their requests", len(busy), seconds)
            for hand in busy:
                hand.cancel()
            await asyncio.wait(busy)

    async def _hand(self, queue: Queue, one_at_a_time: asyncio.Lock) -> None:
        """One request after the other. Hands of a queue pull in turn, so that none takes another one's message."""
        while not self._stopping:
            async with one_at_a_time:
                message = None if self._stopping else await self._connection.next_message(queue, PULL_SECONDS)
            if message is None:
                continue
            if self._stopping:
                await self._put_off(message, 0)
                continue
            self._metrics.in_hand(queue.header, 1)
            beat = asyncio.create_task(self._heartbeat(message))
            try:
                await self._one(queue, message)
            finally:
                beat.cancel()
                self._metrics.in_hand(queue.header, -1)

    async def _heartbeat(self, message: NatsMessage) -> None:
        """Say that it is being worked on, so that nobody else gets it meanwhile."""
        while True:
            await asyncio.sleep(self._connection.ack_wait / 3)
            with suppress(*NATS_ERRORS):  # while NATS is away another one may get it, too; both come to one answer
                await message.in_progress()

    async def _one(self, queue: Queue, message: NatsMessage) -> None:
        place = message.raw_message.metadata
        key = RequestKey(place.stream, place.sequence.stream, place.timestamp)
        delivery = Delivery(key, queue, message.raw_message.data)
        where = {"stream": key.stream, "sequence": key.sequence, "delivery": place.num_delivered}
        try:
            outcome = await self._handler.handle(delivery)
            if isinstance(outcome, RetryAfter):
                _log.info("put off for %g s: %s", outcome.after, outcome.reason, extra=where)
                self._metrics.put_off("to_come")
                await self._put_off(message, outcome.after)
                return
            await self._tell(delivery, outcome, message)
            self._count(queue, outcome, where)
        except asyncio.CancelledError:
            await self._put_off(message, 0)
            with suppress(DatabaseUnavailable):
                await self._handler.give_back(delivery)
            raise
        except (DatabaseUnavailable, StorageUnavailable) as error:
            _log.error("put off for %g s: %s", OUR_FAULT_SECONDS, error, extra=where)
            self._metrics.put_off("database" if isinstance(error, DatabaseUnavailable) else "store")
            await self._put_off(message, OUR_FAULT_SECONDS)
        except NATS_ERRORS as error:
            _log.error("its answer is not out, and will be sent again: %s %s", type(error).__name__, error, extra=where)
            self._metrics.put_off("nats")
            await self._put_off(message, PULL_SECONDS)
        except Exception:  # ours: the hand must live, and the request comes again
            _log.exception("put off for %g s, for a fault of ours", OUR_FAULT_SECONDS, extra=where)
            self._metrics.put_off("bug")
            await self._put_off(message, OUR_FAULT_SECONDS)

    async def _tell(self, delivery: Delivery, ended: RequestResult, message: NatsMessage) -> None:
        """Send what there is to say, then acknowledge; whoever is killed in between says the same again."""
        settled, key = ended.settled, delivery.key
        headers = message.headers or {}
        known_as = dead_letters.message_id(key)
        correlation_id = headers.get("correlation_id", known_as)
        if settled.subject is not None and settled.answer is not None:
            told = {"Nats-Msg-Id": known_as, "content-type": "application/json"}
            if settled.priority is not None:
                told["Unde-Priority"] = str(settled.priority)
            await self._connection.publish(settled.subject, settled.answer, told, correlation_id)
        if settled.reason is not None:
            most = self._connection.max_payload
            body, told = dead_letters.copy(key, delivery.queue.subject, delivery.body, headers, settled.reason, most)
            await self._connection.publish(DEAD, body, told, correlation_id)
            await message.reject()
        else:
            await message.ack_sync()

    def _count(self, queue: Queue, ended: RequestResult, where: dict[str, object]) -> None:
        settled, said = ended.settled, where | responses.fields(ended.request)
        if ended.repeated:
            self._metrics.repeated()
            _log.info("answered again as before (%s)", settled.state, extra=said)
            return
        self._metrics.ended(queue.header, responses.about(ended.request).photos, settled)
        said |= {"stored": settled.stored, "failed": settled.failed, "bytes": settled.bytes, "seconds": settled.seconds}
        if settled.reason is not None:
            _log.error("put aside: %s", settled.reason, extra=said)
        else:
            _log.info("%s", settled.state, extra=said)

    async def _put_off(self, message: NatsMessage, seconds: float) -> None:
        with suppress(*NATS_ERRORS):  # then it comes again when nobody has spoken for it for long enough
            await message.nack(seconds or None)
