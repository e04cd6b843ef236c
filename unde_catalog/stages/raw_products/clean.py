"""Makes a JSON value from outside one that PostgreSQL can keep: no NUL, no half characters, no NaN."""

import math
from decimal import Decimal
from typing import Any

_DEEPEST = 100  # levels; real items have six
_LONGEST_NUMBER = 4_300  # characters of a number that is kept as text
_MOST_BITS = 14_280  # 4,299 digits: Python refuses to write out a number of more than 4,300


class TooDeep(ValueError):
    """The value is nested deeper than any honest item."""


def clean(value: Any, depth: int = 0) -> Any:
    """The value with what PostgreSQL's text and jsonb refuse taken out; raises `TooDeep`."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict | list):
        if depth >= _DEEPEST:
            raise TooDeep(f"nested deeper than {_DEEPEST} levels")
        if isinstance(value, list):
            return [clean(item, depth + 1) for item in value]
        return {clean_text(str(key)): clean(item, depth + 1) for key, item in value.items()}
    if isinstance(value, Decimal):  # a number with a point, kept as one where that changes nothing
        number = float(value)
        return number if math.isfinite(number) and Decimal(repr(number)) == value else str(value)[:_LONGEST_NUMBER]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, int) and value.bit_length() > _MOST_BITS:
        return None
    return value


def clean_text(text: str) -> str:
    """The text without NUL characters, half surrogate pairs replaced."""
    if text.isascii():
        return text.replace("\x00", "") if "\x00" in text else text
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
