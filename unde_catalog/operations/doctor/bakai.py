"""Checks BakaiMarket: its API accepts the keys, its bucket can be listed, and its photos can be read.

Both the API and the bucket are checked: products come from one of them, exports may use the other.
"""

import re
import time
from datetime import timedelta

import requests

from unde_catalog.operations.doctor.result import Finding, green, host_of, not_configured, red, yellow
from unde_catalog.settings.environment import Settings
from unde_catalog.stages.raw_products.bakai_api import BakaiApi
from unde_catalog.stages.raw_products.bakai_bucket import BakaiBucket
from unde_catalog.stages.raw_products.bakai_item import read_item
from unde_catalog.stages.raw_products.errors import SourceUnusable
from unde_catalog.stages.raw_products.factory import open_bakai
from unde_catalog.stores.staging.products.product import RejectedItem
from unde_catalog.text import first_line, printable

_RETRY_TIME = timedelta(seconds=1)  # a worker retries longer than a check may take
_SECONDS = (3, 4)  # to connect, and to wait for a photo
_SETTING = re.compile(r"\bBAKAI_[A-Z0-9]+(?:_[A-Z0-9]+)*\b")


def check_api(settings: Settings) -> Finding:
    """The API is healthy and accepts the keys; shows an example product."""
    if missing := settings.missing_for_bakai("api"):
        return _incomplete(missing, 2, "the API is not used")
    host = host_of(str(settings.bakai_cdn_api_url))
    try:
        api = open_bakai(settings, "api", tries=1)
        assert isinstance(api, BakaiApi)
        latency, page = api.health(), api.example()
    except SourceUnusable as error:
        return _failed(error, "BAKAI_CDN_API_URL")
    status = f"{host} is healthy ({latency * 1000:,.0f} ms) and accepts the keys"
    if page.total is not None:
        status += f", {page.total:,} products"
    if not page.items:
        return yellow(f"{status}, but it lists no products")
    example = read_item(page.items[0])
    if isinstance(example, RejectedItem):
        return yellow(f"{status}, but the first product is invalid: {printable(example.detail)}")
    photos = len(example.original_image_urls)
    name, external_id = printable(example.name, 60), printable(example.external_id)
    return green(f"{status}, for example {external_id} ({name}, {photos} photos)")


def check_bucket(settings: Settings) -> Finding:
    """The bucket can be listed, and its first photo can be downloaded."""
    if missing := settings.missing_for_bakai("bucket"):
        return _incomplete(missing, 4, "the bucket is not used")
    try:
        bucket = BakaiBucket(settings.bakai_bucket(), _base_url(settings), retry_for=_RETRY_TIME)
    except ValueError as error:
        return _failed(error, "BAKAI_S3_ENDPOINT")
    started = time.monotonic()
    try:
        key = bucket.first_key()
    except SourceUnusable as error:
        return _failed(error, "BAKAI_S3_ENDPOINT", "BAKAI_S3_BUCKET")
    milliseconds = (time.monotonic() - started) * 1000
    status = f"the bucket {settings.bakai_s3_bucket} can be listed ({milliseconds:,.0f} ms)"
    if key is None:
        return yellow(f"{status}, but it is empty", "BAKAI_S3_BUCKET")
    url = bucket.photo_url(key)
    error, photo = _photo_error(url), printable(key)
    if error is not None:
        return yellow(f"{status}, but {photo} cannot be read at {host_of(url)}: {error}", "BAKAI_IMAGE_BASE_URL")
    return green(f"{status} and its photos can be read, for example {photo}")


def _base_url(settings: Settings) -> str | None:
    return str(settings.bakai_image_base_url) if settings.bakai_image_base_url else None


def _incomplete(missing: list[str], number: int, consequence: str) -> Finding:
    """`number`: how many settings there are. All missing is not an error."""
    if len(missing) == number:
        return not_configured(consequence, *missing)
    return red(f"incomplete settings: {' and '.join(missing)} not set", *missing)


def _failed(error: Exception, *default: str) -> Finding:
    named = dict.fromkeys(_SETTING.findall(str(error)))
    return red(first_line(error), *(named or default))


def _photo_error(url: str) -> str | None:
    """Why the photo cannot be read without credentials; None if it can."""
    session = requests.Session()
    session.trust_env = False
    try:
        with session.get(url, timeout=_SECONDS, stream=True, headers={"Accept-Encoding": "identity"}) as response:
            return None if response.status_code == 200 else f"status {response.status_code}"
    except (requests.RequestException, OSError) as error:
        return type(error).__name__
