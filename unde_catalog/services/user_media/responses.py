"""What is answered to a request, and what is written down of it: pure functions of outcomes and the time.

How outcomes come about is in `handler.py`, the messages' shapes are in `messages.py`.
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
from unde_catalog.stores.staging.user_media.requests import RequestSubject, SettledRequest, StoredUserPhoto

NOT_FETCHED = "NOT_FETCHED"  # in counts by code: photos that their sender had marked as no good


@dataclass(frozen=True, slots=True)
class PhotoFailed:
    """Why a photo is not stored. `code` is None where it was not asked for, and `reason` is the sender's word then."""

    code: ErrorCode | None
    detail: str
    again: bool = False
    reason: str | None = None


Outcome = StoredUserPhoto | PhotoFailed


def unwanted(photos: Sequence[TrainPhoto | InferencePhoto]) -> dict[int, PhotoFailed]:
    """By place, the photos that are not to be fetched: marked as no good, or named as another one of the batch is."""
    found: dict[int, PhotoFailed] = {}
    named: dict[str, str] = {}
    for n, photo in enumerate(photos):
        if isinstance(photo, TrainPhoto) and photo.status == "error":
            reason = photo.told
            detail = "not fetched: its sender gave it the status error" + (f" ({reason})" if reason else "")
            found[n] = PhotoFailed(None, detail, reason=reason)
        elif photo.name and named.setdefault(photo.name, photo.file_id) != photo.file_id:
            found[n] = PhotoFailed("UNEXPECTED_ERROR", "another photo of the batch has the same s3_key")
    return found


def batch(
    request: TrainRequest, outcomes: Sequence[Outcome], url: Callable[[str], str], seconds: float, now: datetime
) -> SettledRequest:
    """The answer to a batch of which each photo has an outcome."""
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
    """The answer to a single photo: a result, or an error; put aside where only our patience was at an end."""
    if isinstance(outcome, PhotoFailed):
        code = outcome.code or "INFERENCE_PROCESSING_ERROR"
        reason = f"given up after the last try: {outcome.detail}" if outcome.again else None
        return _error(_sender(request), code, outcome.detail, 1, now, reason, seconds)
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
    """The code of what a request asks for and can't have."""
    return "UNEXPECTED_ERROR" if isinstance(request, TrainRequest) else "INFERENCE_PROCESSING_ERROR"


def unreadable(found: UnreadableMessage, queue: Queue, now: datetime) -> SettledRequest:
    """Bytes that are no request: put aside, and answered where the sender could be read."""
    code: ErrorCode = "INFERENCE_PROCESSING_ERROR" if queue.header == "inf" else "UNEXPECTED_ERROR"
    return _error(found.sender, code, found.reason, found.files, now, found.reason)


def gave_up(request: Request | UnreadableMessage, reason: str, now: datetime) -> SettledRequest:
    """A request on which we failed, for no fault of its own that is known: answered, and put aside."""
    if isinstance(request, UnreadableMessage):
        return _error(request.sender, "INTERNAL_ERROR", reason, request.files, now, reason)
    return _error(_sender(request), "INTERNAL_ERROR", reason, about(request).photos, now, reason)


def about(request: Request | UnreadableMessage) -> RequestSubject:
    """Whom and what a request is about, as it is written down."""
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


def fields(request: Request | UnreadableMessage, file_id: str | None = None) -> dict[str, object]:
    """What a line of the log says of a request, for `extra`."""
    found = about(request)
    if isinstance(request, InferenceRequest):
        file_id = request.photo.file_id
    told = {"header": found.header, "avatar_id": found.avatar_id, "batch_size": found.photos, "file_id": file_id}
    return {name: value for name, value in told.items() if value is not None}


def moment(wall: float) -> datetime:
    """Seconds since 1970 as a time."""
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
    now: datetime,
    reason: str | None,
    seconds: float = 0,
) -> SettledRequest:
    """A request that failed as a whole; with a `reason` it is put aside, too."""
    message = UploadError(
        header=sender.header,
        bot_id=sender.bot_id,
        user_id=sender.user_id,
        avatar_id=sender.avatar_id,
        batch_id=sender.batch_id,
        error=error,
        error_code=code,
        failed_files=files,
        timestamp=stamp(now),
    )
    told = (ERROR, message.body()) if sender.known else (None, None)
    return SettledRequest(
        "failed" if reason is None else "dead", *told, reason, 0, files, 0, round(seconds, 3), {code: 1}
    )
