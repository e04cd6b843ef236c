"""Which of BakaiMarket's lists is meant: its CDN's API or its bucket, opened from settings.

What they answer is `bakai_api.py`'s and `bakai_bucket.py`'s, what an item says `bakai_item.py`'s.
"""

from typing import TYPE_CHECKING

from unde_catalog.settings.bakai import BakaiFields, BakaiList

if TYPE_CHECKING:
    from unde_catalog.stages.raw_products.bakai_api import BakaiApi
    from unde_catalog.stages.raw_products.bakai_bucket import BakaiBucket


def open_bakai(settings: BakaiFields, which: BakaiList, *, tries: int = 4) -> "BakaiApi | BakaiBucket":
    """The list; nothing is asked yet. `tries`: of each request to the API.

    ValueError names the variables that are missing, `SourceUnusable` keys that can't be sent.
    """
    # Imported here: most stages and brands need neither.
    from unde_catalog.stages.raw_products.bakai_api import BakaiApi
    from unde_catalog.stages.raw_products.bakai_bucket import BakaiBucket

    if missing := settings.missing_for_bakai(which):
        raise ValueError(f"not configured: set {', '.join(missing)}")
    if which == "bucket":
        base_url = settings.bakai_image_base_url
        return BakaiBucket(settings.bakai_bucket(), str(base_url) if base_url else None)
    access, secret = settings.bakai_cdn_access_key, settings.bakai_cdn_secret_key
    assert access is not None and secret is not None  # nothing is missing
    keys = access.get_secret_value().strip(), secret.get_secret_value().strip()
    return BakaiApi(str(settings.bakai_cdn_api_url), *keys, tries=tries)
