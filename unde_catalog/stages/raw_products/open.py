"""Which source a brand has, opened from settings; nothing is asked of it yet."""

from unde_catalog.brands import BRANDS
from unde_catalog.settings.environment import Settings
from unde_catalog.stages.configured import why_not_configured
from unde_catalog.stages.raw_products.apify import ApifyTask, ApifyUnusable
from unde_catalog.stages.raw_products.apify_source import ApifySource
from unde_catalog.stages.raw_products.errors import SourceUnusable
from unde_catalog.stages.raw_products.source import Source


class NotConfigured(ValueError):
    """What the brand's source needs is not set; the sentence names it."""


def source_of(brand: str, settings: Settings) -> Source:
    """The brand's source. `NotConfigured`: there is none; `SourceUnusable`: what is set for it can't be used."""
    return _bakai(brand, settings) if BRANDS[brand].source_kind == "bakai" else _apify(brand, settings)


def _apify(brand: str, settings: Settings) -> ApifySource:
    task_id = settings.brands[brand].apify_task
    if task_id is None:
        raise NotConfigured(why_not_configured("raw_products", brand, settings))
    token = settings.apify_token.get_secret_value().strip() if settings.apify_token else ""
    if not token:
        raise ApifyUnusable("APIFY_TOKEN is not set: it is on the account's page of API tokens")
    return ApifySource(ApifyTask(task_id, token, str(settings.apify_api_url)))


def _bakai(brand: str, settings: Settings) -> Source:
    # Imported here: whoever collects from Apify needs neither its HTTP client nor the bucket's.
    from unde_catalog.stages.raw_products.bakai import open_bakai
    from unde_catalog.stages.raw_products.bakai_source import BakaiSource

    if why := why_not_configured("raw_products", brand, settings):
        raise NotConfigured(why)
    try:
        return BakaiSource(open_bakai(settings, settings.bakai_source))
    except ValueError as error:
        raise SourceUnusable(str(error)) from None
