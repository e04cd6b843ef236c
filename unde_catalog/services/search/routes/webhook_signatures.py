"""Verifies webhook signatures: HMAC-SHA256 of timestamp and body, with a timestamp that is a few minutes old at most.

`stores/staging/products/webhook_deliveries.py` detects repeated deliveries.
"""

import hashlib
import hmac
import re
from collections.abc import Sequence

MAX_CLOCK_SKEW = 300  # seconds between the sender's clock and this server's, either way
_TIMESTAMP = re.compile(r"[0-9]{1,12}", re.ASCII)
_SIGNATURE = re.compile(r"v1=([0-9a-f]{64})")
_MAX_SIGNATURES = 5


class BadSignature(ValueError):
    """A request that is not authentic: a code and a message that does not help a forger."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """`v1=` and the hex HMAC-SHA256 of `<timestamp>.<body>`."""
    return f"v1={hmac.new(secret.encode(), timestamp.encode() + b'.' + body, hashlib.sha256).hexdigest()}"


def verify(secrets: Sequence[str], timestamp: str | None, header: str | None, body: bytes, now: float) -> str:
    """The SHA-256 (hex) of the matching signature, which identifies the delivery. Raises `BadSignature`.

    `timestamp`: Unix seconds as text. `header`: one or more comma-separated signatures, as a sender sends them while
    it rotates its secret. `now`: Unix seconds.
    """
    if timestamp is None or header is None:
        raise BadSignature("not_signed", "The headers X-Unde-Timestamp and X-Unde-Signature are required.")
    if not _TIMESTAMP.fullmatch(timestamp):
        raise BadSignature("bad_timestamp", "X-Unde-Timestamp is not a whole number of seconds since 1970.")
    if abs(now - int(timestamp)) > MAX_CLOCK_SKEW:
        raise BadSignature(
            "old_timestamp",
            f"X-Unde-Timestamp differs from the server's clock by more than {MAX_CLOCK_SKEW} s. "
            "Check your clock and sign again.",
        )
    signatures = [part.strip() for part in header.split(",", _MAX_SIGNATURES)[:_MAX_SIGNATURES]]
    matching: str | None = None
    for secret in secrets:  # always all of them, so that the duration reveals nothing
        expected = sign(secret, timestamp, body)
        for signature in signatures:
            if _SIGNATURE.fullmatch(signature) and hmac.compare_digest(signature.encode(), expected.encode()):
                matching = matching or expected
    if matching is None:
        raise BadSignature("bad_signature", "X-Unde-Signature does not match the timestamp, the body and the secret.")
    return hashlib.sha256(matching.encode()).hexdigest()
