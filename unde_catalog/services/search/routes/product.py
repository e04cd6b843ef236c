"""One product of the catalogue over the API: shown, added, edited, taken from sale. It is raw_products' own row.

What follows from a change is the tables' rule, as for every writer; the list is `products.py`'s.
"""

import hashlib
from collections.abc import Sequence
from typing import Annotated, cast
from urllib.parse import quote

from fastapi import APIRouter, Header, Query, Response

from unde_catalog.brands import IndexScope
from unde_catalog.services.search.context import InContext
from unde_catalog.services.search.middleware.access import MayWrite
from unde_catalog.services.search.routes.products import PATH
from unde_catalog.services.search.schemas.problems import Problem
from unde_catalog.services.search.schemas.product import Product
from unde_catalog.services.search.schemas.product_input import NewProduct, ProductEdit
from unde_catalog.services.search.schemas.product_view import product_answer
from unde_catalog.stages.raw_products.clean import clean_text
from unde_catalog.stores.db.database import Cursor
from unde_catalog.stores.staging.products import edit as catalogue_api
from unde_catalog.stores.staging.products.edit import CatalogueProduct
from unde_catalog.stores.staging.products.product import API_SOURCE

router = APIRouter(tags=["products"])

_ONE = f"{PATH}/{{external_id:path}}"  # an external id may have slashes in it
OfBrand = Annotated[
    str | None, Query(max_length=50, description="the brand's key, where several brands have this external id")
]
_IfMatch = Annotated[str | None, Header(description="ETag of the product as you know it: 412 where it is another now")]
_IfNoneMatch = Annotated[str | None, Header(description="an ETag: 304 where the product is still the same")]


@router.get(_ONE, summary="One product")
def product(
    external_id: str,
    response: Response,
    context: InContext,
    of_brand: OfBrand = None,
    if_none_match: _IfNoneMatch = None,
) -> Product:
    """The product of this external id, on sale or not."""
    found = product_answer(context.db.run(_named, external_id, of_brand))
    headers = {"ETag": etag(found), "Cache-Control": "no-cache"}
    if if_none_match is not None and _names(if_none_match, headers["ETag"], weakly=True):
        return cast(Product, Response(status_code=304, headers=headers))
    response.headers.update(headers)
    return found


@router.post(PATH, status_code=201, dependencies=[MayWrite], summary="Add a product")
def add(body: NewProduct, response: Response, context: InContext) -> Product:
    """Add a product to a brand; its source is `api`, and its photos are fetched as all others are.

    409 `product_exists` where the external id is in use. One that is no longer on sale in that brand is on sale again,
    with these fields.
    """
    index_scope = context.settings.brands[body.brand].index_scope
    added = product_answer(context.db.run(_add, body, index_scope))
    response.headers["ETag"] = etag(added)
    response.headers["Location"] = f"{PATH}/{quote(added.external_id, safe='')}"
    return added


@router.put(_ONE, dependencies=[MayWrite], summary="Edit a product")
def edit(
    external_id: str,
    body: ProductEdit,
    response: Response,
    context: InContext,
    of_brand: OfBrand = None,
    if_match: _IfMatch = None,
) -> Product:
    """Replace all that can be edited of a product, and have it on sale.

    The next scrape brings the shop's own values again for a product that a scrape brings; one of the source `api`
    keeps what is written here.
    """
    edited = product_answer(context.db.run(_edit, external_id, of_brand, body, if_match))
    response.headers["ETag"] = etag(edited)
    return edited


@router.delete(_ONE, status_code=204, dependencies=[MayWrite], summary="Take a product from sale")
def take_from_sale(external_id: str, context: InContext, of_brand: OfBrand = None, if_match: _IfMatch = None) -> None:
    """The product is no longer on sale: it leaves the indexes and what is published, its row stays. 204 also again.

    A scrape that still finds it in the shop brings it back.
    """
    context.db.run(_withdraw, external_id, of_brand, if_match)


def etag(shown: Product) -> str:
    """The tag of a product as it is shown: another one whenever anything of it is."""
    return f'"{hashlib.sha256(shown.model_dump_json().encode()).hexdigest()[:32]}"'


def _named(cursor: Cursor, external_id: str, brand: str | None, *, to_change: bool = False) -> CatalogueProduct:
    """The product of that external id; 404 or 409 where there is none, or more than one."""
    if clean_text(external_id) != external_id or brand is not None and clean_text(brand) != brand:
        raise _unknown()
    rows = catalogue_api.named(cursor, external_id, brand, to_change=to_change)
    brands = list(dict.fromkeys(row.brand for row in rows))
    if len(brands) > 1:
        raise Problem(
            409,
            "ambiguous_product",
            f"several brands have a product of this external id: say which with ?of_brand= ({', '.join(brands)})",
            brands=brands,
        )
    if not rows:
        raise _unknown()
    return next((row for row in rows if row.source != API_SOURCE), rows[0])


def _add(cursor: Cursor, body: NewProduct, index_scope: IndexScope) -> CatalogueProduct:
    new = body.product(body.external_id)
    rows = catalogue_api.named(cursor, body.external_id, to_change=True)
    if rows:
        product_id = _off_sale(rows, body.brand)
        catalogue_api.replace(cursor, product_id, new)
        return catalogue_api.by_ids(cursor, [product_id])[product_id]
    product_id = catalogue_api.insert(cursor, body.brand, index_scope, new)
    if product_id is None:  # another request was first, this moment
        raise _exists([])
    return catalogue_api.by_ids(cursor, [product_id])[product_id]


def _off_sale(rows: Sequence[CatalogueProduct], brand: str) -> int:
    """The id of the brand's one product that is off sale; a problem where it, or another brand's, is in the way."""
    if any(row.active or row.brand != brand for row in rows):
        raise _exists(list(dict.fromkeys(row.brand for row in rows)))
    return next((row for row in rows if row.source != API_SOURCE), rows[0]).id


def _edit(
    cursor: Cursor, external_id: str, brand: str | None, body: ProductEdit, if_match: str | None
) -> CatalogueProduct:
    row = _named(cursor, external_id, brand, to_change=True)
    _check(row, if_match)
    catalogue_api.replace(cursor, row.id, body.product(row.external_id))
    return catalogue_api.by_ids(cursor, [row.id])[row.id]


def _withdraw(cursor: Cursor, external_id: str, brand: str | None, if_match: str | None) -> None:
    row = _named(cursor, external_id, brand, to_change=True)
    _check(row, if_match)
    catalogue_api.withdraw(cursor, row.id)


def _check(row: CatalogueProduct, if_match: str | None) -> None:
    if if_match is None or _names(if_match, etag(product_answer(row)), weakly=False):
        return
    raise Problem(412, "product_changed", "the product is another than the one of If-Match: get it, and edit that")


def _names(header: str, tag: str, *, weakly: bool) -> bool:
    """Whether a header's list of tags names this one; `W/` before one counts only where a weak look is enough."""
    given = [one.strip() for one in header.split(",")]
    if weakly:
        given = [one.removeprefix("W/") for one in given]
    return "*" in given or tag in given


def _unknown() -> Problem:
    return Problem(404, "unknown_product", "there is no product of this external id")


def _exists(brands: Sequence[str]) -> Problem:
    where = f" ({', '.join(brands)})" if brands else ""
    return Problem(
        409, "product_exists", f"there is a product of this external id{where}: PUT edits it", brands=list(brands)
    )
