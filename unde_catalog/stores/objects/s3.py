"""Objects in a bucket of an S3-compatible store (Hetzner, MinIO, rclone and others).

Sends nothing that such stores reject: no checksum headers, no conditional writes, no multipart uploads (an aborted one
would stay in the bucket, invisible and billed). DeleteObjects needs a checksum header, so objects are deleted one by
one; a product has five.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cached_property
from time import monotonic
from typing import TYPE_CHECKING
from urllib.parse import quote

import obstore
from obstore.store import S3Store as Bucket

from unde_catalog.settings.s3 import S3Settings
from unde_catalog.stores.objects.objects import (
    ObjectInfo,
    ObjectMissing,
    ObjectStore,
    RequestFailed,
    StorageUnavailable,
    checked,
)
from unde_catalog.stores.objects.s3_errors import TRY, explain_dump

if TYPE_CHECKING:
    from obstore.store import S3Credential

    from unde_catalog.stores.objects.s3_listing import BucketListing

# A photo may change under its URL: caches show the old one for at most five minutes.
CACHE_CONTROL = "max-age=300"

# A store allows 256 connections per address, which all processes of a machine share. The client may open more
# connections than it has requests (three more were seen, at most twice as many): this leaves room for eight processes.
IN_FLIGHT = 16
_slots = threading.BoundedSemaphore(IN_FLIGHT)

# A put ends within PUT_SECONDS (60): 10 s waiting for a slot, 20 s in which failed tries are repeated, and a last try
# that waits 5 s and takes 18 s. A try that hangs is repeated once, a 429 or 5xx about seven times.
_SLOT_SECONDS = 10.0
_RETRY_FOR = timedelta(seconds=20)
_FIRST_WAIT = timedelta(milliseconds=200)
_LONGEST_WAIT = timedelta(seconds=5)

_PRESENT_SECONDS = (
    1.0  # how long a check of the bucket is valid; without it, every missing object would cost two requests
)


def s3_store(s3: S3Settings, public_base_url: str | None = None, *, retry_for: timedelta = _RETRY_FOR) -> ObjectStore:
    """A store in a bucket; sends no request yet. Failed requests are repeated for `retry_for`.

    Its public URLs are `public_base_url/key`, or those of the bucket's own address by default.
    """
    return S3Store(open_s3(s3, retry_for), s3, public_base_url, retry_for)


def open_s3(s3: S3Settings, retry_for: timedelta = _RETRY_FOR) -> Bucket:
    """obstore's own bucket; `explain_dump` translates its errors. `BucketListing` lists it."""

    def credentials() -> (
        "S3Credential"
    ):  # unlike plain keys, never combined with an AWS_SESSION_TOKEN of the environment
        access, secret = s3.access_key.get_secret_value(), s3.secret_key.get_secret_value()
        return {"access_key_id": access, "secret_access_key": secret, "token": None, "expires_at": None}

    endpoint = s3.base_url if s3.virtual_host else s3.endpoint
    return Bucket(
        s3.bucket,
        config={
            # obstore takes every setting that is missing here from AWS_... variables, which are for other programs.
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
            "allow_http": endpoint.startswith("http://"),  # the settings allow it only for private addresses
            "allow_invalid_certificates": False,
            "connect_timeout": timedelta(seconds=5),
            "timeout": TRY,
            "pool_max_idle_per_host": str(IN_FLIGHT),
            "pool_idle_timeout": timedelta(seconds=20),
        },
        retry_config={
            "max_retries": 10,
            "retry_timeout": retry_for,
            "backoff": {"init_backoff": _FIRST_WAIT, "max_backoff": _LONGEST_WAIT, "base": 2},
        },
    )


class S3Store(ObjectStore):
    """Every request holds one of the process's slots; every error names the setting that solves it."""

    def __init__(self, backend: Bucket, s3: S3Settings, public_base_url: str | None, retry_for: timedelta) -> None:
        super().__init__(backend, s3.base_url)
        self._s3, self._retry_for = s3, retry_for
        self._public = (public_base_url or s3.base_url).rstrip("/")
        self._seen_present = -_PRESENT_SECONDS

    def put(self, key: str, data: bytes, content_type: str) -> None:
        """Store `data` in one request, which is atomic."""
        attributes = {"Content-Type": content_type, "Cache-Control": CACHE_CONTROL}
        try:
            with self._request("writing", checked(key)):
                obstore.put(self._backend, key, data, attributes=attributes, use_multipart=False)
        except ObjectMissing:
            raise StorageUnavailable(
                f"writing {self.where}/{key} failed: the store responded 404: check S3_ENDPOINT and S3_BUCKET"
            ) from None

    def public_url(self, key: str) -> str:
        """The key below the configured base URL, or below the bucket's address."""
        return f"{self._public}/{quote(checked(key))}"

    def remove_leftovers(self, before: datetime) -> int:
        """0: an unfinished upload leaves nothing behind."""
        return 0

    def _check_present(self) -> None:
        if monotonic() - self._seen_present < _PRESENT_SECONDS:
            return
        try:
            next(self._listing.pages(".alive/"), None)  # a folder that does not exist: a small response
        except RequestFailed as error:
            raise self._unavailable(error, "opening", "") from None
        self._seen_present = monotonic()

    def _pages(self, folder: str) -> Iterator[list[ObjectInfo]]:
        return self._listing.pages(f"{folder}/" if folder else "")

    def _folders(self, folder: str) -> list[str]:
        return list(self._listing.folders(f"{folder}/" if folder else ""))

    @cached_property
    def _listing(self) -> "BucketListing":
        from unde_catalog.stores.objects.s3_listing import BucketListing  # its client takes a tenth of a second to load

        return BucketListing(self._s3, self._retry_for)

    @contextmanager
    def _request(self, doing: str, key: str) -> Iterator[None]:
        if not _slots.acquire(timeout=_SLOT_SECONDS):
            raise StorageUnavailable(
                f"{doing} {self.where}/{key} failed: {IN_FLIGHT} requests are pending and none ended within "
                f"{_SLOT_SECONDS:g} s: the store or the network is too slow"
            )
        try:
            with super()._request(doing, key):
                yield
        finally:
            _slots.release()

    def _unavailable(self, error: Exception, doing: str, key: str) -> StorageUnavailable:
        reason = str(error) if isinstance(error, RequestFailed) else explain_dump(str(error), self._s3)
        return StorageUnavailable(f"{doing} {self.where}/{key} failed: {reason}")
