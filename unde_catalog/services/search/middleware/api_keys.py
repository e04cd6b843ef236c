"""API keys: their format, their hash, and how a request carries one.

The hashes are stored by `stores/staging/admin/api_keys.py`.
"""

import hashlib
import re
import secrets
from collections.abc import Iterable

PREFIX = "unde_"  # lets secret scanners recognise a key
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_KEY = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}")


def generate() -> str:
    """A new key of 256 random bits."""
    return PREFIX + secrets.token_urlsafe(32)


def digest(key: str) -> str:
    """The SHA-256 of a key in hex, which is what is stored. 256 random bits need no salt."""
    return hashlib.sha256(key.encode()).hexdigest()


def validate_name(name: str) -> str:
    """The name itself. Raises ValueError."""
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"{name!r} is not a valid key name: use up to 64 of A-Z a-z 0-9 . _ - and start with a letter or digit"
        )
    return name


def redact(text: str) -> str:
    """The text with every API key masked."""
    return _KEY.sub(f"{PREFIX}***", text)


def from_headers(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """The key in a request's headers: "" if it is malformed, None if there is none."""
    key: str | None = None
    for name, value in headers:
        if name == b"x-api-key":
            key = value.decode("latin-1").strip()
        elif name == b"authorization":
            scheme, _, credentials = value.decode("latin-1").strip().partition(" ")
            if scheme.lower() == "bearer":
                key = credentials.strip()
    return key if key is None or _KEY.fullmatch(key) else ""
