"""Checks the private bucket for user media: a test object is written, read and deleted, and the bucket is private."""

import asyncio
import re
import secrets
from datetime import timedelta

import requests

from unde_catalog.operations.doctor.result import Finding, green, not_configured, red, yellow
from unde_catalog.services.user_media.bucket import FOLDER, PrivateBucket, WrongBucket, private_bucket
from unde_catalog.settings.environment import Settings
from unde_catalog.settings.user_media import UserMediaSettings
from unde_catalog.stores.objects.directory import is_store
from unde_catalog.stores.objects.objects import ObjectMissing, StorageUnavailable
from unde_catalog.text import first_line

_SECONDS = (3, 4)  # to connect, and to wait for a response
_RETRY_TIME = timedelta(seconds=1)  # the service retries longer than a check may take
_SETTING = re.compile(r"\bS3_[A-Z]+(?:_[A-Z]+)*\b")


def check_private_bucket(user_media: UserMediaSettings, settings: Settings) -> Finding:
    """Write, read, compare and delete an object; the public can neither read nor list, and it holds no catalogue."""
    s3, folder = user_media.bucket(), settings.home / FOLDER
    if s3 is None and not is_store(folder):
        return not_configured(f"the folder {folder} is created at the first use", "S3_ENDPOINT_URL")
    try:
        bucket = private_bucket(user_media, settings, retry_time=_RETRY_TIME)
        bucket.refuse_catalogue()
        leak = _probe(bucket)
    except WrongBucket as error:
        return red(first_line(error), "S3_BUCKET_NAME")
    except (StorageUnavailable, ObjectMissing) as error:
        named = dict.fromkeys(_SETTING.findall(str(error)))
        return red(first_line(error), *(named or (["S3_ENDPOINT_URL", "S3_BUCKET_NAME"] if s3 else ["UNDE_HOME"])))
    if leak:
        return red(f"{bucket.store.where}: {leak}: restrict its policy to the access key", "S3_BUCKET_NAME")
    if s3 is None:
        return yellow(f"not configured: the folder {bucket.store.where} is used, and works", "S3_ENDPOINT_URL")
    return green(f"{bucket.store.where}: a test object was written, read and deleted; the bucket is not public")


def _probe(bucket: PrivateBucket) -> str | None:
    """What the public can do but must not, None for nothing. `StorageUnavailable` if the store fails."""
    key, data = f"doctor/{secrets.token_hex(8)}.txt", secrets.token_hex(64).encode()
    asyncio.run(bucket.put(key, data, "text/plain", {}))
    try:
        if bucket.store.get(key) != data:
            raise StorageUnavailable(f"{bucket.store.where}/{key} has other content than was written")
        url = bucket.url(key)
        if not url.startswith("http"):
            return None
        if data in _public_content(url):
            return "anyone can read user photos"
        listing = _public_content(f"{bucket.store.where}/")
        return "anyone can list user photos" if b"<ListBucketResult" in listing else None
    finally:
        bucket.store.delete([key])


def _public_content(url: str) -> bytes:
    """Up to 2,000 bytes of what the public can read there; empty if it cannot."""
    session = requests.Session()
    session.trust_env = False
    try:
        with session.get(url, timeout=_SECONDS, stream=True, headers={"Accept-Encoding": "identity"}) as response:
            return response.raw.read(2_000) if response.status_code == 200 else b""
    except (requests.RequestException, OSError):
        return b""
