"""The result of fetching one photo: its bytes, or a reason with an error code.

`telegram.py` fetches it, `handler.py` decides what follows. `docs/reference/messages.md` lists the error codes.
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
    """A complete, valid image. `content_type` and `extension` (without a dot) come from the content.

    `file_unique_id`: Telegram's id of the content, the same for all bots; None if Telegram sent none.
    """

    data: bytes
    content_type: str
    extension: str
    file_unique_id: str | None = None


@dataclass(frozen=True, slots=True)
class FetchFailed:
    """Why there is no photo. `detail`: a sentence without secrets; `temporary`: a later delivery may succeed."""

    code: ErrorCode
    detail: str
    temporary: bool = False
