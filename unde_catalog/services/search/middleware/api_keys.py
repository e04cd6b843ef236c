"""API keys:

making them, and what a request's headers say. They are kept hashed, in `stores/staging/admin/api_keys.py`.
"""

import hashlib
import re
import secrets
from collections.abc import Iterable

PREFIX = "unde_"  # so that scanners for leaked secrets know one
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_KEY = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}")


def make() -> str:
    """A new key of 256 random bits."""
    return PREFIX + secrets.token_urlsafe(32)


def digest(key: str) -> str:
    """What is kept of a key: its SHA-256 in hex. It needs no salt, as nobody can guess 256 bits."""
    return hashlib.sha256(key.encode()).hexdigest()


def checked_name(name: str) -> str:
    """The name itself, or a ValueError."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name for a key: up to 64 of A-Z a-z 0-9 . _ - and a letter or digit first")
    return name


def hide(text: str) -> str:
    """The text without any key that may be in it."""
    return _KEY.sub(f"{PREFIX}***", text)


def given(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """The key in a request's headers, "" for something that can't be one; None where there is none."""
    found: str | None = None
    for name, value in headers:
        if name == b"x-api-key":
            found = value.decode("latin-1").strip()
        elif name == b"authorization":
            scheme, _, rest = value.decode("latin-1").strip().partition(" ")
            if scheme.lower() == "bearer":
                found = rest.strip()
    return found if found is None or _KEY.fullmatch(found) else ""
