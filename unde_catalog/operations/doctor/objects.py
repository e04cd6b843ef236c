"""The object store: a small object is written, read, compared and deleted, and looked at as the public sees it."""

import re
import secrets
from datetime import timedelta

import requests

from unde_catalog.operations.doctor.databases import Databases
from unde_catalog.operations.doctor.result import Finding, green, not_configured, red, yellow
from unde_catalog.operations.doctor.run import within
from unde_catalog.stores.objects.directory import is_store, not_mounted
from unde_catalog.stores.objects.objects import ObjectMissing, ObjectStore, StorageUnavailable
from unde_catalog.stores.objects.open import configured_store
from unde_catalog.stores.objects.s3 import s3_store
from unde_catalog.stores.staging.photos import originals
from unde_catalog.text import first_line

_SECONDS = (3, 4)  # to connect, and to wait for a public answer
_LOOK_SECONDS = 3.0  # for whether there should be objects
_ASKED_AGAIN = timedelta(seconds=1)  # a worker would ask for much longer than a look may take


def look_at_objects(databases: Databases) -> Finding:
    """Write, read, compare, delete; then whether others can read objects, and nobody can list them."""
    settings, folder = databases.settings, databases.settings.objects_folder
    base_url = str(settings.object_base_url) if settings.object_base_url else None
    if settings.s3 is None and not is_store(folder):
        if within(_LOOK_SECONDS, lambda: _any_photo(databases)):
            return red(first_line(not_mounted(folder)), "UNDE_HOME", "S3_ENDPOINT")
        return not_configured(f"the folder {folder} stands in, made at the first use", "S3_ENDPOINT")
    try:
        if settings.s3 is None:
            store = configured_store(settings)
        else:
            store = s3_store(settings.s3, base_url, repeated_for=_ASKED_AGAIN)
        remark = _probe(store)
    except (StorageUnavailable, ObjectMissing) as error:
        named = re.findall(r"\bS3_[A-Z]+(?:_[A-Z]+)?\b", str(error))
        fallback = ("S3_ENDPOINT", "S3_BUCKET") if settings.s3 else ("UNDE_HOME", "S3_ENDPOINT")
        return red(first_line(error), *(dict.fromkeys(named) or fallback))
    if settings.s3 is not None and _lists(settings.s3.base_url):
        return yellow(
            f"{store.where}: everybody may list the bucket; let its policy allow GetObject alone", "S3_BUCKET"
        )
    if remark:
        return yellow(f"{store.where}: {remark}", "OBJECT_BASE_URL")
    if settings.s3 is None:
        return yellow(f"not configured: the folder {store.where} stands in, and works", "S3_ENDPOINT")
    return green(f"{store.where}: written, read, compared, read by the public, deleted")


def _probe(store: ObjectStore) -> str | None:
    """What is wrong with how the public sees it, None for nothing.

    `StorageUnavailable` where the store itself fails.
    """
    key, data = f"doctor/{secrets.token_hex(8)}.txt", secrets.token_hex(64).encode()
    store.put(key, data, "text/plain")
    try:
        if store.get(key) != data:
            raise StorageUnavailable(f"{store.where}/{key} was read back as something else than was written")
        url = store.public_url(key)
        return _seen_by_others(url, data) if url.startswith("http") else None
    finally:
        store.delete([key])


def _any_photo(databases: Databases) -> bool:
    with databases.staging(_LOOK_SECONDS) as db:
        return db.run(originals.any_is_stored)


def _seen_by_others(url: str, data: bytes) -> str | None:
    told = f"others can't read objects at {url.rpartition('/doctor/')[0]}"
    try:
        with _get(url) as answer:
            if answer.status_code != 200:
                return f"{told}: it answers {answer.status_code}"
            return None if answer.raw.read(len(data) + 1) == data else f"{told}: something else is there"
    except (requests.RequestException, OSError) as error:
        return f"{told}: {type(error).__name__}"


def _lists(bucket_url: str) -> bool:
    try:
        with _get(f"{bucket_url}/?list-type=2&max-keys=1") as answer:
            return answer.status_code == 200 and b"<ListBucketResult" in answer.raw.read(2_000)
    except (requests.RequestException, OSError):
        return False


def _get(url: str) -> requests.Response:
    """A GET by nobody in particular: without credentials, of the environment either."""
    session = requests.Session()
    session.trust_env = False
    return session.get(url, timeout=_SECONDS, stream=True, headers={"Accept-Encoding": "identity"})
