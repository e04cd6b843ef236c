"""Numbers, times and errors as short text, for log lines, messages, reports and the terminal.

Nothing here knows HTML, Markdown or any part of the catalogue.
"""

import math
from datetime import timedelta

# Seconds of a unit, seconds from which the next one is used, name.
_UNITS = ((1, 60, "second"), (60, 90 * 60, "minute"), (3_600, 48 * 3_600, "hour"), (86_400, math.inf, "day"))


def quantity(number: int, noun: str) -> str:
    """E.g. `1 product`, `2,000 products`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def duration(span: timedelta | float) -> str:
    """A time span, or seconds, in one unit: `40 seconds`, `12 minutes`, `3 hours`, `2 days`."""
    seconds = max(0.0, span.total_seconds() if isinstance(span, timedelta) else span)
    unit, noun = next((unit, noun) for unit, limit, noun in _UNITS if seconds < limit)
    return quantity(round(seconds / unit), noun)


def first_line(error: object, limit: int = 300) -> str:
    """The first line of an error's message, at most `limit` characters; the name of its type if it has none."""
    lines = str(error).strip().splitlines()
    return lines[0][:limit] if lines else type(error).__name__


def shorten(text: str, limit: int) -> str:
    """The text, cut to `limit` characters with an ellipsis at the end if it is longer."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def printable(text: str | None, limit: int = 200) -> str:
    """Text of another system for a log line or a text column: one line of printable characters, cut to `limit`."""
    return "".join(char if char.isprintable() else " " for char in text or "")[:limit].strip()
