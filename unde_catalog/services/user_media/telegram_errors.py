"""What Telegram's answers mean (spec 6), and which of spec 4's codes each fault gets. Nothing is asked here.

what went wrong                                            code                  repeated  another delivery
a wrong file id, a file over 20 MB, other 400s             TELEGRAM_API_ERROR    no        no
400 "temporarily unavailable", 5xx, no JSON, no connection TELEGRAM_API_ERROR    yes       yes
429 (the whole bot waits for retry_after)                  TELEGRAM_API_ERROR    in time   yes
401, 403, 404: the bot's token or address is wrong         TELEGRAM_API_ERROR    no        yes
a file without a path                                      INVALID_TELEGRAM_URL  yes       yes
a path that is none, a redirect instead of a file          INVALID_TELEGRAM_URL  no        no
404, 410 for the file: its path has expired                DOWNLOAD_HTTP_ERROR   yes       yes
5xx or 429 for the file, a connection or body cut short    DOWNLOAD_HTTP_ERROR   yes       yes
other 4xx for the file, more than 20 MB of it              DOWNLOAD_HTTP_ERROR   no        no
a page or a broken image instead of a photo                DOWNLOAD_HTTP_ERROR   yes       yes
the same, but of the file's own size: it was sent so       UNEXPECTED_ERROR      no        no
an image that we don't read (HEIF, 200 megapixels)         UNEXPECTED_ERROR      no        no
no whole answer within the time                            DOWNLOAD_TIMEOUT      yes       yes
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from unde_catalog.net import responses
from unde_catalog.services.user_media.fetch_result import ErrorCode
from unde_catalog.stages.photos.decode import Refused
from unde_catalog.text import printable

MAX_BYTES = 20_000_000  # Telegram serves no larger file to a bot
_UNSAID_PAUSE = 5.0  # seconds, where a 429 doesn't say how long
_LONGEST_PATH = 500


@dataclass(frozen=True, slots=True)
class FilePath:
    """Where a file can be had for an hour, as Telegram wrote it; its bytes and the id of its content where told."""

    path: str
    size: int | None
    file_unique_id: str | None


@dataclass(frozen=True, slots=True)
class TelegramError:
    """Why a try brought nothing.

    `repeat`: the next try may bring it; `again`: a later delivery may. `pause`: for so many seconds Telegram wants no
    request of this bot. `expired`: a new path may do, at once.
    """

    code: ErrorCode
    detail: str
    repeat: bool = False
    again: bool = False
    pause: float | None = None
    expired: bool = False


def of_get_file(status: int, body: bytes, headers: Mapping[str, str]) -> FilePath | TelegramError:
    """What getFile answered."""
    said = _json_object(body)
    if said is None:
        pause = _pause(headers, None) if status == 429 else None
        again = status == 429 or status >= 500 or status < 300
        detail = f"getFile was answered {status} without JSON: is TELEGRAM_API_URL a Bot API?"
        return TelegramError("TELEGRAM_API_ERROR", detail, repeat=again, again=True, pause=pause)
    result = said.get("result")
    if said.get("ok") is True and isinstance(result, dict):
        return _path(result)
    code = said.get("error_code")
    return _refusal(code if type(code) is int else status, said, headers)


def of_file(status: int, headers: Mapping[str, str], body: bytes = b"") -> TelegramError | None:
    """What status and headers of the file's own answer mean; None for a body worth reading. `body`: that of a 429."""
    if status == 200:
        encoding = headers.get("Content-Encoding", "").strip().lower()
        if encoding in ("", "identity"):
            return None
        return TelegramError(
            "DOWNLOAD_HTTP_ERROR", f"the file is sent as {printable(encoding)}", repeat=True, again=True
        )
    if 300 <= status < 400:  # it would take the token along, in the referrer or in the new path
        return TelegramError("INVALID_TELEGRAM_URL", f"the file's address redirects ({status}), which is not followed")
    if status == 429:
        return _http(status, pause=_pause(headers, _retry_after(_json_object(body) or {})))
    if status in (404, 410):
        return TelegramError(
            "DOWNLOAD_HTTP_ERROR", f"the file's path has expired ({status})", repeat=True, again=True, expired=True
        )
    return _http(status) if status >= 500 or status < 300 else TelegramError("DOWNLOAD_HTTP_ERROR", _answered(status))


def of_error(error: aiohttp.ClientError, code: ErrorCode) -> TelegramError:
    """What went wrong underneath HTTP, in chosen words: the error itself may hold the URL, and so the token."""
    return TelegramError(code, responses.interpret_error(error).detail, repeat=True, again=True)


def of_content(refused: Refused, size: int, told: int | None) -> TelegramError:
    """Bytes that are no photo for us, and how many they are; `told`: how many Telegram says there are."""
    detail = f"what came is no photo we take: {refused.reason} ({refused.detail})"
    if refused.worth_another_try and size != told:
        return TelegramError("DOWNLOAD_HTTP_ERROR", detail, repeat=True, again=True)
    return TelegramError("UNEXPECTED_ERROR", detail)


def too_big() -> TelegramError:
    """More bytes than Telegram serves, whatever it said before."""
    return TelegramError("DOWNLOAD_HTTP_ERROR", f"the file has more than {MAX_BYTES} bytes")


def out_of_time(seconds: float) -> TelegramError:
    """No whole answer in that time."""
    return TelegramError("DOWNLOAD_TIMEOUT", f"no whole answer within {seconds:g} s", repeat=True, again=True)


def no_time(seconds: float) -> TelegramError:
    """Nothing was asked: while Telegram wants no request of this bot, that time passes."""
    return TelegramError(
        "TELEGRAM_API_ERROR", f"Telegram wants no request of this bot for longer than {seconds:g} s", again=True
    )


def _refusal(code: int, said: dict[str, Any], headers: Mapping[str, str]) -> TelegramError:
    words = printable(str(said.get("description") or "no reason given"))
    detail = f"Telegram answers {code}: {words}"
    if code == 429:
        pause = _pause(headers, _retry_after(said))
        return TelegramError("TELEGRAM_API_ERROR", detail, repeat=True, again=True, pause=pause)
    if code in (401, 403, 404):
        detail = f"Telegram refuses the bot ({code}): look at TELEGRAM_BOT_TOKEN and TELEGRAM_API_URL"
        return TelegramError("TELEGRAM_API_ERROR", detail, again=True)
    passes = code >= 500 or code < 400 or "temporarily" in words.lower()
    return TelegramError("TELEGRAM_API_ERROR", detail, repeat=passes, again=passes)


def _path(result: dict[str, Any]) -> FilePath | TelegramError:
    path, size, unique = result.get("file_path"), result.get("file_size"), result.get("file_unique_id")
    if path is None or path == "":
        return TelegramError("INVALID_TELEGRAM_URL", "Telegram names no path for the file", repeat=True, again=True)
    if not isinstance(path, str) or len(path) > _LONGEST_PATH or not path.isprintable() or "\\" in path:
        return TelegramError("INVALID_TELEGRAM_URL", "what Telegram names is no path of a file")
    if not all(segment.strip(".") for segment in path.split("/")):  # also //host/ and a path that begins with /
        return TelegramError("INVALID_TELEGRAM_URL", "the file's path would leave the folder of files")
    known = isinstance(unique, str) and 0 < len(unique) <= 200
    return FilePath(path, size if type(size) is int else None, unique if known else None)


def _http(status: int, pause: float | None = None) -> TelegramError:
    return TelegramError("DOWNLOAD_HTTP_ERROR", _answered(status), repeat=True, again=True, pause=pause)


def _answered(status: int) -> str:
    return f"the file's address answered {status}"


def _retry_after(said: dict[str, Any]) -> object:
    parameters = said.get("parameters")
    return parameters.get("retry_after") if isinstance(parameters, dict) else None


def _pause(headers: Mapping[str, str], after: object) -> float:
    """Seconds that a 429 asks for: in its JSON, else in its header, at least one."""
    if not isinstance(after, (int, float)) or isinstance(after, bool) or not 0 <= after < 1e9:
        text = headers.get("Retry-After", "").strip()
        after = float(text) if text.isascii() and text.isdigit() and len(text) < 10 else _UNSAID_PAUSE
    return max(1.0, float(after))


def _json_object(body: bytes) -> dict[str, Any] | None:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None
