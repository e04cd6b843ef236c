"""Makes a JSON value storable in PostgreSQL: without NUL, half surrogate pairs or NaN."""

import math
from decimal import Decimal
from typing import Any

_MAX_DEPTH = 100  # levels; real items have six
_MAX_NUMBER_CHARS = 4_300  # of a number that is stored as text
_MAX_BITS = 14_280  # 4,299 digits: Python refuses to format numbers of more than 4,300


class TooDeep(ValueError):
    """The value is nested more deeply than any real item."""


def clean(value: Any, depth: int = 0) -> Any:
    """The value without what PostgreSQL's text and jsonb refuse; raises `TooDeep`."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict | list):
        if depth >= _MAX_DEPTH:
            raise TooDeep(f"nested more than {_MAX_DEPTH} levels deep")
        if isinstance(value, list):
            return [clean(item, depth + 1) for item in value]
        return {clean_text(str(key)): clean(item, depth + 1) for key, item in value.items()}
    if isinstance(value, Decimal):  # a number with a point; it becomes a float if that is exact
        number = float(value)
        return number if math.isfinite(number) and Decimal(repr(number)) == value else str(value)[:_MAX_NUMBER_CHARS]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, int) and value.bit_length() > _MAX_BITS:
        return None
    return value


def clean_text(text: str) -> str:
    """The text without NUL characters and with half surrogate pairs replaced."""
    if text.isascii():
        return text.replace("\x00", "") if "\x00" in text else text
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
