"""Verification of AWS signatures (version 4) in the headers or the query of a request.

HTTP servers do not belong here: a request comes as its parts. Any region is accepted. The body's hash is taken from
its header, since only requests without a body are signed here.
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
MAX_SKEW_SECONDS = 900
_MAX_EXPIRES_SECONDS = 604_800  # of a signed URL
_ALGORITHM = "AWS4-HMAC-SHA256"
_HEADER = re.compile(
    _ALGORITHM + r"\s+Credential=(?P<credential>[^,\s]+),\s*SignedHeaders=(?P<signed>[^,\s]+),"
    r"\s*Signature=(?P<signature>[0-9a-f]{64})"
)
_SCOPE = re.compile(r"(?P<key>[^/]+)/(?P<scope>(?P<day>\d{8})/(?P<region>[^/]+)/s3/aws4_request)")
_TIME_FORMAT = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """A request as received: `path` and `query` still encoded, header names in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Signature:
    """A signature and what it says about itself."""

    credential: str
    signed_headers: str
    digest: str
    time: str
    body_hash: str
    in_query: bool


def is_signed(request: ReceivedRequest) -> bool:
    """Returns whether a request has a signature, valid or not."""
    in_query = any(name.startswith("X-Amz-") for name, _ in _query_pairs(request.query))
    return "authorization" in request.headers or in_query


def find_problem(request: ReceivedRequest, secrets: Mapping[str, str], now: float) -> Problem | None:
    """Returns what is wrong with a request's signature, or None.

    `secrets` maps access keys to secret keys; `now` is in seconds since the epoch.
    """
    in_header = "authorization" in request.headers
    signature = _from_header(request) if in_header else _from_query(request)
    scope = _SCOPE.fullmatch(signature.credential) if signature else None
    signed_at = _parse_time(signature.time) if signature else None
    if signature is None or scope is None or signed_at is None or not signature.time.startswith(scope["day"]):
        return "AuthorizationHeaderMalformed" if in_header else "AuthorizationQueryParametersError"
    time_problem = _time_problem(request, signature, signed_at, now)
    if time_problem is not None:
        return time_problem
    if scope["key"] not in secrets:
        return "InvalidAccessKeyId"
    names = signature.signed_headers.split(";")
    if not _signs_required_headers(request, names):
        return "SignatureDoesNotMatch"
    canonical = _sha256(_canonical_request(request, signature, names))
    text = "\n".join((_ALGORITHM, signature.time, scope["scope"], canonical))
    key = f"AWS4{secrets[scope['key']]}".encode()
    for part in scope["scope"].split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    expected = hmac.digest(key, text.encode(), "sha256").hex()
    return None if hmac.compare_digest(expected, signature.digest) else "SignatureDoesNotMatch"


def _from_header(request: ReceivedRequest) -> _Signature | None:
    match = _HEADER.fullmatch(request.headers["authorization"].strip())
    if match is None:
        return None
    time = request.headers.get("x-amz-date", "")
    body_hash = request.headers.get("x-amz-content-sha256", "")
    return _Signature(match["credential"], match["signed"], match["signature"], time, body_hash, in_query=False)


def _from_query(request: ReceivedRequest) -> _Signature | None:
    query = dict(_query_pairs(request.query))
    required = ("X-Amz-Credential", "X-Amz-SignedHeaders", "X-Amz-Signature", "X-Amz-Date")
    if query.get("X-Amz-Algorithm") != _ALGORITHM or not all(query.get(name) for name in required):
        return None
    credential, signed_headers, digest, time = (query[name] for name in required)
    return _Signature(credential, signed_headers, digest, time, "UNSIGNED-PAYLOAD", in_query=True)


def _time_problem(request: ReceivedRequest, signature: _Signature, signed_at: float, now: float) -> Problem | None:
    if not signature.in_query:
        return "RequestTimeTooSkewed" if abs(now - signed_at) > MAX_SKEW_SECONDS else None
    expires = dict(_query_pairs(request.query)).get("X-Amz-Expires", "")
    valid = expires.isascii() and expires.isdigit() and len(expires) < 8 and 0 < int(expires) <= _MAX_EXPIRES_SECONDS
    if not valid:
        return "AuthorizationQueryParametersError"
    return None if signed_at - MAX_SKEW_SECONDS <= now <= signed_at + int(expires) else "AccessDenied"


def _signs_required_headers(request: ReceivedRequest, names: Sequence[str]) -> bool:
    """Returns whether the host and all `x-amz-` headers are signed."""
    required = {"host", *(name for name in request.headers if name.startswith("x-amz-"))}
    return required <= set(names) and all(name in request.headers for name in names)


def _canonical_request(request: ReceivedRequest, signature: _Signature, names: Sequence[str]) -> str:
    path = quote(unquote(request.path, errors="surrogateescape"), safe="/-_.~", errors="surrogateescape")
    pairs = [(name, value) for name, value in _query_pairs(request.query) if name != "X-Amz-Signature"]
    query = "&".join(f"{name}={value}" for name, value in sorted((_uri_encoded(a), _uri_encoded(b)) for a, b in pairs))
    headers = "".join(f"{name}:{' '.join(request.headers[name].split())}\n" for name in names)
    return "\n".join((request.method, path, query, headers, signature.signed_headers, signature.body_hash))


def _query_pairs(query: str) -> list[tuple[str, str]]:
    """Returns the decoded parameters; a plus sign stays a plus sign."""
    parts = [part.partition("=") for part in query.split("&") if part]
    return [(unquote(a, errors="surrogateescape"), unquote(b, errors="surrogateescape")) for a, _, b in parts]


def _uri_encoded(text: str) -> str:
    return quote(text, safe="-_.~", errors="surrogateescape")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _parse_time(text: str) -> float | None:
    try:
        return datetime.strptime(text, _TIME_FORMAT).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None
