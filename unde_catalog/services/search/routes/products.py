"""Endpoints to read, add, edit and withdraw one product. They work on its row in raw_products.

Database triggers make changed products due for the stages, as for every writer. `product_list.py` lists products.
"""

import hashlib
from collections.abc import Sequence
from typing import Annotated, cast
from urllib.parse import quote

from fastapi import APIRouter, Header, Query, Response

from unde_catalog.brands import IndexScope
from unde_catalog.services.search.context import ContextDep
from unde_catalog.services.search.middleware.access import RequiresWriteKey
from unde_catalog.services.search.routes.product_list import PATH
from unde_catalog.services.search.schemas.problems import Problem
from unde_catalog.services.search.schemas.product import Product
from unde_catalog.services.search.schemas.product_input import NewProduct, ProductEdit
from unde_catalog.services.search.schemas.product_view import product_response
from unde_catalog.services.search.schemas.search import BrandKey
from unde_catalog.stages.raw_products.clean import clean_text
from unde_catalog.stores.db.database import Cursor
from unde_catalog.stores.staging.products import api_products
from unde_catalog.stores.staging.products.api_products import ApiProduct
from unde_catalog.stores.staging.products.product import API_SOURCE

router = APIRouter(tags=["products"])

_PRODUCT = f"{PATH}/{{external_id:path}}"  # an external id may contain slashes
OfBrand = Annotated[
    BrandKey | None, Query(description="The brand's key. Required if several brands use this external id.")
]
_IfMatch = Annotated[
    str | None, Header(description="The ETag of the version that you edit. 412 if the product has changed since.")
]
_IfNoneMatch = Annotated[str | None, Header(description="An ETag. 304 if the product has not changed since.")]


@router.get(_PRODUCT, summary="Get a product")
def get_product(
    external_id: str,
    response: Response,
    context: ContextDep,
    of_brand: OfBrand = None,
    if_none_match: _IfNoneMatch = None,
) -> Product:
    """The product with this external id, also if it is no longer on sale."""
    product = product_response(context.db.run(_find, external_id, of_brand))
    headers = {"ETag": etag(product), "Cache-Control": "no-cache"}
    if if_none_match is not None and _has_etag(if_none_match, headers["ETag"], weak=True):
        return cast(Product, Response(status_code=304, headers=headers))
    response.headers.update(headers)
    return product


@router.post(PATH, status_code=201, dependencies=[RequiresWriteKey], summary="Add a product")
def add_product(body: NewProduct, response: Response, context: ContextDep) -> Product:
    """Add a product to a brand. Its source is `api`. Its photos are downloaded like all others.

    409 `product_exists` if the external id is in use. A product of the same brand that is no longer on sale is put on
    sale again with these fields.
    """
    index_scope = context.settings.brands[body.brand].index_scope
    product = product_response(context.db.run(_add, body, index_scope))
    response.headers["ETag"] = etag(product)
    response.headers["Location"] = f"{PATH}/{quote(product.external_id, safe='')}"
    return product


@router.put(_PRODUCT, dependencies=[RequiresWriteKey], summary="Edit a product")
def edit_product(
    external_id: str,
    body: ProductEdit,
    response: Response,
    context: ContextDep,
    of_brand: OfBrand = None,
    if_match: _IfMatch = None,
) -> Product:
    """Replace all editable fields of a product and put it on sale.

    If the product is collected from a brand, the next collection overwrites the fields with the brand's values. A
    product of source `api` keeps them.
    """
    product = product_response(context.db.run(_edit, external_id, of_brand, body, if_match))
    response.headers["ETag"] = etag(product)
    return product


@router.delete(_PRODUCT, status_code=204, dependencies=[RequiresWriteKey], summary="Withdraw a product")
def withdraw_product(
    external_id: str, context: ContextDep, of_brand: OfBrand = None, if_match: _IfMatch = None
) -> None:
    """Take a product off sale. It leaves the indexes and production, and its row stays. Repeating this is harmless.

    If the brand still lists the product, the next collection puts it on sale again.
    """
    context.db.run(_withdraw, external_id, of_brand, if_match)


def etag(product: Product) -> str:
    """The ETag of a product as clients see it. It changes with any of its fields."""
    return f'"{hashlib.sha256(product.model_dump_json().encode()).hexdigest()[:32]}"'


def _find(cursor: Cursor, external_id: str, brand: str | None, *, for_update: bool = False) -> ApiProduct:
    """The product with that external id. Raises a `Problem`: 404 for none, 409 for more than one brand."""
    if clean_text(external_id) != external_id or brand is not None and clean_text(brand) != brand:
        raise _unknown()
    rows = api_products.by_external_id(cursor, external_id, brand, for_update=for_update)
    brands = list(dict.fromkeys(row.brand for row in rows))
    if len(brands) > 1:
        raise Problem(
            409,
            "ambiguous_product",
            f"Several brands have a product with this external id ({', '.join(brands)}). Choose one with of_brand.",
            brands=brands,
        )
    if not rows:
        raise _unknown()
    return next((row for row in rows if row.source != API_SOURCE), rows[0])


def _add(cursor: Cursor, body: NewProduct, index_scope: IndexScope) -> ApiProduct:
    new = body.product(body.external_id)
    rows = api_products.by_external_id(cursor, body.external_id, for_update=True)
    if rows:
        product_id = _off_sale(rows, body.brand)
        api_products.replace(cursor, product_id, new)
        return api_products.by_ids(cursor, [product_id])[product_id]
    product_id = api_products.insert(cursor, body.brand, index_scope, new)
    if product_id is None:  # a concurrent request has just inserted it
        raise _exists([])
    return api_products.by_ids(cursor, [product_id])[product_id]


def _off_sale(rows: Sequence[ApiProduct], brand: str) -> int:
    """The id of the brand's product that is off sale. Raises a `Problem` if one is on sale or another brand's."""
    if any(row.active or row.brand != brand for row in rows):
        raise _exists(list(dict.fromkeys(row.brand for row in rows)))
    return next((row for row in rows if row.source != API_SOURCE), rows[0]).id


def _edit(cursor: Cursor, external_id: str, brand: str | None, body: ProductEdit, if_match: str | None) -> ApiProduct:
    row = _find(cursor, external_id, brand, for_update=True)
    _check_unchanged(row, if_match)
    api_products.replace(cursor, row.id, body.product(row.external_id))
    return api_products.by_ids(cursor, [row.id])[row.id]


def _withdraw(cursor: Cursor, external_id: str, brand: str | None, if_match: str | None) -> None:
    row = _find(cursor, external_id, brand, for_update=True)
    _check_unchanged(row, if_match)
    api_products.withdraw(cursor, row.id)


def _check_unchanged(row: ApiProduct, if_match: str | None) -> None:
    if if_match is None or _has_etag(if_match, etag(product_response(row)), weak=False):
        return
    detail = "The product has changed since the version in If-Match. Get it again and edit that version."
    raise Problem(412, "product_changed", detail)


def _has_etag(header: str, tag: str, *, weak: bool) -> bool:
    """Whether a header's list contains the tag or `*`. `weak`: also as a weak tag (`W/`)."""
    tags = [part.strip() for part in header.split(",")]
    if weak:
        tags = [part.removeprefix("W/") for part in tags]
    return "*" in tags or tag in tags


def _unknown() -> Problem:
    return Problem(404, "unknown_product", "There is no product with this external id.")


def _exists(brands: Sequence[str]) -> Problem:
    where = f" ({', '.join(brands)})" if brands else ""
    detail = f"A product with this external id exists already{where}. Edit it with PUT."
    return Problem(409, "product_exists", detail, brands=list(brands))
