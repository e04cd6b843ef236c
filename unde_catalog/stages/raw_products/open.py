"""Which source a brand has, opened from settings; nothing is asked of it yet."""

from unde_catalog.brands import BRANDS
from unde_catalog.settings.environment import Settings
from unde_catalog.stages.raw_products.apify import ApifyTask, ApifyUnusable
from unde_catalog.stages.raw_products.apify_source import ApifySource
from unde_catalog.stages.raw_products.errors import SourceUnusable
from unde_catalog.stages.raw_products.source import Source


class NotConfigured(ValueError):
    """What the brand's source needs is not set; the sentence names it."""


def source_of(brand: str, settings: Settings) -> Source:
    """The brand's source. `NotConfigured`: there is none; `SourceUnusable`: what is set for it can't be used."""
    return _bakai(settings) if BRANDS[brand].source_kind == "bakai" else _apify(brand, settings)


def _apify(brand: str, settings: Settings) -> ApifySource:
    task_id = settings.brands[brand].apify_task
    if task_id is None:
        raise NotConfigured(f"not configured: set APIFY_TASK_{brand.upper()} to the id of its Apify task")
    token = settings.apify_token.get_secret_value().strip() if settings.apify_token else ""
    if not token:
        raise ApifyUnusable("APIFY_TOKEN is not set: it is on the account's page of API tokens")
    return ApifySource(ApifyTask(task_id, token, str(settings.apify_api_url)))


def _bakai(settings: Settings) -> Source:
    # Imported here: whoever collects from Apify needs neither its HTTP client nor the bucket's.
    from unde_catalog.stages.raw_products.bakai import open_bakai
    from unde_catalog.stages.raw_products.bakai_source import BakaiSource

    which = settings.bakai_source
    if missing := settings.missing_for_bakai(which):
        raise NotConfigured(f"not configured: set {', '.join(missing)}")
    try:
        return BakaiSource(open_bakai(settings, which))
    except ValueError as error:
        raise SourceUnusable(str(error)) from None
