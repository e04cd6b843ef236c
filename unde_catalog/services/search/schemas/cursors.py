"""Pagination cursors: an opaque text with a product id and a checksum of the filters.

A cursor is not secret and grants no access. The checksum catches a cursor that is used with other filters.
"""

import base64
import binascii
import hashlib
import re

_PAYLOAD = re.compile(r"([0-9]{1,18})\.([0-9a-f]{16})")


class BadCursor(ValueError):
    """Not a cursor of this API, or a cursor for other filters."""


def encode_cursor(after: int, filters: str) -> str:
    """The cursor for the page after product id `after`. `filters`: a canonical text of the filters."""
    payload = f"{after}.{_checksum(after, filters)}"
    return base64.urlsafe_b64encode(payload.encode()).decode().rstrip("=")


def decode_cursor(text: str, filters: str) -> int:
    """The product id in a cursor. Raises `BadCursor`."""
    try:
        payload = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("ascii")
    except (binascii.Error, UnicodeError, ValueError):
        raise BadCursor("`after` is not a cursor of this API.") from None
    match = _PAYLOAD.fullmatch(payload)
    if match is None:
        raise BadCursor("`after` is not a cursor of this API.")
    after = int(match[1])
    if match[2] != _checksum(after, filters):
        raise BadCursor("`after` belongs to a list with other filters. Start that list without `after`.")
    return after


def _checksum(after: int, filters: str) -> str:
    return hashlib.sha256(f"{after} {filters}".encode()).hexdigest()[:16]
