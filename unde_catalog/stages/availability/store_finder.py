"""The client of a brand's store finder, which lists the stores around Dubai.

`DUBAI_<BRAND>_STORES` selects the stores whose stock is checked; `run.py` writes those and names the others.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from unde_catalog.brands import BRANDS
from unde_catalog.settings.environment import Settings
from unde_catalog.stages.availability.item import parse_integer
from unde_catalog.stages.availability.store_api import NoResponse, StockApi
from unde_catalog.stores.staging.stock.brand_stores import Store
from unde_catalog.text import printable

RADIUS_KM = 100
_COUNTRY, _CITY = "AE", "Dubai"
_MALL = re.compile(r"\b(mall|centre|center|souk|walk|outlet|galleria|plaza)\b", re.IGNORECASE)
_STREET = re.compile(r"\b(road|street|st|rd|blvd|boulevard|highway)\b", re.IGNORECASE)
_MAX_ID = 2**31 - 1  # raw_stores.store_id is an integer


class StoreFinderUnavailable(RuntimeError):
    """The store finder is not configured, does not respond, or its response can't be read; the message says which."""


@dataclass(frozen=True, slots=True)
class FoundStores:
    """The stores in a response, and the number of unreadable ones."""

    stores: tuple[Store, ...]
    unreadable: int


async def fetch_stores(brand: str, settings: Settings) -> FoundStores:
    """All stores within `RADIUS_KM` of the configured coordinates; raises `StoreFinderUnavailable`."""
    own = settings.brands[brand]
    url = own.shop_finder_url or own.stock_api_url
    if url is None or own.stock_channel is None:
        names = f"{brand.upper()}_SHOP_FINDER_URL and {brand.upper()}_STOCK_CHANNEL"
        raise StoreFinderUnavailable(f"the store finder of {brand} is not configured: set {names}")
    query = (
        ("latitude", f"{settings.shop_latitude:g}"),
        ("longitude", f"{settings.shop_longitude:g}"),
        ("countryCode", _COUNTRY),
        ("appId", "1"),
        ("languageId", "-1"),
        ("radioMax", str(RADIUS_KM)),
    )
    async with StockApi(str(url), own.user_agent, settings.stock_timeout) as api:
        body = await api.request(f"itxrest/2/bam/store/{own.stock_channel}/physical-store", query)
        if isinstance(body, NoResponse):
            reason = f"{body.reason} ({body.detail})" if body.detail else body.reason
            raise StoreFinderUnavailable(f"the store finder at {api.host} returned no list of stores: {reason}")
    return parse_stores(brand, body)


def parse_stores(brand: str, body: Any) -> FoundStores:
    """The stores in a response, each once; raises `StoreFinderUnavailable` if the response has no list of stores."""
    listed = body.get("closerStores") if isinstance(body, dict) else None
    if not isinstance(listed, list):
        raise StoreFinderUnavailable("the store finder's response has no list `closerStores`")
    parsed = [_parse_store(brand, one) for one in listed]
    stores = {store.store_id: store for store in parsed if store is not None}
    return FoundStores(tuple(stores.values()), sum(store is None for store in parsed))


def _parse_store(brand: str, raw: Any) -> Store | None:
    store_id = parse_integer(raw.get("id")) if isinstance(raw, dict) else None
    if store_id is None or not 0 < store_id <= _MAX_ID:
        return None
    lines = raw.get("addressLines")
    lines = [text for line in lines if (text := _text(line))] if isinstance(lines, list) else []
    mall = _mall([_text(raw.get("name")) or "", *lines])
    return Store(
        store_id=store_id,
        # Zara's stores have no name.
        name=_text(raw.get("name")) or ", ".join([BRANDS[brand].name, *([mall] if mall else lines[:1])]),
        address=", ".join(lines) or None,
        mall_name=mall,
        city=(_text(raw.get("city")) or _CITY)[:100].title(),
        country=(_text(raw.get("countryCode")) or _COUNTRY)[:10].upper(),
        latitude=_degrees(raw.get("latitude"), 90),
        longitude=_degrees(raw.get("longitude"), 180),
    )


def _mall(texts: Sequence[str]) -> str | None:
    """The first text that names a mall rather than a street."""
    return next((text for text in texts if _MALL.search(text) and not _STREET.search(text)), None)


def _text(value: Any) -> str | None:
    return printable(value) or None if isinstance(value, str) else None


def _degrees(value: Any, maximum: int) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        degrees = Decimal(str(value))
    except InvalidOperation:
        return None
    return round(degrees, 7) if degrees.is_finite() and abs(degrees) <= maximum else None
