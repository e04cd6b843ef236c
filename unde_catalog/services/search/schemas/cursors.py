"""Where a list of products goes on: an opaque text that holds an id, and fits the filters that it was made with.

It is no secret and gives no right: the check is there so that a mistake is told instead of answered.
"""

import base64
import binascii
import hashlib
import re

_INSIDE = re.compile(r"([0-9]{1,18})\.([0-9a-f]{16})")


class BadCursor(ValueError):
    """Not a text of `cursor()`, or of one with other filters."""


def cursor(after: int, filters: str) -> str:
    """The cursor for what comes after an id, with these filters in any spelling that is always the same."""
    inside = f"{after}.{_check(after, filters)}"
    return base64.urlsafe_b64encode(inside.encode()).decode().rstrip("=")


def opened(text: str, filters: str) -> int:
    """The id in a cursor; `BadCursor` says what is wrong with it."""
    try:
        inside = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("ascii")
    except (binascii.Error, UnicodeError, ValueError):
        raise BadCursor("`after` is no cursor of this API") from None
    found = _INSIDE.fullmatch(inside)
    if found is None:
        raise BadCursor("`after` is no cursor of this API")
    after = int(found[1])
    if found[2] != _check(after, filters):
        raise BadCursor("`after` belongs to a list with other filters: begin that list without it")
    return after


def _check(after: int, filters: str) -> str:
    return hashlib.sha256(f"{after} {filters}".encode()).hexdigest()[:16]
