"""What fetching one photo comes to: its bytes, or a reason with one of spec 4's error codes.

How it is fetched is in `telegram.py`, what becomes of the outcome in `handler.py`.
"""

from dataclasses import dataclass
from typing import Literal

ErrorCode = Literal[
    "INFERENCE_PROCESSING_ERROR",
    "TELEGRAM_API_ERROR",
    "INVALID_TELEGRAM_URL",
    "DOWNLOAD_HTTP_ERROR",
    "DOWNLOAD_TIMEOUT",
    "S3_UPLOAD_ERROR",
    "UNEXPECTED_ERROR",
    "INTERNAL_ERROR",
]


@dataclass(frozen=True, slots=True)
class FetchedPhoto:
    """A whole, valid image. `content_type` and `extension` (without a dot) are the content's, not the sender's word.

    `file_unique_id`: Telegram's id of the content, the same for all bots; None where the answer had none.
    """

    data: bytes
    content_type: str
    extension: str
    file_unique_id: str | None = None


@dataclass(frozen=True, slots=True)
class FetchFailed:
    """Why there is none. `detail`: a sentence without secrets; `again`: a later delivery may bring it."""

    code: ErrorCode
    detail: str
    again: bool = False
