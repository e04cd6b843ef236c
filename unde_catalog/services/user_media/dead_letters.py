"""Copies of requests that could not be handled, with why: the original's bytes, and headers that tell where it was.

Which requests end so, is decided in `handler.py`.
"""

from collections.abc import Mapping

from unde_catalog.services.user_media.messages import stamp
from unde_catalog.stores.staging.user_media.requests import RequestKey

_ROOM_FOR_HEADERS = 8_192
_LONGEST = 500  # characters of a header's value
_MOST_KEPT = 30  # headers of the original


def message_id(key: RequestKey) -> str:
    """What a request's answer is known by, so that a stream keeps it once: the same in every delivery."""
    return f"{key.stream}.{key.sequence}.{int(key.sent_at.timestamp() * 1_000_000)}"


def copy(
    key: RequestKey, subject: str, body: bytes, headers: Mapping[str, str] | None, reason: str, most: int
) -> tuple[bytes, dict[str, str]]:
    """Body and headers of the copy; `most`: bytes a message may have at this server, headers included.

    The original's headers are told as `Original-...`: some of them would be orders to the server.
    """
    told = {
        "Nats-Msg-Id": f"dead.{message_id(key)}",
        "Unde-Reason": _line(reason),
        "Unde-Subject": subject,
        "Unde-Stream": key.stream,
        "Unde-Sequence": str(key.sequence),
        "Unde-Sent-At": stamp(key.sent_at),
    }
    room = _ROOM_FOR_HEADERS - sum(len(name) + len(value) + 4 for name, value in told.items())
    for name, value in list((headers or {}).items())[:_MOST_KEPT]:
        line = _line(str(value))
        room -= len(name) + len(line) + 14
        if room > 0 and name.isascii():
            told[f"Original-{name}"] = line
    if len(body) > most - _ROOM_FOR_HEADERS:  # it had nearly as many bytes as the server takes, and no more headers
        told["Unde-Cut"] = f"from {len(body)} bytes"
        body = body[: max(0, most - _ROOM_FOR_HEADERS)]
    return body, told


def _line(text: str) -> str:
    """As a header can have it: printable ASCII, one line."""
    plain = text.encode("ascii", "backslashreplace").decode()
    return "".join(letter if letter.isprintable() else " " for letter in plain).strip()[:_LONGEST]
