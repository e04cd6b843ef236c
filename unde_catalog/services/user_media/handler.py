"""Handles one request, from its bytes to its result: fetch the photos, store them, record the outcome.

NATS does not appear here: `consumer.py` publishes the result and acknowledges the message afterwards.

The order makes a crash safe at any point: first the object, then its row, then the row with the result. The next
delivery continues from what is recorded.
"""

import asyncio
import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from unde_catalog.net.clock import SYSTEM_CLOCK, Clock
from unde_catalog.services.user_media import responses
from unde_catalog.services.user_media.dedup import Deduplicator
from unde_catalog.services.user_media.fetch_result import FetchedPhoto, FetchFailed
from unde_catalog.services.user_media.messages import InferencePhoto, TrainPhoto, TrainRequest
from unde_catalog.services.user_media.object_keys import BadKey, inference_key, train_key
from unde_catalog.services.user_media.parsing import Request, UnreadableMessage, parse
from unde_catalog.services.user_media.private_metadata import without_private_metadata
from unde_catalog.services.user_media.records import Records
from unde_catalog.services.user_media.responses import Outcome, PhotoFailed
from unde_catalog.services.user_media.subjects import Queue
from unde_catalog.stores.db.database import DatabaseUnavailable
from unde_catalog.stores.objects.objects import StorageUnavailable
from unde_catalog.stores.staging.user_media.media_requests import (
    ClaimedRequest,
    RequestKey,
    SettledRequest,
    StoredUserPhoto,
)

RETRY_DELAYS = (2.0, 10.0, 30.0, 60.0)  # seconds before the second try, the third, ...; the last one repeats

_log = logging.getLogger(__name__)


class PhotoFetcher(Protocol):
    """The part of `Telegram` that a request needs."""

    async def fetch(self, file_id: str, deadline_seconds: float) -> FetchedPhoto | FetchFailed:
        """The photo with that id within `deadline_seconds`, or why there is none."""
        ...


class PhotoBucket(Protocol):
    """The part of `PrivateBucket` that a request needs."""

    async def put(self, key: str, data: bytes, content_type: str, metadata: Mapping[str, str]) -> None:
        """Store a photo; `StorageUnavailable`."""
        ...

    async def delete(self, keys: Sequence[str]) -> None:
        """Delete photos, ignoring missing ones; `StorageUnavailable`."""
        ...

    def url(self, key: str) -> str:
        """The URL of a photo."""
        ...


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivered message. `key.sent_at` is the stream's timestamp, the same in every delivery."""

    key: RequestKey
    queue: Queue
    body: bytes


@dataclass(frozen=True, slots=True)
class RetryAfter:
    """The request did not end: redeliver it after `seconds`."""

    seconds: float
    reason: str


@dataclass(frozen=True, slots=True)
class RequestResult:
    """How the request ended. `repeated`: an earlier delivery ended it, but its result may not have been published."""

    request: Request | UnreadableMessage
    settled: SettledRequest
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class HandlerLimits:
    """Seconds for a photo and for a batch, photos in a batch, and photos of batches in progress at once."""

    photo_seconds: float
    batch_seconds: float
    batch_photos: int
    downloads: int


class RequestHandler:
    """Handles any number of deliveries at once; photos of all batches share `limits.downloads` slots.

    `keep_metadata`: store photos as they came, also with the place where they were taken.
    """

    def __init__(
        self,
        telegram: PhotoFetcher,
        bucket: PhotoBucket,
        records: Records,
        limits: HandlerLimits,
        clock: Clock = SYSTEM_CLOCK,
        *,
        keep_metadata: bool = False,
    ) -> None:
        self._telegram, self._bucket, self._records, self._limits = telegram, bucket, records, limits
        self._clock, self._keep_metadata = clock, keep_metadata
        self._downloads = asyncio.Semaphore(limits.downloads)

    async def handle(self, delivery: Delivery) -> RequestResult | RetryAfter:
        """How the request ended, in this delivery or in an earlier one.

        `DatabaseUnavailable` if that cannot be recorded.
        """
        request = parse(delivery.queue.header, delivery.body, self._limits.batch_photos)
        claimed = await self._records.take(delivery.key, responses.describe(request))
        if isinstance(claimed, SettledRequest):
            return RequestResult(request, claimed, repeated=True)
        if isinstance(request, UnreadableMessage):
            return await self._settle(delivery, request, responses.unreadable(request, delivery.queue, self._now()))
        max_tries = delivery.queue.tries
        if claimed.tries > max_tries:  # no earlier try ended, so the request may be what kills the process
            return await self._give_up(delivery, request, f"no result after {max_tries} tries")
        try:
            return await self._process(delivery, request, claimed)
        except (DatabaseUnavailable, StorageUnavailable):
            raise
        except Exception as error:
            _log.exception("unexpected error in a request", extra=responses.log_fields(request))
            if claimed.tries < max_tries:
                return RetryAfter(_retry_delay(claimed.tries), _error_name(error))
            return await self._give_up(delivery, request, f"internal error: {_error_name(error)}")

    async def release(self, delivery: Delivery) -> None:
        """Release a request for another process; this try does not count."""
        await self._records.release(delivery.key)

    async def _process(
        self, delivery: Delivery, request: Request, claimed: ClaimedRequest
    ) -> RequestResult | RetryAfter:
        started = self._clock.now()
        photos = request.photos if isinstance(request, TrainRequest) else [request.photo]
        outcomes = await self._store_photos(delivery.key, request, photos, claimed)
        temporary = [one for one in outcomes if isinstance(one, PhotoFailed) and one.temporary]
        if temporary and claimed.tries < delivery.queue.tries:
            reason = f"{len(temporary)} photos failed for now: {temporary[0].detail}"
            return RetryAfter(_retry_delay(claimed.tries), reason)
        seconds = self._clock.now() - started
        if isinstance(request, TrainRequest):
            settled = responses.batch(request, outcomes, self._bucket.url, seconds, self._now())
        else:
            settled = responses.single(request, outcomes[0], self._bucket.url, seconds, self._now())
        stored = [one for one in outcomes if isinstance(one, StoredUserPhoto)]
        return await self._settle(delivery, request, settled, stored)

    async def _give_up(self, delivery: Delivery, request: Request, reason: str) -> RequestResult:
        return await self._settle(delivery, request, responses.given_up(request, reason, self._now()))

    async def _store_photos(
        self, key: RequestKey, request: Request, photos: Sequence[TrainPhoto | InferencePhoto], claimed: ClaimedRequest
    ) -> list[Outcome]:
        """The outcome of each photo, in order; a photo that is not finished within the batch time-out has failed."""
        outcomes: dict[int, Outcome] = {**responses.skipped(photos), **claimed.photos}
        dedup = Deduplicator(one for n, one in claimed.photos.items() if n < len(photos) and not photos[n].name)
        pending = iter([n for n in range(len(photos)) if n not in outcomes])
        database_errors: list[DatabaseUnavailable] = []

        async def work() -> None:
            for n in pending:  # all workers share the iterator
                try:
                    outcomes[n] = await self._store_in_slot(key, request, n, photos[n], dedup)
                except DatabaseUnavailable as error:  # it stops the whole batch: no further photo starts
                    database_errors.append(error)
                if database_errors:
                    return

        workers = min(self._limits.downloads, len(photos) - len(outcomes))
        try:
            async with asyncio.timeout(self._limits.batch_seconds), asyncio.TaskGroup() as group:
                for _ in range(workers):
                    group.create_task(work())
        except TimeoutError:
            _log.warning(
                "a batch timed out after %g s", self._limits.batch_seconds, extra=responses.log_fields(request)
            )
        if database_errors:
            raise database_errors[0]
        timed_out = PhotoFailed("DOWNLOAD_TIMEOUT", f"the batch timed out after {self._limits.batch_seconds:g} s")
        return [outcomes.get(n, timed_out) for n in range(len(photos))]

    async def _store_in_slot(
        self, key: RequestKey, request: Request, n: int, photo: TrainPhoto | InferencePhoto, dedup: Deduplicator
    ) -> Outcome:
        """A photo of a batch waits for one of the slots that all batches share; a single photo starts at once."""
        if not isinstance(request, TrainRequest):
            return await self._store(key, request, n, photo, dedup)
        async with self._downloads:
            return await self._store(key, request, n, photo, dedup)

    async def _store(
        self, key: RequestKey, request: Request, n: int, photo: TrainPhoto | InferencePhoto, dedup: Deduplicator
    ) -> Outcome:
        """Fetch one photo, store it, and record its row."""
        started = self._clock.now()
        make_key = train_key if isinstance(request, TrainRequest) else inference_key

        def object_key(extension: str) -> str:
            return make_key(
                request.bot_id, request.user_id, request.avatar_id, photo.name,
                file_id=photo.file_id, at=key.sent_at, extension=extension,
            )  # fmt: skip

        try:
            object_key("jpg")  # refuse a bad key before anything is downloaded
        except BadKey as error:
            return PhotoFailed(responses.refusal_code(request), str(error))
        fetched = await self._telegram.fetch(photo.file_id, self._limits.photo_seconds)
        if isinstance(fetched, FetchFailed):
            return PhotoFailed(fetched.code, fetched.detail, temporary=fetched.temporary)
        if not self._keep_metadata:
            data = await asyncio.to_thread(without_private_metadata, fetched.data)
            fetched = replace(fetched, data=data)
        async with dedup.lock(None if photo.name else fetched.file_unique_id) as duplicate:
            stored_key = duplicate.key if duplicate is not None else object_key(fetched.extension)
            if duplicate is None:
                metadata = _metadata(request, photo.file_id)
                try:
                    await self._bucket.put(stored_key, fetched.data, fetched.content_type, metadata)
                except StorageUnavailable as error:
                    extra = responses.log_fields(request, photo.file_id)
                    _log.warning("cannot store a photo: %s", error, extra=extra)
                    return PhotoFailed("S3_UPLOAD_ERROR", "the photo could not be stored", temporary=True)
            stored = StoredUserPhoto(
                n, photo.file_id, fetched.file_unique_id, stored_key, len(fetched.data),
                hashlib.sha256(fetched.data).hexdigest(), fetched.content_type, round(self._clock.now() - started, 3),
            )  # fmt: skip
            if not await self._records.record_photo(key, stored):
                await self._bucket.delete([stored_key])  # the user was erased during the download
                return PhotoFailed(responses.refusal_code(request), "the user's data was erased")
            if not photo.name:
                dedup.add(stored)
        _log.debug("stored %s", stored_key, extra=responses.log_fields(request, photo.file_id))
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
            # The user was erased while the request ran: delete what it stored since.
            await self._bucket.delete([one.key for one in stored])
            _log.warning("the user of a running request was erased: deleted its %d photos", len(stored))
        return RequestResult(request, final, repeated=final is not settled)

    def _now(self) -> datetime:
        return responses.utc(self._clock.wall())


def _retry_delay(tries: int) -> float:
    """Seconds to wait after that many tries."""
    return RETRY_DELAYS[min(tries, len(RETRY_DELAYS)) - 1]


def _error_name(error: Exception) -> str:
    """The error's class, of a group the first one's. Its message may contain secrets."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return type(error).__name__


def _metadata(request: Request, file_id: str) -> dict[str, str]:
    """The object's metadata, in ASCII as HTTP headers require."""
    values = {"bot": request.bot_id, "user": request.user_id, "avatar": request.avatar_id, "file-id": file_id}
    if isinstance(request, TrainRequest) and request.batch_id:
        values["batch"] = request.batch_id
    return {name: str(value).encode("ascii", "replace").decode() for name, value in values.items()}
