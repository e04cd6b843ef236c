"""The stage's name, and what stands in the way before shops can be asked for stock.

Apart from the runs themselves, as whoever only asks this (sensors, checks) needs no HTTP library.
"""

from unde_catalog.brands import BRANDS
from unde_catalog.settings.environment import BrandSettings

STAGE = "availability"


def why_not(brand: str, own: BrandSettings) -> str | None:
    """Why a brand's stock can't be asked for, as a note; None where it can."""
    if (none := BRANDS[brand].why_no_stores) is not None:
        return none
    missing = missing_settings(brand, own)
    return f"not configured: set {' and '.join(missing)}" if missing else None


def missing_settings(brand: str, own: BrandSettings) -> list[str]:
    """What has to be set before a brand's stock can be asked for; empty where all is there."""
    wanted = {
        f"DUBAI_{brand.upper()}_STORES": own.stores,
        f"{brand.upper()}_STOCK_API_URL": own.stock_api_url,
    }
    if own.stock_shape in ("available-sizes", "skus"):
        wanted[f"{brand.upper()}_STOCK_CHANNEL"] = own.stock_channel
    return [name for name, value in wanted.items() if not value]
