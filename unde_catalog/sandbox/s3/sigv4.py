"""AWS signatures (version 4) as a store checks them: in the headers of a request or in its query.

Nothing of HTTP servers here, and nothing is shared with the clients: a request comes as its own parts. Any region is
accepted; a body is taken as the header says it is, since only what has none is signed here.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import quote, unquote

Problem = Literal[
    "AccessDenied",
    "AuthorizationHeaderMalformed",
    "AuthorizationQueryParametersError",
    "InvalidAccessKeyId",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
]
MOST_SKEW_SECONDS = 900
_LONGEST_LIFE = 604_800  # seconds that a signed address may be good for
_ALGORITHM = "AWS4-HMAC-SHA256"
_HEADER = re.compile(
    _ALGORITHM + r"\s+Credential=(?P<credential>[^,\s]+),\s*SignedHeaders=(?P<signed>[^,\s]+),"
    r"\s*Signature=(?P<signature>[0-9a-f]{64})"
)
_SCOPE = re.compile(r"(?P<key>[^/]+)/(?P<scope>(?P<day>\d{8})/(?P<region>[^/]+)/s3/aws4_request)")
_MOMENT = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True)
class Sent:
    """A request as it came: `path` and `query` as sent (encoded), header names in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Claim:
    credential: str
    signed: str
    signature: str
    moment: str
    body_hash: str
    in_query: bool


def is_signed(sent: Sent) -> bool:
    """Whether a request claims to be somebody's at all."""
    return "authorization" in sent.headers or any(name.startswith("X-Amz-") for name, _ in _pairs(sent.query))


def problem(sent: Sent, secrets: Mapping[str, str], now: float) -> Problem | None:
    """What is wrong with the signature of a request, None if nothing is; `secrets` by access key, `now` since the
    epoch."""
    malformed: Problem = (
        "AuthorizationHeaderMalformed" if "authorization" in sent.headers else ("AuthorizationQueryParametersError")
    )
    claim = _of_header(sent) if "authorization" in sent.headers else _of_query(sent)
    scope = _SCOPE.fullmatch(claim.credential) if claim else None
    moment = _seconds(claim.moment) if claim else None
    if claim is None or scope is None or moment is None or not claim.moment.startswith(scope["day"]):
        return malformed
    late = _too_late(sent, claim, moment, now)
    if late is not None:
        return late
    if scope["key"] not in secrets:
        return "InvalidAccessKeyId"
    names = claim.signed.split(";")
    if not _covers(sent, names):
        return "SignatureDoesNotMatch"
    text = "\n".join((_ALGORITHM, claim.moment, scope["scope"], _sha256(_canonical(sent, claim, names))))
    key = f"AWS4{secrets[scope['key']]}".encode()
    for part in scope["scope"].split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    right = hmac.digest(key, text.encode(), "sha256").hex()
    return None if hmac.compare_digest(right, claim.signature) else "SignatureDoesNotMatch"


def _of_header(sent: Sent) -> _Claim | None:
    match = _HEADER.fullmatch(sent.headers["authorization"].strip())
    if match is None:
        return None
    moment = sent.headers.get("x-amz-date", "")
    body_hash = sent.headers.get("x-amz-content-sha256", "")
    return _Claim(match["credential"], match["signed"], match["signature"], moment, body_hash, in_query=False)


def _of_query(sent: Sent) -> _Claim | None:
    query = dict(_pairs(sent.query))
    wanted = ("X-Amz-Credential", "X-Amz-SignedHeaders", "X-Amz-Signature", "X-Amz-Date")
    if query.get("X-Amz-Algorithm") != _ALGORITHM or not all(query.get(name) for name in wanted):
        return None
    credential, signed, signature, moment = (query[name] for name in wanted)
    return _Claim(credential, signed, signature, moment, "UNSIGNED-PAYLOAD", in_query=True)


def _too_late(sent: Sent, claim: _Claim, moment: float, now: float) -> Problem | None:
    if not claim.in_query:
        return "RequestTimeTooSkewed" if abs(now - moment) > MOST_SKEW_SECONDS else None
    life = dict(_pairs(sent.query)).get("X-Amz-Expires", "")
    if not (life.isascii() and life.isdigit() and len(life) < 8 and 0 < int(life) <= _LONGEST_LIFE):
        return "AuthorizationQueryParametersError"
    return None if moment - MOST_SKEW_SECONDS <= now <= moment + int(life) else "AccessDenied"


def _covers(sent: Sent, names: Sequence[str]) -> bool:
    """Whether the host and all of Amazon's headers are signed."""
    needed = {"host", *(name for name in sent.headers if name.startswith("x-amz-"))}
    return needed <= set(names) and all(name in sent.headers for name in names)


def _canonical(sent: Sent, claim: _Claim, names: Sequence[str]) -> str:
    path = quote(unquote(sent.path, errors="surrogateescape"), safe="/-_.~", errors="surrogateescape")
    pairs = [(name, value) for name, value in _pairs(sent.query) if name != "X-Amz-Signature"]
    query = "&".join(f"{name}={value}" for name, value in sorted((_encoded(a), _encoded(b)) for a, b in pairs))
    headers = "".join(f"{name}:{' '.join(sent.headers[name].split())}\n" for name in names)
    return "\n".join((sent.method, path, query, headers, claim.signed, claim.body_hash))


def _pairs(query: str) -> list[tuple[str, str]]:
    """The parameters, decoded; a plus is a plus."""
    parts = [part.partition("=") for part in query.split("&") if part]
    return [(unquote(a, errors="surrogateescape"), unquote(b, errors="surrogateescape")) for a, _, b in parts]


def _encoded(text: str) -> str:
    return quote(text, safe="-_.~", errors="surrogateescape")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _seconds(moment: str) -> float | None:
    try:
        return datetime.strptime(moment, _MOMENT).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None
