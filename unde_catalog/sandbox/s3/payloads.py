"""The XML of an S3-compatible store: listings and errors. No HTTP, no signatures and no keys to look up here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import quote
from xml.sax.saxutils import escape

Refusal = Literal[
    "AccessDenied",
    "AuthorizationHeaderMalformed",
    "AuthorizationQueryParametersError",
    "InternalError",
    "InvalidAccessKeyId",
    "InvalidArgument",
    "MethodNotAllowed",
    "NoSuchBucket",
    "NoSuchKey",
    "NotImplemented",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "SlowDown",
    "TooManyRequests",
]
STATUS: dict[Refusal, int] = {
    "AccessDenied": 403,
    "AuthorizationHeaderMalformed": 400,
    "AuthorizationQueryParametersError": 400,
    "InternalError": 500,
    "InvalidAccessKeyId": 403,
    "InvalidArgument": 400,
    "MethodNotAllowed": 405,
    "NoSuchBucket": 404,
    "NoSuchKey": 404,
    "NotImplemented": 501,
    "RequestTimeTooSkewed": 403,
    "SignatureDoesNotMatch": 403,
    "SlowDown": 503,
    "TooManyRequests": 429,
}
_XML = '<?xml version="1.0" encoding="UTF-8"?>\n'
_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a listing was asked for; the texts as they were given."""

    bucket: str
    prefix: str
    delimiter: str
    max_keys: int
    start_after: str
    token: str
    encoded: bool


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of a listing: objects (key, bytes, ETag), common prefixes, and the token of the next page."""

    objects: Sequence[tuple[str, int, str]]
    prefixes: Sequence[str]
    token: str | None
    moment: float


def listing(asked: Asked, found: Listing) -> bytes:
    """The body of a page of ListObjectsV2; `found.moment` is when all objects were put there."""
    key: Callable[[str], str] = (lambda text: quote(text, safe="/")) if asked.encoded else (lambda text: text)
    modified = datetime.fromtimestamp(found.moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    fields = [
        ("Name", asked.bucket),
        ("Prefix", key(asked.prefix)),
        ("Delimiter", key(asked.delimiter)),
        ("MaxKeys", str(asked.max_keys)),
        ("EncodingType", "url" if asked.encoded else ""),
        ("StartAfter", key(asked.start_after)),
        ("ContinuationToken", asked.token),
        ("NextContinuationToken", found.token or ""),
    ]
    parts = [_tag(name, text) for name, text in fields if text or name == "Prefix"]
    parts.append(_tag("KeyCount", str(len(found.objects) + len(found.prefixes))))
    parts.append(_tag("IsTruncated", "true" if found.token else "false"))
    for name, size, etag in found.objects:
        about = _tag("Key", key(name)) + _tag("LastModified", modified) + _tag("ETag", etag) + _tag("Size", str(size))
        parts.append(f"<Contents>{about}<StorageClass>STANDARD</StorageClass></Contents>")
    parts += [f"<CommonPrefixes>{_tag('Prefix', key(prefix))}</CommonPrefixes>" for prefix in found.prefixes]
    return f'{_XML}<ListBucketResult xmlns="{_NAMESPACE}">{"".join(parts)}</ListBucketResult>'.encode()


def error(code: Refusal, resource: str, message: str = "") -> bytes:
    """The body of an error."""
    said = _tag("Code", code) + _tag("Message", message or code) + _tag("Resource", resource)
    return f"{_XML}<Error>{said}<RequestId>sandbox</RequestId></Error>".encode()


def refusal_of(status: int) -> Refusal:
    """What a store says with this status, when it is in trouble."""
    said: dict[int, Refusal] = {403: "AccessDenied", 404: "NoSuchKey", 429: "TooManyRequests", 503: "SlowDown"}
    return said.get(status, "InternalError" if status >= 500 else "InvalidArgument")


def _tag(name: str, text: str) -> str:
    return f"<{name}>{escape(text)}</{name}>"
