"""XML bodies of an S3-compatible store: listings and errors.

HTTP, signatures and the lookup of keys do not belong here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import quote
from xml.sax.saxutils import escape

ErrorCode = Literal[
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
STATUS: dict[ErrorCode, int] = {
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
class ListingRequest:
    """The parameters of a ListObjectsV2 request, as received."""

    bucket: str
    prefix: str
    delimiter: str
    max_keys: int
    start_after: str
    token: str
    encoded: bool


@dataclass(frozen=True, slots=True)
class ListingPage:
    """A page of a listing: objects (key, bytes, ETag), common prefixes, and the token of the next page.

    `modified_at` is the time of all objects, in seconds since the epoch.
    """

    objects: Sequence[tuple[str, int, str]]
    prefixes: Sequence[str]
    token: str | None
    modified_at: float


def listing(request: ListingRequest, page: ListingPage) -> bytes:
    """Returns the body of a page of ListObjectsV2."""
    key: Callable[[str], str] = (lambda text: quote(text, safe="/")) if request.encoded else (lambda text: text)
    modified = datetime.fromtimestamp(page.modified_at, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    fields = [
        ("Name", request.bucket),
        ("Prefix", key(request.prefix)),
        ("Delimiter", key(request.delimiter)),
        ("MaxKeys", str(request.max_keys)),
        ("EncodingType", "url" if request.encoded else ""),
        ("StartAfter", key(request.start_after)),
        ("ContinuationToken", request.token),
        ("NextContinuationToken", page.token or ""),
    ]
    parts = [_tag(name, text) for name, text in fields if text or name == "Prefix"]
    parts.append(_tag("KeyCount", str(len(page.objects) + len(page.prefixes))))
    parts.append(_tag("IsTruncated", "true" if page.token else "false"))
    for name, size, etag in page.objects:
        tags = _tag("Key", key(name)) + _tag("LastModified", modified) + _tag("ETag", etag) + _tag("Size", str(size))
        parts.append(f"<Contents>{tags}<StorageClass>STANDARD</StorageClass></Contents>")
    parts += [f"<CommonPrefixes>{_tag('Prefix', key(prefix))}</CommonPrefixes>" for prefix in page.prefixes]
    return f'{_XML}<ListBucketResult xmlns="{_NAMESPACE}">{"".join(parts)}</ListBucketResult>'.encode()


def error_body(code: ErrorCode, resource: str, message: str = "") -> bytes:
    """Returns the body of an error response."""
    tags = _tag("Code", code) + _tag("Message", message or code) + _tag("Resource", resource)
    return f"{_XML}<Error>{tags}<RequestId>sandbox</RequestId></Error>".encode()


def error_code_for(status: int) -> ErrorCode:
    """Returns the code that a store sends with this status."""
    codes: dict[int, ErrorCode] = {403: "AccessDenied", 404: "NoSuchKey", 429: "TooManyRequests", 503: "SlowDown"}
    return codes.get(status, "InternalError" if status >= 500 else "InvalidArgument")


def _tag(name: str, text: str) -> str:
    return f"<{name}>{escape(text)}</{name}>"
