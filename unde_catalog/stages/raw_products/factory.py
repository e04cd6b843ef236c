"""Creates a brand's source from settings. Creating one sends no request."""

from typing import TYPE_CHECKING

from unde_catalog.brands import BRANDS
from unde_catalog.settings.bakai import BakaiFields, BakaiList
from unde_catalog.settings.environment import Settings
from unde_catalog.stages.configured import why_not_configured
from unde_catalog.stages.raw_products.errors import NotConfigured, SourceUnusable
from unde_catalog.stages.raw_products.source import Source

if TYPE_CHECKING:
    from unde_catalog.stages.raw_products.bakai_api import BakaiApi
    from unde_catalog.stages.raw_products.bakai_bucket import BakaiBucket


def create_source(brand: str, settings: Settings) -> Source:
    """The brand's source. Raises `NotConfigured` without its settings, `SourceUnusable` if they cannot be used."""
    return _bakai(brand, settings) if BRANDS[brand].source_kind == "bakai" else _apify(brand, settings)


def open_bakai(settings: BakaiFields, which: BakaiList, *, tries: int = 4) -> "BakaiApi | BakaiBucket":
    """BakaiMarket's listing, from its CDN's API or from its bucket. `tries`: of each request to the API.

    Raises ValueError if settings are missing, `SourceUnusable` if keys cannot be sent.
    """
    # Imported here: most stages and brands need neither client.
    from unde_catalog.stages.raw_products.bakai_api import BakaiApi
    from unde_catalog.stages.raw_products.bakai_bucket import BakaiBucket

    if missing := settings.missing_for_bakai(which):
        raise ValueError(f"not configured: set {', '.join(missing)}")
    if which == "bucket":
        base_url = settings.bakai_image_base_url
        return BakaiBucket(settings.bakai_bucket(), str(base_url) if base_url else None)
    access, secret = settings.bakai_cdn_access_key, settings.bakai_cdn_secret_key
    assert access is not None and secret is not None  # `missing_for_bakai` found nothing missing
    keys = access.get_secret_value().strip(), secret.get_secret_value().strip()
    return BakaiApi(str(settings.bakai_cdn_api_url), *keys, tries=tries)


def _apify(brand: str, settings: Settings) -> Source:
    from unde_catalog.stages.raw_products.apify import ApifyTask
    from unde_catalog.stages.raw_products.apify_source import ApifySource

    task_id = settings.brands[brand].apify_task
    if task_id is None:
        raise NotConfigured(why_not_configured("raw_products", brand, settings))
    token = settings.apify_token.get_secret_value().strip() if settings.apify_token else ""
    if not token:
        raise SourceUnusable("APIFY_TOKEN is not set: copy it from the API tokens page of the Apify account")
    return ApifySource(ApifyTask(task_id, token, str(settings.apify_api_url)))


def _bakai(brand: str, settings: Settings) -> Source:
    from unde_catalog.stages.raw_products.bakai_source import BakaiSource

    if reason := why_not_configured("raw_products", brand, settings):
        raise NotConfigured(reason)
    try:
        return BakaiSource(open_bakai(settings, settings.bakai_source))
    except ValueError as error:
        raise SourceUnusable(str(error)) from None
