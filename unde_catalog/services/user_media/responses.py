"""Builds results from outcomes: the messages to publish and the rows to record. Pure functions of their arguments.

`handler.py` produces the outcomes, `messages.py` defines the messages.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from unde_catalog.services.user_media.fetch_result import ErrorCode
from unde_catalog.services.user_media.messages import (
    BatchResult,
    FailedUpload,
    InferencePhoto,
    InferenceRequest,
    InferenceResult,
    TrainPhoto,
    TrainRequest,
    Upload,
    UploadError,
    stamp,
)
from unde_catalog.services.user_media.parsing import Request, Sender, UnreadableMessage
from unde_catalog.services.user_media.subjects import BATCH_RESULT, ERROR, INFERENCE_RESULT, Queue
from unde_catalog.stores.staging.user_media.media_requests import RequestSubject, SettledRequest, StoredUserPhoto

NOT_FETCHED = "NOT_FETCHED"  # the key in `codes` for photos that their sender rejected


@dataclass(frozen=True, slots=True)
class PhotoFailed:
    """Why a photo is not stored. A photo that its sender rejected has no `code`; `reason` is the sender's then."""

    code: ErrorCode | None
    detail: str
    temporary: bool = False
    reason: str | None = None


Outcome = StoredUserPhoto | PhotoFailed


def skipped(photos: Sequence[TrainPhoto | InferencePhoto]) -> dict[int, PhotoFailed]:
    """By index, the photos not to fetch: rejected by their sender, or with the s3_key of another photo."""
    failed: dict[int, PhotoFailed] = {}
    file_ids: dict[str, str] = {}
    for n, photo in enumerate(photos):
        if isinstance(photo, TrainPhoto) and photo.status == "error":
            reason = photo.sender_reason
            detail = "not fetched: the request gives its status as error" + (f" ({reason})" if reason else "")
            failed[n] = PhotoFailed(None, detail, reason=reason)
        elif photo.name and file_ids.setdefault(photo.name, photo.file_id) != photo.file_id:
            failed[n] = PhotoFailed("UNEXPECTED_ERROR", "another photo of the batch has the same s3_key")
    return failed


def batch(
    request: TrainRequest, outcomes: Sequence[Outcome], url: Callable[[str], str], seconds: float, now: datetime
) -> SettledRequest:
    """The result of a batch, with one outcome per photo."""
    stored = [one for one in outcomes if isinstance(one, StoredUserPhoto)]
    failed = [
        FailedUpload(file_id=photo.file_id, error=one.detail, error_code=one.code, reason=one.reason)
        for photo, one in zip(request.photos, outcomes, strict=True)
        if isinstance(one, PhotoFailed)
    ]
    total_size = sum(one.bytes for one in stored)
    result = BatchResult(
        bot_id=request.bot_id,
        user_id=request.user_id,
        avatar_id=request.avatar_id,
        batch_id=request.batch_id,
        total_files=len(outcomes),
        successful_files=len(stored),
        failed_files=len(failed),
        successful_uploads=[_upload(one, url) for one in stored],
        failed_uploads=failed,
        processing_time=round(seconds, 3),
        total_size=total_size,
        message=f"Batch processing completed: {len(stored)}/{len(outcomes)} files successful",
        timestamp=stamp(now),
    )
    codes = Counter(one.error_code or NOT_FETCHED for one in failed)
    return SettledRequest(
        "answered", BATCH_RESULT, result.body(), None, len(stored), len(failed), total_size, round(seconds, 3), codes,
        request.priority,
    )  # fmt: skip


def single(
    request: InferenceRequest, outcome: Outcome, url: Callable[[str], str], seconds: float, now: datetime
) -> SettledRequest:
    """The result of a single photo, or an error; also a dead letter if the last try failed for a temporary reason."""
    if isinstance(outcome, PhotoFailed):
        code = outcome.code or "INFERENCE_PROCESSING_ERROR"
        reason = f"given up after the last try: {outcome.detail}" if outcome.temporary else None
        return _error(_sender(request), code, outcome.detail, 1, [request.photo.file_id], now, reason, seconds)
    result = InferenceResult(
        bot_id=request.bot_id,
        user_id=request.user_id,
        avatar_id=request.avatar_id,
        upload_result=_upload(outcome, url),
        processing_time=round(seconds, 3),
        message="Photo uploaded successfully",
        timestamp=stamp(now),
    )
    return SettledRequest(
        "answered", INFERENCE_RESULT, result.body(), None, 1, 0, outcome.bytes, round(seconds, 3), {}, request.priority
    )


def refusal_code(request: Request) -> ErrorCode:
    """The error code of a photo that this service refuses to store."""
    return "UNEXPECTED_ERROR" if isinstance(request, TrainRequest) else "INFERENCE_PROCESSING_ERROR"


def unreadable(message: UnreadableMessage, queue: Queue, now: datetime) -> SettledRequest:
    """A message that is not a request: a dead letter, and an error if the sender is known."""
    code: ErrorCode = "INFERENCE_PROCESSING_ERROR" if queue.header == "inf" else "UNEXPECTED_ERROR"
    return _error(message.sender, code, message.reason, message.files, message.file_ids, now, message.reason)


def given_up(request: Request, reason: str, now: datetime) -> SettledRequest:
    """A request that this service could not handle: an error and a dead letter."""
    photos = request.photos if isinstance(request, TrainRequest) else [request.photo]
    file_ids = [photo.file_id for photo in photos]
    return _error(_sender(request), "INTERNAL_ERROR", reason, len(photos), file_ids, now, reason)


def describe(request: Request | UnreadableMessage) -> RequestSubject:
    """What is recorded about a request: its user, ids and number of photos."""
    if isinstance(request, UnreadableMessage):
        sender = request.sender
        return RequestSubject(
            sender.header, sender.bot_id, sender.user_id, sender.avatar_id, sender.batch_id, photos=request.files
        )
    photos = len(request.photos) if isinstance(request, TrainRequest) else 1
    sender = _sender(request)
    return RequestSubject(
        request.header, request.bot_id, request.user_id, request.avatar_id, sender.batch_id, request.priority, photos
    )


def log_fields(request: Request | UnreadableMessage, file_id: str | None = None) -> dict[str, object]:
    """The fields of a log line about a request, for `extra`."""
    subject = describe(request)
    if isinstance(request, InferenceRequest):
        file_id = request.photo.file_id
    values = {
        "header": subject.header, "avatar_id": subject.avatar_id, "batch_size": subject.photos, "file_id": file_id
    }  # fmt: skip
    return {name: value for name, value in values.items() if value is not None}


def utc(wall: float) -> datetime:
    """Seconds since 1970 as an aware time."""
    return datetime.fromtimestamp(wall, UTC)


def _sender(request: Request) -> Sender:
    batch_id = request.batch_id if isinstance(request, TrainRequest) else None
    return Sender(request.header, request.bot_id, request.user_id, request.avatar_id, batch_id)


def _upload(photo: StoredUserPhoto, url: Callable[[str], str]) -> Upload:
    return Upload(
        file_id=photo.file_id,
        s3_key=photo.key,
        s3_url=url(photo.key),
        file_size=photo.bytes,
        upload_time=photo.seconds,
        content_type=photo.content_type,
    )


def _error(
    sender: Sender,
    code: ErrorCode,
    error: str,
    files: int,
    file_ids: Sequence[str],
    now: datetime,
    reason: str | None,
    seconds: float = 0,
) -> SettledRequest:
    """A request that failed as a whole; with a `reason` it also becomes a dead letter."""
    message = UploadError(
        header=sender.header,
        bot_id=sender.bot_id,
        user_id=sender.user_id,
        avatar_id=sender.avatar_id,
        error=error,
        error_code=code,
        failed_files=list(file_ids),
        timestamp=stamp(now),
    )
    subject, body = (ERROR, message.body()) if sender.known else (None, None)
    return SettledRequest(
        "failed" if reason is None else "dead", subject, body, reason, 0, files, 0, round(seconds, 3), {code: 1}
    )
