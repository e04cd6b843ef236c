"""Checks the object store: a test object is written, read, compared and deleted, and the public can read it."""

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

_SECONDS = (3, 4)  # to connect, and to wait for a response
_QUERY_SECONDS = 3.0  # to find out whether there should be objects
_RETRY_TIME = timedelta(seconds=1)  # a worker retries longer than a check may take


def check_objects(databases: Databases) -> Finding:
    """Write, read, compare and delete an object; the public can read objects but not list them."""
    settings, folder = databases.settings, databases.settings.objects_folder
    base_url = str(settings.object_base_url) if settings.object_base_url else None
    if settings.s3 is None and not is_store(folder):
        if within(_QUERY_SECONDS, lambda: _any_photo(databases)):
            return red(first_line(not_mounted(folder)), "UNDE_HOME", "S3_ENDPOINT")
        return not_configured(f"the folder {folder} is created at the first use", "S3_ENDPOINT")
    try:
        if settings.s3 is None:
            store = configured_store(settings)
        else:
            store = s3_store(settings.s3, base_url, retry_for=_RETRY_TIME)
        remark = _probe(store)
    except (StorageUnavailable, ObjectMissing) as error:
        named = re.findall(r"\bS3_[A-Z]+(?:_[A-Z]+)?\b", str(error))
        default = ("S3_ENDPOINT", "S3_BUCKET") if settings.s3 else ("UNDE_HOME", "S3_ENDPOINT")
        return red(first_line(error), *(dict.fromkeys(named) or default))
    if settings.s3 is not None and _is_listable(settings.s3.base_url):
        return yellow(f"{store.where}: anyone can list the bucket: restrict its policy to GetObject", "S3_BUCKET")
    if remark:
        return yellow(f"{store.where}: {remark}", "OBJECT_BASE_URL")
    if settings.s3 is None:
        return yellow(f"not configured: the folder {store.where} is used, and works", "S3_ENDPOINT")
    return green(f"{store.where}: a test object was written, read, read by the public and deleted")


def _probe(store: ObjectStore) -> str | None:
    """What is wrong with the public's access, None for nothing. `StorageUnavailable` if the store fails."""
    key, data = f"doctor/{secrets.token_hex(8)}.txt", secrets.token_hex(64).encode()
    store.put(key, data, "text/plain")
    try:
        if store.get(key) != data:
            raise StorageUnavailable(f"{store.where}/{key} has other content than was written")
        url = store.public_url(key)
        return _public_error(url, data) if url.startswith("http") else None
    finally:
        store.delete([key])


def _any_photo(databases: Databases) -> bool:
    with databases.staging(_QUERY_SECONDS) as db:
        return db.run(originals.any_stored)


def _public_error(url: str, data: bytes) -> str | None:
    """Why the public cannot read the object at that URL, None if it can."""
    error = f"the public cannot read objects at {url.rpartition('/doctor/')[0]}"
    try:
        with _get(url) as response:
            if response.status_code != 200:
                return f"{error}: status {response.status_code}"
            return None if response.raw.read(len(data) + 1) == data else f"{error}: other content"
    except (requests.RequestException, OSError) as exception:
        return f"{error}: {type(exception).__name__}"


def _is_listable(bucket_url: str) -> bool:
    try:
        with _get(f"{bucket_url}/?list-type=2&max-keys=1") as response:
            return response.status_code == 200 and b"<ListBucketResult" in response.raw.read(2_000)
    except (requests.RequestException, OSError):
        return False


def _get(url: str) -> requests.Response:
    """A GET without credentials, also without those of the environment."""
    session = requests.Session()
    session.trust_env = False
    return session.get(url, timeout=_SECONDS, stream=True, headers={"Accept-Encoding": "identity"})
