"""The shops of a brand: does its finder know the configured ones, and does its stock API let our app in."""

import asyncio

from unde_catalog.operations.doctor.result import Finding, green, host_of, not_configured, red, yellow
from unde_catalog.settings.environment import Settings
from unde_catalog.stages.availability.item import read_stock_item
from unde_catalog.stages.availability.protocols import protocol_for
from unde_catalog.stages.availability.shop_api import NoResponse, StockApi
from unde_catalog.stages.availability.shop_finder import StoreFinderUnavailable, find_stores
from unde_catalog.stages.configured import missing_settings
from unde_catalog.text import first_line

_SECONDS = 8.0
# A product that nobody sells: it is not the answer that counts, but that there is one.
_NOBODYS = read_stock_item("1", "00000001-V2020", [{"id": "1", "productId": 1, "sizes": [{"name": "S", "sku": 1}]}])


def look_at_shops(settings: Settings, brand: str) -> Finding:
    """One question to the stock API, and one to the finder."""
    own, name = settings.brands[brand], brand.upper()
    if missing := missing_settings("availability", brand, settings):
        if own.stock_api_url is None or not own.stores:
            return not_configured("its stock is not followed", *missing)
        return red(f"{' and '.join(missing)} is wanted for answers of the shape {own.stock_shape}", *missing)
    refused = asyncio.run(_ask_for_stock(settings, brand))
    if refused is not None:
        return refused
    try:
        found = asyncio.run(find_stores(brand, settings))
    except StoreFinderUnavailable as down:
        return yellow(f"stock is answered, but {first_line(down)}", f"{name}_SHOP_FINDER_URL", f"{name}_STOCK_CHANNEL")
    unknown = sorted(set(own.stores) - {shop.store_id for shop in found.shops})
    if unknown:
        named = ", ".join(map(str, unknown[:5]))
        return yellow(f"the finder does not know {named} of its {len(own.stores)} shops", f"DUBAI_{name}_STORES")
    return green(f"{len(own.stores)} shops, asked at {host_of(str(own.stock_api_url))}")


async def _ask_for_stock(settings: Settings, brand: str) -> Finding | None:
    """What is wrong with the stock API, None if it answers."""
    own, name = settings.brands[brand], brand.upper()
    shape = protocol_for(own.stock_shape, own.stock_channel, own.stock_locale)
    (question, *_) = shape.questions(_NOBODYS, own.stores[:1])
    async with StockApi(str(own.stock_api_url), own.user_agent, _SECONDS) as api:
        answer = await api.ask(question.path, question.query, question.body)
    if not isinstance(answer, NoResponse) or answer.reason in ("http_400", "http_404"):
        return None
    told = f"{api.host} answers {answer.reason} {answer.detail}".strip()
    if answer.reason in ("http_401", "http_403"):
        return red(f"{told}: it does not let this app in", f"{name}_USER_AGENT")
    return red(told, f"{name}_STOCK_API_URL")
