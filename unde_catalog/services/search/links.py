"""Absolute addresses of stored photos in responses, and what the product part of such an address means.

`/images/<product id>/image_<n>.jpg`: the marketplace's own id (`12345` for the external id `bakai_12345`), or a brand's
key and external id joined by an underscore (`zara_512913640`). A product whose external id does not fit into an address
has the id of its row: `row_17`.
"""

import re
from contextvars import ContextVar

from fastapi import Request

from unde_catalog.settings.environment import Settings

PATH_FORMAT = "/images/{product}/image_{n}.jpg"
_PLACEHOLDER = "/images/none.svg"
_PLAIN = re.compile(r"[A-Za-z0-9._-]{1,100}")
_ROW = re.compile(r"row_([0-9]{1,19})")
_MARKET = "bakai"

_base: ContextVar[str] = ContextVar("base", default="")


def use_base_of(request: Request, settings: Settings) -> None:
    """Let the addresses of this request's response begin with SEARCH_PUBLIC_URL, else with the request's own."""
    configured = settings.search_public_url
    _base.set(str(configured or request.base_url).rstrip("/"))


def photo_url(row_id: int, brand: str, external_id: str, n: int) -> str:
    """The address of photo `n` (from 1) of a product."""
    return _base.get() + PATH_FORMAT.format(product=_product(row_id, brand, external_id), n=n)


def placeholder_url() -> str:
    """The address of the picture for products without a photo."""
    return _base.get() + _PLACEHOLDER


def names(product: str) -> tuple[int | None, list[tuple[str, str]]]:
    """What the product part of an address may mean: the id of a row, or (brand, external id), the likeliest first."""
    row = _ROW.fullmatch(product)
    if row is not None:
        return int(row[1]), []
    found = [(_MARKET, f"{_MARKET}_{product}"), (_MARKET, product)]
    brand, underscore, rest = product.partition("_")
    if underscore:
        found += [(brand, rest), (brand, product)]
    return None, found


def _product(row_id: int, brand: str, external_id: str) -> str:
    short = external_id.removeprefix(f"{brand}_")
    if not _PLAIN.fullmatch(external_id) or _ROW.fullmatch(short):
        return f"row_{row_id}"
    return short if brand == _MARKET else f"{brand}_{short}"
