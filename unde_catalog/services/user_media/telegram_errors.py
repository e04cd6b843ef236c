"""Interprets Telegram's responses and assigns an error code to each failure. No request is sent here.

`docs/reference/external-services.md` describes the Bot API, `docs/reference/messages.md` the error codes.

failure                                                     code                  retry      temporary
invalid file id, file over 20 MiB, other 400s               TELEGRAM_API_ERROR    no         no
400 "temporarily unavailable", 5xx, no JSON, no connection  TELEGRAM_API_ERROR    yes        yes
429 (the bot pauses for retry_after)                        TELEGRAM_API_ERROR    in time    yes
401, 403, 404: wrong token or address                       TELEGRAM_API_ERROR    no         yes
a file without a path                                       INVALID_TELEGRAM_URL  yes        yes
an invalid path, or a redirect instead of a file            INVALID_TELEGRAM_URL  no         no
404 or 410 for the file: its path has expired               DOWNLOAD_HTTP_ERROR   yes        yes
5xx or 429 for the file, connection or body cut short       DOWNLOAD_HTTP_ERROR   yes        yes
other 4xx for the file, or more than 20 MiB                 DOWNLOAD_HTTP_ERROR   no         no
HTML or a broken image instead of a photo                   DOWNLOAD_HTTP_ERROR   yes        yes
the same with the size Telegram announced: it was sent so   UNEXPECTED_ERROR      no         no
an unsupported image (PSD, 200 megapixels)                  UNEXPECTED_ERROR      no         no
no complete response in time                                DOWNLOAD_TIMEOUT      yes        yes
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from unde_catalog.net import responses
from unde_catalog.services.user_media.content import MAX_BYTES
from unde_catalog.services.user_media.fetch_result import ErrorCode
from unde_catalog.stages.photos.decode import Refused
from unde_catalog.text import printable

_DEFAULT_PAUSE = 5.0  # seconds, for a 429 without a delay
_MAX_PATH_LENGTH = 500


@dataclass(frozen=True, slots=True)
class FilePath:
    """The path of a file, valid for an hour; its size in bytes and the id of its content if Telegram sent them."""

    path: str
    size: int | None
    file_unique_id: str | None


@dataclass(frozen=True, slots=True)
class TelegramError:
    """Why a try failed.

    `retry`: the next try may succeed. `temporary`: a later delivery may succeed. `pause`: seconds in which Telegram
    refuses every request of this bot. `expired`: a new path may work at once.
    """

    code: ErrorCode
    detail: str
    retry: bool = False
    temporary: bool = False
    pause: float | None = None
    expired: bool = False


def of_get_file(status: int, body: bytes, headers: Mapping[str, str]) -> FilePath | TelegramError:
    """The file's path from a response to getFile, or why there is none."""
    content = _json_object(body)
    if content is None:
        pause = _pause(headers, None) if status == 429 else None
        retry = status == 429 or status >= 500 or status < 300
        detail = f"getFile returned {status} without JSON: check that TELEGRAM_API_URL is a Bot API"
        return TelegramError("TELEGRAM_API_ERROR", detail, retry=retry, temporary=True, pause=pause)
    result = content.get("result")
    if content.get("ok") is True and isinstance(result, dict):
        return _path(result)
    code = content.get("error_code")
    return _refusal(code if type(code) is int else status, content, headers)


def of_file(status: int, headers: Mapping[str, str], body: bytes = b"") -> TelegramError | None:
    """The error in the status and headers of a download, None if the body is worth reading. `body`: that of a 429."""
    if status == 200:
        encoding = headers.get("Content-Encoding", "").strip().lower()
        if encoding in ("", "identity"):
            return None
        detail = f"the file has the content encoding {printable(encoding)}"
        return TelegramError("DOWNLOAD_HTTP_ERROR", detail, retry=True, temporary=True)
    if 300 <= status < 400:  # following it could send the token to another host
        return TelegramError("INVALID_TELEGRAM_URL", f"the file's URL redirects ({status}), which is not allowed")
    if status == 429:
        return _http_error(status, pause=_pause(headers, _retry_after(_json_object(body) or {})))
    if status in (404, 410):
        detail = f"the file's path has expired ({status})"
        return TelegramError("DOWNLOAD_HTTP_ERROR", detail, retry=True, temporary=True, expired=True)
    if status >= 500 or status < 300:
        return _http_error(status)
    return TelegramError("DOWNLOAD_HTTP_ERROR", _status_detail(status))


def of_client_error(error: aiohttp.ClientError, code: ErrorCode) -> TelegramError:
    """A failure below HTTP. Only selected words of it are kept, because it may contain the URL and so the token."""
    return TelegramError(code, responses.interpret_error(error).detail, retry=True, temporary=True)


def of_content(refused: Refused, size: int, announced: int | None) -> TelegramError:
    """Downloaded bytes that are not a supported image, with their size and the size that Telegram announced."""
    detail = f"not a supported image: {refused.reason} ({refused.detail})"
    if refused.retryable and size != announced:
        return TelegramError("DOWNLOAD_HTTP_ERROR", detail, retry=True, temporary=True)
    return TelegramError("UNEXPECTED_ERROR", detail)


def too_large() -> TelegramError:
    """More bytes than Telegram's limit, whatever size it announced."""
    return TelegramError("DOWNLOAD_HTTP_ERROR", f"the file has more than {MAX_BYTES} bytes")


def timed_out(seconds: float) -> TelegramError:
    """No complete response within `seconds`."""
    return TelegramError("DOWNLOAD_TIMEOUT", f"no complete response within {seconds:g} s", retry=True, temporary=True)


def paused_too_long(seconds: float) -> TelegramError:
    """No request was sent, because Telegram's pause for this bot is longer than `seconds`."""
    return TelegramError(
        "TELEGRAM_API_ERROR", f"Telegram accepts no request of this bot for more than {seconds:g} s", temporary=True
    )


def _refusal(code: int, content: dict[str, Any], headers: Mapping[str, str]) -> TelegramError:
    description = printable(str(content.get("description") or "no description"))
    detail = f"Telegram returned {code}: {description}"
    if code == 429:
        pause = _pause(headers, _retry_after(content))
        return TelegramError("TELEGRAM_API_ERROR", detail, retry=True, temporary=True, pause=pause)
    if code in (401, 403, 404):
        detail = f"Telegram refused the bot ({code}): check TELEGRAM_BOT_TOKEN and TELEGRAM_API_URL"
        return TelegramError("TELEGRAM_API_ERROR", detail, temporary=True)
    temporary = code >= 500 or code < 400 or "temporarily" in description.lower()
    return TelegramError("TELEGRAM_API_ERROR", detail, retry=temporary, temporary=temporary)


def _path(result: dict[str, Any]) -> FilePath | TelegramError:
    path, size, unique = result.get("file_path"), result.get("file_size"), result.get("file_unique_id")
    if path is None or path == "":
        detail = "Telegram returned no path for the file"
        return TelegramError("INVALID_TELEGRAM_URL", detail, retry=True, temporary=True)
    if isinstance(path, str) and (path.startswith(("/", "\\\\")) or path[1:3] in (":/", ":\\")):
        detail = "the Bot API server runs in local mode and returned a path on its own disk: start it without --local"
        return TelegramError("INVALID_TELEGRAM_URL", detail)
    if not isinstance(path, str) or len(path) > _MAX_PATH_LENGTH or not path.isprintable() or "\\" in path:
        return TelegramError("INVALID_TELEGRAM_URL", "Telegram returned an invalid file path")
    if not all(segment.strip(".") for segment in path.split("/")):
        return TelegramError("INVALID_TELEGRAM_URL", "the file's path would leave the folder of files")
    valid = isinstance(unique, str) and 0 < len(unique) <= 200
    return FilePath(path, size if type(size) is int else None, unique if valid else None)


def _http_error(status: int, pause: float | None = None) -> TelegramError:
    return TelegramError("DOWNLOAD_HTTP_ERROR", _status_detail(status), retry=True, temporary=True, pause=pause)


def _status_detail(status: int) -> str:
    return f"the file's URL returned {status}"


def _retry_after(content: dict[str, Any]) -> object:
    parameters = content.get("parameters")
    return parameters.get("retry_after") if isinstance(parameters, dict) else None


def _pause(headers: Mapping[str, str], retry_after: object) -> float:
    """Seconds to pause after a 429: from its JSON, else from its header; at least one."""
    if not isinstance(retry_after, (int, float)) or isinstance(retry_after, bool) or not 0 <= retry_after < 1e9:
        text = headers.get("Retry-After", "").strip()
        retry_after = float(text) if text.isascii() and text.isdigit() and len(text) < 10 else _DEFAULT_PAUSE
    return max(1.0, float(retry_after))


def _json_object(body: bytes) -> dict[str, Any] | None:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None
