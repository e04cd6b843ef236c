"""Stages and brands for which settings are missing: no run is asked for, and the reason names what to set.

What a stage does without them, when somebody launches it, is its own to say.
"""

from unde_catalog.brands import BRANDS
from unde_catalog.settings.environment import Settings
from unde_catalog.stage_specs import STAGE_SPECS
from unde_catalog.stages.availability.configured import missing_settings


def not_configured(stage: str, settings: Settings) -> dict[str, str]:
    """Brands that can't be worked on in the stage, each with the settings it wants, or that it has no shops."""
    without = {
        brand: none for brand in BRANDS if STAGE_SPECS[stage].needs_stores and (none := BRANDS[brand].why_no_stores)
    }
    return {
        brand: without.get(brand) or f"not configured: set {', '.join(names)}"
        for brand in BRANDS
        if (names := _missing(stage, brand, settings)) or brand in without
    }


def _missing(stage: str, brand: str, settings: Settings) -> list[str]:
    own, name = settings.brands[brand], brand.upper()
    wanted: dict[str, object] = {}
    match stage:
        case "raw_products" if BRANDS[brand].source_kind == "bakai":
            return settings.missing_for_bakai(settings.bakai_source)
        case "raw_products":
            wanted = {"APIFY_TOKEN": settings.apify_token, f"APIFY_TASK_{name}": own.apify_task}
        case "raw_stores":
            wanted = {f"{name}_SHOP_FINDER_URL": own.shop_finder_url or own.stock_api_url}
        case "availability":
            return missing_settings(brand, own)
        case "ximilar_index":
            wanted = {
                "XIMILAR_API_TOKEN": settings.ximilar_api_token,
                "XIMILAR_COLLECTION_ID": settings.ximilar_collection_id,
            }
        case "production_catalog" if settings.staging_db_url is not None:
            wanted = {"PRODUCTION_DB_URL": settings.production_db_url}
    return [setting for setting, value in wanted.items() if not value]
