"""Which settings a stage lacks for a brand: one answer for the stages, their schedules and the checks.

The settings themselves are described in `settings/`.
"""

from unde_catalog.brands import BRANDS
from unde_catalog.settings.environment import Settings
from unde_catalog.stage_specs import STAGE_SPECS


def why_not_configured(stage: str, brand: str, settings: Settings) -> str | None:
    """Why a stage can't run for a brand, e.g. `not configured: set APIFY_TOKEN`; None if it can."""
    if STAGE_SPECS[stage].needs_stores and (reason := BRANDS[brand].why_no_stores) is not None:
        return reason
    missing = missing_settings(stage, brand, settings)
    return f"not configured: set {', '.join(missing)}" if missing else None


def brands_not_configured(stage: str, settings: Settings) -> dict[str, str]:
    """The brands for which a stage can't run, each with the reason."""
    return {brand: why for brand in BRANDS if (why := why_not_configured(stage, brand, settings)) is not None}


def missing_settings(stage: str, brand: str, settings: Settings) -> list[str]:
    """The environment variables to set before a stage can run for a brand; empty if none is missing."""
    own, name = settings.brands[brand], brand.upper()
    required: dict[str, object] = {}
    match stage:
        case "raw_products" if BRANDS[brand].source_kind == "bakai":
            return settings.missing_for_bakai(settings.bakai_source)
        case "raw_products":
            required = {"APIFY_TOKEN": settings.apify_token, f"APIFY_TASK_{name}": own.apify_task}
        case "raw_stores":
            required = {f"{name}_SHOP_FINDER_URL": own.shop_finder_url or own.stock_api_url}
        case "availability":
            required = {f"DUBAI_{name}_STORES": own.stores, f"{name}_STOCK_API_URL": own.stock_api_url}
            if own.stock_shape in ("available-sizes", "skus"):
                required[f"{name}_STOCK_CHANNEL"] = own.stock_channel
        case "ximilar_index":
            required = {
                "XIMILAR_API_TOKEN": settings.ximilar_api_token,
                "XIMILAR_COLLECTION_ID": settings.ximilar_collection_id,
            }
        case "production_catalog" if settings.staging_db_url is not None:  # else the embedded database serves
            required = {"PRODUCTION_DB_URL": settings.production_db_url}
    return [setting for setting, value in required.items() if not value]
