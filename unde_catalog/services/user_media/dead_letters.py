"""Builds dead letters: copies of requests that could not be handled, with the reason and the origin in headers.

`handler.py` decides which requests end as dead letters.
"""

from collections.abc import Mapping

from unde_catalog.services.user_media.messages import stamp
from unde_catalog.stores.staging.user_media.media_requests import RequestKey

_MAX_HEADER_BYTES = 8_192
_MAX_VALUE_LENGTH = 500  # characters
_MAX_ORIGINAL_HEADERS = 30


def message_id(key: RequestKey) -> str:
    """The Nats-Msg-Id of a request's result: the same in every delivery, so that a stream stores the result once."""
    return f"{key.stream}.{key.sequence}.{int(key.sent_at.timestamp() * 1_000_000)}"


def copy(
    key: RequestKey, subject: str, body: bytes, received: Mapping[str, str] | None, reason: str, max_bytes: int
) -> tuple[bytes, dict[str, str]]:
    """Body and headers of the copy. `max_bytes`: the server's limit for a message, headers included.

    The original headers get the prefix `Original-`, because the server would act on some of them.
    """
    headers = {
        "Nats-Msg-Id": f"dead.{message_id(key)}",
        "Unde-Reason": _header_value(reason),
        "Unde-Subject": subject,
        "Unde-Stream": key.stream,
        "Unde-Sequence": str(key.sequence),
        "Unde-Sent-At": stamp(key.sent_at),
    }
    free = _MAX_HEADER_BYTES - sum(len(name) + len(value) + 4 for name, value in headers.items())
    for name, value in list((received or {}).items())[:_MAX_ORIGINAL_HEADERS]:
        line = _header_value(str(value))
        free -= len(name) + len(line) + 14
        if free > 0 and name.isascii():
            headers[f"Original-{name}"] = line
    if len(body) > max_bytes - _MAX_HEADER_BYTES:  # the original was close to the limit and had fewer headers
        headers["Unde-Cut"] = f"from {len(body)} bytes"
        body = body[: max(0, max_bytes - _MAX_HEADER_BYTES)]
    return body, headers


def _header_value(text: str) -> str:
    """The text as one line of printable ASCII."""
    plain = text.encode("ascii", "backslashreplace").decode()
    return "".join(letter if letter.isprintable() else " " for letter in plain).strip()[:_MAX_VALUE_LENGTH]
