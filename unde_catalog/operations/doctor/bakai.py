"""BakaiMarket: is its CDN's API well and are our keys taken there, and may its bucket be listed and its photos be read.

Both are asked, whichever of them its products are listed by: the other one is for exports.
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

_ASKED_AGAIN = timedelta(seconds=1)  # a worker would ask for much longer than a look may take
_SECONDS = (3, 4)  # to connect, and to wait for a photo
_SETTING = re.compile(r"\bBAKAI_[A-Z0-9]+(?:_[A-Z0-9]+)*\b")


def look_at_api(settings: Settings) -> Finding:
    """How fast it says that it is well, whether it takes our keys, and an example product."""
    if missing := settings.missing_for_bakai("api"):
        return _half_set(missing, 2, "its products can't be listed by its API")
    host = host_of(str(settings.bakai_cdn_api_url))
    try:
        api = open_bakai(settings, "api", tries=1)
        assert isinstance(api, BakaiApi)
        latency, page = api.health(), api.example()
    except SourceUnusable as error:
        return _told(error, "BAKAI_CDN_API_URL")
    told = f"{host} is well ({latency * 1000:,.0f} ms) and takes the keys"
    if page.total is not None:
        told += f", {page.total:,} products"
    if not page.items:
        return yellow(f"{told}; but it lists none")
    example = read_item(page.items[0])
    if isinstance(example, RejectedItem):
        return yellow(f"{told}; but the first can't be read: {printable(example.detail)}")
    photos = len(example.original_image_urls)
    name, external_id = printable(example.name, 60), printable(example.external_id)
    return green(f"{told}, for example {external_id} ({name}, {photos} photos)")


def look_at_bucket(settings: Settings) -> Finding:
    """How fast it lists its first object, and whether that photo can be read where it would be downloaded."""
    if missing := settings.missing_for_bakai("bucket"):
        return _half_set(missing, 4, "its products can't be listed by its bucket")
    try:
        bucket = BakaiBucket(settings.bakai_bucket(), _base_url(settings), retry_for=_ASKED_AGAIN)
    except ValueError as error:
        return _told(error, "BAKAI_S3_ENDPOINT")
    began = time.monotonic()
    try:
        key = bucket.first_key()
    except SourceUnusable as error:
        return _told(error, "BAKAI_S3_ENDPOINT", "BAKAI_S3_BUCKET")
    told = f"the bucket {settings.bakai_s3_bucket} may be listed ({(time.monotonic() - began) * 1000:,.0f} ms)"
    if key is None:
        return yellow(f"{told}; but it is empty", "BAKAI_S3_BUCKET")
    url = bucket.photo_url(key)
    refused, shown = _photo(url), printable(key)
    if refused is not None:
        return yellow(f"{told}; but {shown} can't be read at {host_of(url)}: {refused}", "BAKAI_IMAGE_BASE_URL")
    return green(f"{told}, and photos be read, for example {shown}")


def _base_url(settings: Settings) -> str | None:
    return str(settings.bakai_image_base_url) if settings.bakai_image_base_url else None


def _half_set(missing: list[str], of: int, said: str) -> Finding:
    if len(missing) == of:
        return not_configured(said, *missing)
    return red(f"{' and '.join(missing)} wanted beside what is set", *missing)


def _told(error: Exception, *fallback: str) -> Finding:
    named = dict.fromkeys(_SETTING.findall(str(error)))
    return red(first_line(error), *(named or fallback))


def _photo(url: str) -> str | None:
    """Why nobody in particular can read it; None if it can be."""
    session = requests.Session()
    session.trust_env = False
    try:
        with session.get(url, timeout=_SECONDS, stream=True, headers={"Accept-Encoding": "identity"}) as answer:
            return None if answer.status_code == 200 else f"it answers {answer.status_code}"
    except (requests.RequestException, OSError) as error:
        return type(error).__name__
