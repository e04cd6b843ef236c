"""Checks a brand's stores: the store finder knows the configured ones, and the stock API accepts the app."""

import asyncio

from unde_catalog.operations.doctor.result import Finding, green, host_of, not_configured, red, yellow
from unde_catalog.settings.environment import Settings
from unde_catalog.stages.availability.item import parse_stock_item
from unde_catalog.stages.availability.protocols import protocol_for
from unde_catalog.stages.availability.store_api import NoResponse, StockApi
from unde_catalog.stages.availability.store_finder import StoreFinderUnavailable, fetch_stores
from unde_catalog.stages.configured import missing_settings
from unde_catalog.text import first_line, quantity

_SECONDS = 8.0
# A product that does not exist: any response shows that the API accepts the request.
_UNKNOWN_ITEM = parse_stock_item(
    "1", "00000001-V2020", [{"id": "1", "productId": 1, "sizes": [{"name": "S", "sku": 1}]}]
)


def check_stores(settings: Settings, brand: str) -> Finding:
    """One request to the stock API, and one to the store finder."""
    brand_settings, name = settings.brands[brand], brand.upper()
    if missing := missing_settings("availability", brand, settings):
        if brand_settings.stock_api_url is None or not brand_settings.stores:
            return not_configured("stock is not checked", *missing)
        protocol = brand_settings.stock_shape
        return red(f"incomplete settings: the {protocol} protocol needs {' and '.join(missing)}", *missing)
    error = asyncio.run(_check_stock_api(settings, brand))
    if error is not None:
        return error
    try:
        found = asyncio.run(fetch_stores(brand, settings))
    except StoreFinderUnavailable as unavailable:
        message = f"the stock API responds, but {first_line(unavailable)}"
        return yellow(message, f"{name}_SHOP_FINDER_URL", f"{name}_STOCK_CHANNEL")
    unknown = sorted(set(brand_settings.stores) - {store.store_id for store in found.stores})
    number = quantity(len(brand_settings.stores), "configured store")
    if unknown:
        ids = ", ".join(map(str, unknown[:5]))
        return yellow(f"the store finder does not know {ids} of {number}", f"DUBAI_{name}_STORES")
    return green(f"{number}, stock API at {host_of(str(brand_settings.stock_api_url))}")


async def _check_stock_api(settings: Settings, brand: str) -> Finding | None:
    """What is wrong with the stock API, None if it responds."""
    brand_settings, name = settings.brands[brand], brand.upper()
    protocol = protocol_for(brand_settings.stock_shape, brand_settings.stock_channel, brand_settings.stock_locale)
    (request, *_) = protocol.requests(_UNKNOWN_ITEM, brand_settings.stores[:1])
    async with StockApi(str(brand_settings.stock_api_url), brand_settings.user_agent, _SECONDS) as api:
        response = await api.request(request.path, request.query, request.body)
    if not isinstance(response, NoResponse) or response.reason in ("http_400", "http_404"):
        return None
    message = f"{api.host}: {response.reason} {response.detail}".strip()
    if response.reason in ("http_401", "http_403"):
        return red(f"{message}: it refused the app", f"{name}_USER_AGENT")
    return red(message, f"{name}_STOCK_API_URL")
