"""One request, from its bytes to how it ended: fetch, store, write down. Knows no NATS and no FastStream.

The order is what makes it safe: the object, its row, the answer's row. Publishing and acknowledging come after it, in
`consumer.py`; whoever is killed anywhere leaves what the next one goes on from.
"""

import asyncio
import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from unde_catalog.net.clock import SYSTEM_CLOCK, Clock
from unde_catalog.services.user_media import responses
from unde_catalog.services.user_media.dedup import Deduplicator
from unde_catalog.services.user_media.fetch_result import FetchedPhoto, FetchFailed
from unde_catalog.services.user_media.messages import InferencePhoto, TrainPhoto, TrainRequest
from unde_catalog.services.user_media.object_keys import BadKey, inference_key, train_key
from unde_catalog.services.user_media.parsing import Request, UnreadableMessage, read
from unde_catalog.services.user_media.records import Records
from unde_catalog.services.user_media.responses import Outcome, PhotoFailed
from unde_catalog.services.user_media.subjects import Queue
from unde_catalog.stores.db.database import DatabaseUnavailable
from unde_catalog.stores.objects.objects import StorageUnavailable
from unde_catalog.stores.staging.user_media.requests import ClaimedRequest, RequestKey, SettledRequest, StoredUserPhoto

WAITS = (2.0, 10.0, 30.0, 60.0)  # seconds before the tries after the first

_log = logging.getLogger(__name__)


class PhotoFetcher(Protocol):
    """Telegram, as far as a request wants it."""

    async def fetch(self, file_id: str, deadline_seconds: float) -> FetchedPhoto | FetchFailed:
        """The photo of that id within so many seconds, or why it is not there."""
        ...


class PhotoBucket(Protocol):
    """The private bucket, as far as a request wants it."""

    async def put(self, key: str, data: bytes, content_type: str, metadata: Mapping[str, str]) -> None:
        """Store a photo; `StorageUnavailable`."""
        ...

    async def delete(self, keys: Sequence[str]) -> None:
        """Delete photos, whether they are there or not; `StorageUnavailable`."""
        ...

    def url(self, key: str) -> str:
        """Where a photo is."""
        ...


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message as it came. `key.sent_at` is the stream's time, which is the same in every delivery."""

    key: RequestKey
    queue: Queue
    body: bytes


@dataclass(frozen=True, slots=True)
class RetryAfter:
    """Not ended: another delivery after so many seconds may end it."""

    after: float
    reason: str


@dataclass(frozen=True, slots=True)
class RequestResult:
    """How the request ended; `repeated`: in an earlier delivery, of which only the answer may not have gone out."""

    request: Request | UnreadableMessage
    settled: SettledRequest
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class HandlerLimits:
    """The settings a request is bound by; seconds and photos."""

    photo_seconds: float
    batch_seconds: float
    batch_photos: int
    downloads: int


class RequestHandler:
    """Handles deliveries, any number at once; photos of batches share `limits.downloads` hands."""

    def __init__(
        self,
        telegram: PhotoFetcher,
        bucket: PhotoBucket,
        records: Records,
        limits: HandlerLimits,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._telegram, self._bucket, self._records, self._limits = telegram, bucket, records, limits
        self._clock = clock
        self._downloads = asyncio.Semaphore(limits.downloads)

    async def handle(self, delivery: Delivery) -> RequestResult | RetryAfter:
        """How the request ended, now or in an earlier delivery.

        `DatabaseUnavailable` where that can't be written down.
        """
        request = read(delivery.queue.header, delivery.body, self._limits.batch_photos)
        taken = await self._records.take(delivery.key, responses.about(request))
        if isinstance(taken, SettledRequest):
            return RequestResult(request, taken, repeated=True)
        if isinstance(request, UnreadableMessage):
            return await self._settle(delivery, request, responses.unreadable(request, delivery.queue, self._now()))
        most = delivery.queue.tries
        if taken.tries > most:  # it never came to an end, so it may well be what kills us
            return await self._give_up(delivery, request, f"it was begun {most} times and never came to an end")
        try:
            return await self._work(delivery, request, taken)
        except (DatabaseUnavailable, StorageUnavailable):
            raise
        except Exception as error:
            _log.exception("a request can't be handled, for a fault of ours", extra=responses.fields(request))
            if taken.tries < most:
                return RetryAfter(self.wait(taken.tries), _kind(error))
            return await self._give_up(delivery, request, f"it can't be handled, for a fault of ours: {_kind(error)}")

    async def give_back(self, delivery: Delivery) -> None:
        """Take back the try of a request that is left to others before its end."""
        await self._records.release(delivery.key)

    async def _work(self, delivery: Delivery, request: Request, taken: ClaimedRequest) -> RequestResult | RetryAfter:
        began = self._clock.now()
        photos = request.photos if isinstance(request, TrainRequest) else [request.photo]
        outcomes = await self._photos(delivery.key, request, photos, taken)
        to_come = [one for one in outcomes if isinstance(one, PhotoFailed) and one.again]
        if to_come and taken.tries < delivery.queue.tries:
            return RetryAfter(self.wait(taken.tries), f"{len(to_come)} photos may come yet: {to_come[0].detail}")
        seconds = self._clock.now() - began
        if isinstance(request, TrainRequest):
            settled = responses.batch(request, outcomes, self._bucket.url, seconds, self._now())
        else:
            settled = responses.single(request, outcomes[0], self._bucket.url, seconds, self._now())
        stored = [one for one in outcomes if isinstance(one, StoredUserPhoto)]
        return await self._settle(delivery, request, settled, stored)

    async def _give_up(self, delivery: Delivery, request: Request, reason: str) -> RequestResult:
        return await self._settle(delivery, request, responses.gave_up(request, reason, self._now()))

    @staticmethod
    def wait(tries: int) -> float:
        """Seconds before the next try after so many."""
        return WAITS[min(tries, len(WAITS)) - 1]

    async def _photos(
        self, key: RequestKey, request: Request, photos: Sequence[TrainPhoto | InferencePhoto], taken: ClaimedRequest
    ) -> list[Outcome]:
        """The outcome of each photo, in order; what is not done within the time-out has failed."""
        outcomes: dict[int, Outcome] = {**responses.unwanted(photos), **taken.photos}
        twins = Deduplicator(one for n, one in taken.photos.items() if n < len(photos) and not photos[n].name)
        left = iter([n for n in range(len(photos)) if n not in outcomes])
        down: list[DatabaseUnavailable] = []

        async def hand() -> None:
            for n in left:  # shared: each hand takes the next one
                try:
                    outcomes[n] = await self._photo_in_turn(key, request, n, photos[n], twins)
                except DatabaseUnavailable as error:  # as for the whole batch: nothing more is begun
                    down.append(error)
                if down:
                    return

        hands = min(self._limits.downloads, len(photos) - len(outcomes))
        try:
            async with asyncio.timeout(self._limits.batch_seconds), asyncio.TaskGroup() as group:
                for _ in range(hands):
                    group.create_task(hand())
        except TimeoutError:
            _log.warning(
                "a batch was not done within %g s", self._limits.batch_seconds, extra=responses.fields(request)
            )
        if down:
            raise down[0]
        late = PhotoFailed("DOWNLOAD_TIMEOUT", f"the batch was not done within {self._limits.batch_seconds:g} s")
        return [outcomes.get(n, late) for n in range(len(photos))]

    async def _photo_in_turn(
        self, key: RequestKey, request: Request, n: int, photo: TrainPhoto | InferencePhoto, twins: Deduplicator
    ) -> Outcome:
        """A photo of a batch when one of the hands that all batches share is free; a single one at once."""
        if not isinstance(request, TrainRequest):
            return await self._photo(key, request, n, photo, twins)
        async with self._downloads:
            return await self._photo(key, request, n, photo, twins)

    async def _photo(
        self, key: RequestKey, request: Request, n: int, photo: TrainPhoto | InferencePhoto, twins: Deduplicator
    ) -> Outcome:
        """Fetch one photo and store it, with its row."""
        began = self._clock.now()
        make_key = train_key if isinstance(request, TrainRequest) else inference_key

        def name(extension: str) -> str:
            return make_key(
                request.bot_id, request.user_id, request.avatar_id, photo.name,
                file_id=photo.file_id, at=key.sent_at, extension=extension,
            )  # fmt: skip

        try:
            name("jpg")  # before anything is fetched for it
        except BadKey as error:
            return PhotoFailed(responses.refusal_code(request), str(error))
        fetched = await self._telegram.fetch(photo.file_id, self._limits.photo_seconds)
        if isinstance(fetched, FetchFailed):
            return PhotoFailed(fetched.code, fetched.detail, again=fetched.again)
        async with twins.in_turn(None if photo.name else fetched.file_unique_id) as twin:
            place = twin.key if twin is not None else name(fetched.extension)
            if twin is None:
                try:
                    await self._bucket.put(place, fetched.data, fetched.content_type, _metadata(request, photo.file_id))
                except StorageUnavailable as error:
                    _log.warning("a photo can't be stored: %s", error, extra=responses.fields(request, photo.file_id))
                    return PhotoFailed("S3_UPLOAD_ERROR", "the photo could not be stored", again=True)
            stored = StoredUserPhoto(
                n, photo.file_id, fetched.file_unique_id, place, len(fetched.data),
                hashlib.sha256(fetched.data).hexdigest(), fetched.content_type, round(self._clock.now() - began, 3),
            )  # fmt: skip
            if not await self._records.photo_stored(key, stored):
                await self._bucket.delete([place])  # its person was forgotten while it came
                return PhotoFailed(responses.refusal_code(request), "its person was forgotten")
            if not photo.name:
                twins.add(stored)
        _log.debug("stored %s", place, extra=responses.fields(request, photo.file_id))
        return stored

    async def _settle(
        self,
        delivery: Delivery,
        request: Request | UnreadableMessage,
        settled: SettledRequest,
        stored: Sequence[StoredUserPhoto] = (),
    ) -> RequestResult:
        final = await self._records.settle(delivery.key, settled)
        if final.state == "forgotten" and stored:
            # Its person was forgotten while it was in hand: what came after that goes, too.
            await self._bucket.delete([one.key for one in stored])
            _log.warning("a request was forgotten while it was in hand: its photos are deleted again")
        return RequestResult(request, final, repeated=final is not settled)

    def _now(self) -> datetime:
        return responses.moment(self._clock.wall())


def _kind(error: Exception) -> str:
    """What kind of error it was, of a group the first one's; its words may hold anything."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return type(error).__name__


def _metadata(request: Request, file_id: str) -> dict[str, str]:
    """What an object says of itself; values are ASCII, as headers are."""
    told = {"bot": request.bot_id, "user": request.user_id, "avatar": request.avatar_id, "file-id": file_id}
    if isinstance(request, TrainRequest) and request.batch_id:
        told["batch"] = request.batch_id
    return {name: str(value).encode("ascii", "replace").decode() for name, value in told.items()}
