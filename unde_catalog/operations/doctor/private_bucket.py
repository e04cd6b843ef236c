"""The private bucket of people's photos: a small object is written, read and deleted, and nobody else may read it."""

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

_SECONDS = (3, 4)  # to connect, and to wait for a public answer
_ASKED_AGAIN = timedelta(seconds=1)  # the service would ask for much longer than a look may take
_SETTING = re.compile(r"\bS3_[A-Z]+(?:_[A-Z]+)*\b")


def look_at_private_bucket(people: UserMediaSettings, settings: Settings) -> Finding:
    """Write, read, compare, delete; then whether strangers can read or list it, or the catalogue lies there."""
    s3, folder = people.bucket(), settings.home / FOLDER
    if s3 is None and not is_store(folder):
        return not_configured(f"the folder {folder} stands in, made at the first use", "S3_ENDPOINT_URL")
    try:
        bucket = private_bucket(people, settings, retry_time=_ASKED_AGAIN)
        bucket.refuse_catalogue()
        seen = _probe(bucket)
    except WrongBucket as error:
        return red(first_line(error), "S3_BUCKET_NAME")
    except (StorageUnavailable, ObjectMissing) as error:
        named = dict.fromkeys(_SETTING.findall(str(error)))
        return red(first_line(error), *(named or (["S3_ENDPOINT_URL", "S3_BUCKET_NAME"] if s3 else ["UNDE_HOME"])))
    if seen:
        return red(f"{bucket.store.where}: {seen}: let its policy allow nobody but its keys", "S3_BUCKET_NAME")
    if s3 is None:
        return yellow(f"not configured: the folder {bucket.store.where} stands in, and works", "S3_ENDPOINT_URL")
    return green(f"{bucket.store.where}: written, read, compared, closed to strangers, deleted")


def _probe(bucket: PrivateBucket) -> str | None:
    """What strangers may do that they must not; `StorageUnavailable` where the store itself fails."""
    key, data = f"doctor/{secrets.token_hex(8)}.txt", secrets.token_hex(64).encode()
    asyncio.run(bucket.put(key, data, "text/plain", {}))
    try:
        if bucket.store.get(key) != data:
            raise StorageUnavailable(f"{bucket.store.where}/{key} was read back as something else than was written")
        url = bucket.url(key)
        if not url.startswith("http"):
            return None
        if data in _seen(url):
            return "anyone can read people's photos"
        return "anyone can list people's photos" if b"<ListBucketResult" in _seen(f"{bucket.store.where}/") else None
    finally:
        bucket.store.delete([key])


def _seen(url: str) -> bytes:
    """What a stranger reads there, at most 2,000 bytes; nothing where that fails."""
    session = requests.Session()
    session.trust_env = False
    try:
        with session.get(url, timeout=_SECONDS, stream=True, headers={"Accept-Encoding": "identity"}) as answer:
            return answer.raw.read(2_000) if answer.status_code == 200 else b""
    except (requests.RequestException, OSError):
        return b""
