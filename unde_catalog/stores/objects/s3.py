"""Objects in a bucket of an S3-compatible store (Hetzner and its like, MinIO, rclone).

What such stores refuse is not sent: no checksum headers, no conditional writes, no multipart uploads (an aborted one
would lie in the bucket unseen, and be paid for). DeleteObjects can't do without a checksum header, so objects are
deleted one by one; a product has five.
"""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING
from urllib.parse import quote

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store as Bucket

from unde_catalog.settings.s3 import S3Settings
from unde_catalog.stores.objects.objects import ObjectMissing, ObjectStore, StorageUnavailable, checked
from unde_catalog.text import first_line

if TYPE_CHECKING:
    from obstore.store import S3Credential

# Photos change under their URL (spec 1): five minutes is the longest that anyone sees the old one.
CACHE_CONTROL = "max-age=300"

# A store allows 256 connections an address (spec 6), which all processes of a machine share. The client may open a
# few more than it has requests on their way (three were seen; twice as many at the most): room for eight processes.
IN_FLIGHT = 16
_slots = threading.BoundedSemaphore(IN_FLIGHT)

# A put ends within PUT_SECONDS (60): 10 waiting for a slot, then tries that fail within 20 are repeated, and the last
# one waits 5 and takes 18. A try that hangs is repeated once, a refusal (429, 5xx) some seven times.
_SLOT_SECONDS = 10.0
_TRY = timedelta(seconds=18)
_REPEATED_FOR = timedelta(seconds=20)
_FIRST_WAIT = timedelta(milliseconds=200)
_LONGEST_WAIT = timedelta(seconds=5)

_ALIVE_SECONDS = 1.0  # after a look at the bucket; without it, every missing object would cost two requests


def s3_store(
    s3: S3Settings, public_base_url: str | None = None, *, repeated_for: timedelta = _REPEATED_FOR
) -> ObjectStore:
    """A store in a bucket; nothing is asked of it yet. What fails is asked again for so long.

    Its public URLs are `public_base_url/key`, or the bucket's own address where none is given.
    """
    return S3Store(open_s3(s3, repeated_for), s3, public_base_url)


def open_s3(s3: S3Settings, repeated_for: timedelta = _REPEATED_FOR) -> Bucket:
    """obstore's own bucket, for whoever only lists what is not ours; `explain_s3` tells what its errors mean."""

    def credentials() -> "S3Credential":  # unlike plain keys, never joined with an AWS_SESSION_TOKEN lying about
        access, secret = s3.access_key.get_secret_value(), s3.secret_key.get_secret_value()
        return {"access_key_id": access, "secret_access_key": secret, "token": None, "expires_at": None}

    endpoint = s3.base_url if s3.virtual_host else s3.endpoint
    return Bucket(
        s3.bucket,
        config={
            # Whatever is not named here, obstore would take from AWS_... variables meant for other programs.
            "endpoint": endpoint,
            "aws_endpoint_url_s3": endpoint,
            "region": s3.region,
            "virtual_hosted_style_request": s3.virtual_host,
            "skip_signature": False,
            "unsigned_payload": False,
            "request_payer": False,
            "disable_bulk_delete": True,
        },
        credential_provider=credentials,
        client_options={
            "allow_http": endpoint.startswith("http://"),  # settings allow it for private addresses only
            "allow_invalid_certificates": False,
            "connect_timeout": timedelta(seconds=5),
            "timeout": _TRY,
            "pool_max_idle_per_host": str(IN_FLIGHT),
            "pool_idle_timeout": timedelta(seconds=20),
        },
        retry_config={
            "max_retries": 10,
            "retry_timeout": repeated_for,
            "backoff": {"init_backoff": _FIRST_WAIT, "max_backoff": _LONGEST_WAIT, "base": 2},
        },
    )


class S3Store(ObjectStore):
    """Every request holds one of the process's slots; every fault is told by the setting that mends it."""

    def __init__(self, backend: Bucket, s3: S3Settings, public_base_url: str | None) -> None:
        super().__init__(backend, s3.base_url)
        self._s3 = s3
        self._public = (public_base_url or s3.base_url).rstrip("/")
        self._seen_alive = -_ALIVE_SECONDS

    def put(self, key: str, data: bytes, content_type: str) -> None:
        """Store `data` in one request; it is there whole or not at all."""
        attributes = {"Content-Type": content_type, "Cache-Control": CACHE_CONTROL}
        try:
            with self._request("writing", checked(key)):
                obstore.put(self._backend, key, data, attributes=attributes, use_multipart=False)
        except ObjectMissing:
            raise StorageUnavailable(
                f"writing {self.where}/{key} failed: the store answers 404: look at S3_ENDPOINT and S3_BUCKET"
            ) from None

    def public_url(self, key: str) -> str:
        """The configured base URL, else the bucket's address, and the key."""
        return f"{self._public}/{quote(checked(key))}"

    def remove_leftovers(self, before: datetime) -> int:
        """0: an unfinished upload leaves nothing."""
        return 0

    def _alive(self) -> None:
        if monotonic() - self._seen_alive < _ALIVE_SECONDS:
            return
        try:
            for _ in obstore.list(self._backend, ".alive"):  # a folder nobody has: a small answer
                break
        except (BaseError, OSError) as error:
            raise self._down(error, "opening", "") from None
        self._seen_alive = monotonic()

    @contextmanager
    def _request(self, doing: str, key: str) -> Iterator[None]:
        if not _slots.acquire(timeout=_SLOT_SECONDS):
            raise StorageUnavailable(
                f"{doing} {self.where}/{key} failed: {IN_FLIGHT} requests are on their way and none came back in "
                f"{_SLOT_SECONDS:g} s: the store or the line to it is too slow"
            )
        try:
            with super()._request(doing, key):
                yield
        finally:
            _slots.release()

    def _down(self, error: Exception, doing: str, key: str) -> StorageUnavailable:
        return StorageUnavailable(f"{doing} {self.where}/{key} failed: {explain_s3(str(error), self._s3)}")


def explain_s3(dump: str, s3: S3Settings) -> str:
    """What obstore's error means, and which `S3_...` setting mends it.

    Of the server's answer only the code is shown: the rest may repeat a key.
    """
    if found := re.search(r"non-2xx status code: (\d{3})", dump):
        status = int(found[1])
        code = re.search(r"<Code>(\w{1,60})</Code>", dump)
        said = f"{status} {code[1]}" if code else str(status)
        return f"{_of_answer(status, code[1] if code else '', s3)} (the store answers {said})"
    if "invalid list response" in dump:
        return "what answers there is no S3 store: set S3_ENDPOINT to the store's own address"
    if "redirect without LOCATION" in dump:
        return "the bucket is elsewhere: set S3_ENDPOINT and S3_REGION to its own (the store answers with a redirect)"
    if "dns error" in dump:
        return "no such host: set S3_ENDPOINT, or S3_ADDRESSING=path where the bucket is no part of the host's name"
    if re.search(r"certificate|InvalidContentType|HandshakeFailure", dump):
        return "TLS failed: look at S3_ENDPOINT (http or https, the port) and the store's certificate"
    if "kind: Timeout" in dump or "TimedOut" in dump:
        return f"no answer within {_TRY.total_seconds():g} s: look at the store and the line to it, or set S3_ENDPOINT"
    if "kind: Connect" in dump:
        return "nothing accepts connections there: start the store, or set S3_ENDPOINT"
    return f"the connection broke again and again ({first_line(dump).rpartition(' - ')[2][:200]})"


def _of_answer(status: int, code: str, s3: S3Settings) -> str:
    match code:
        case "NoSuchBucket":
            return f"there is no bucket {s3.bucket}: create it, or set S3_BUCKET"
        case "InvalidAccessKeyId":
            return "the store doesn't know the access key: set S3_ACCESS_KEY"
        case "SignatureDoesNotMatch":
            return "the secret key is not that of the access key: set S3_SECRET_KEY"
        case "RequestTimeTooSkewed":
            return "this machine's clock is wrong: set it (NTP)"
        case "AuthorizationHeaderMalformed":
            return f"the region {s3.region} is not the bucket's: set S3_REGION"
    if status == 507 or re.search(r"Quota|StorageFull|InsufficientStorage|InsufficientCapacity", code):
        return "the store or its quota is full: free space or raise it"
    if status in (401, 403):
        return (
            "these keys may not do this: set S3_ACCESS_KEY and S3_SECRET_KEY to some that may read and write the bucket"
        )
    if status == 429 or code == "SlowDown":
        return "too many requests for the store, also after waiting: run fewer workers at once"
    if status >= 500:
        return "the store is in trouble itself"
    return "set S3_ENDPOINT, S3_BUCKET and S3_REGION to what the store's provider names"
