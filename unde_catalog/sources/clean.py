"""Makes a JSON value from outside one that PostgreSQL can keep: no NUL, no half characters, no NaN."""

import math
from typing import Any

_DEEPEST = 100  # levels; real items have six


class TooDeep(ValueError):
    """The value is nested deeper than any honest item."""


def clean(value: Any, depth: int = 0) -> Any:
    """The value with what PostgreSQL's text and jsonb refuse taken out; raises `TooDeep`."""
    if depth > _DEEPEST:
        raise TooDeep(f"nested deeper than {_DEEPEST} levels")
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict):
        return {clean_text(str(key)): clean(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [clean(item, depth + 1) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def clean_text(text: str) -> str:
    """The text without NUL characters, half surrogate pairs replaced."""
    if text.isascii() and "\x00" not in text:
        return text
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
