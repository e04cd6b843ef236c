"""Whether a webhook is from whom it says: HMAC-SHA256 of its moment and body, and not older than a few minutes.

Whether it was here before is `stores/staging/products/webhook_deliveries.py`'s to know.
"""

import hashlib
import hmac
import re
from collections.abc import Sequence

WINDOW = 300  # seconds that the sender's clock and ours may differ, either way
_MOMENT = re.compile(r"[0-9]{1,12}", re.ASCII)
_SIGNATURE = re.compile(r"v1=([0-9a-f]{64})")
_MOST_SIGNATURES = 5


class BadSignature(ValueError):
    """A request that can't be trusted: a code and a sentence, which tells a forger nothing."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


def signature(secret: str, moment: str, body: bytes) -> str:
    """`v1=` and the HMAC-SHA256 in hexadecimal of the moment, a full stop and the body, as they are sent."""
    return f"v1={hmac.new(secret.encode(), moment.encode() + b'.' + body, hashlib.sha256).hexdigest()}"


def checked(secrets: Sequence[str], moment: str | None, given: str | None, body: bytes, now: float) -> str:
    """The SHA-256 in hex of the signature that fits; `BadSignature` where none does, or the moment is another time's.

    `moment`: seconds since 1970 in digits; `given`: one or more signatures with commas between, as a sender has while
    its secret changes; `now`: seconds since 1970.
    """
    if moment is None or given is None:
        raise BadSignature("not_signed", "X-Unde-Timestamp and X-Unde-Signature are wanted")
    if not _MOMENT.fullmatch(moment):
        raise BadSignature("bad_timestamp", "X-Unde-Timestamp is not a whole number of seconds since 1970")
    if abs(now - int(moment)) > WINDOW:
        raise BadSignature(
            "old_timestamp",
            f"X-Unde-Timestamp is more than {WINDOW} s from now: sign again, with a clock that is right",
        )
    signatures = [one.strip() for one in given.split(",", _MOST_SIGNATURES)[:_MOST_SIGNATURES]]
    fits: str | None = None
    for secret in secrets:  # all of them, so that the time it takes tells nothing
        expected = signature(secret, moment, body)
        for one in signatures:
            if _SIGNATURE.fullmatch(one) and hmac.compare_digest(one.encode(), expected.encode()):
                fits = fits or expected
    if fits is None:
        raise BadSignature("bad_signature", "X-Unde-Signature does not fit the body, the timestamp and the secret")
    return hashlib.sha256(fits.encode()).hexdigest()
