"""GET /api/v1/products: the catalogue in pages, with filters. A page costs the same anywhere in the list.

`stores/staging/products/product_pages.py` selects the rows.
"""

from decimal import Decimal
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from unde_catalog.services.search.context import ContextDep
from unde_catalog.services.search.schemas.cursors import BadCursor, decode_cursor, encode_cursor
from unde_catalog.services.search.schemas.problems import Problem
from unde_catalog.services.search.schemas.product import Product
from unde_catalog.services.search.schemas.product_view import product_response
from unde_catalog.services.search.schemas.search import Brands, StoreParam
from unde_catalog.stages.raw_products.clean import clean_text
from unde_catalog.stores.db.database import Cursor
from unde_catalog.stores.staging.products import api_products, product_pages
from unde_catalog.stores.staging.products.api_products import ApiProduct
from unde_catalog.stores.staging.products.product_pages import OnSale, ProductFilter, ProductIdPage

PATH = "/api/v1/products"
_MAX_VALUES = 20  # of one filter

router = APIRouter(tags=["products"])

_Text = Annotated[str, StringConstraints(max_length=1_000), AfterValidator(clean_text)]
_Texts = Annotated[list[_Text], Field(max_length=_MAX_VALUES)]
_Price = Annotated[Decimal | None, Query(ge=0, max_digits=10, decimal_places=2, allow_inf_nan=False)]


class ProductPage(BaseModel):
    """A page of products, in the order of their ids."""

    products: list[Product]
    next: str | None = Field(description="The path of the next page, with the same filters. Null on the last page.")


def _product_filter(
    brand: Annotated[
        Brands, Query(default_factory=list, description="A brand's key. Can be repeated, or a list joined by commas.")
    ],
    category: Annotated[_Texts, Query(default_factory=list, description="An exact category. Can be repeated.")],
    price_from: _Price = None,
    price_to: _Price = None,
    active: Annotated[OnSale, Query(description="true: on sale. false: no longer on sale. any: both.")] = "true",
    in_stock_at: Annotated[StoreParam, Query()] = None,
) -> ProductFilter:
    brands = set(brand)
    store_brand, _, store_id = (in_stock_at or "").partition(":")
    if store_brand:
        if brands and store_brand not in brands:
            raise Problem(422, "invalid_request", "in_stock_at: the store does not belong to any of the brands.")
        brands = {store_brand}
    return ProductFilter(
        brands=tuple(sorted(brands)),
        categories=tuple(sorted(set(category))),
        price_from=price_from,
        price_to=price_to,
        on_sale=active,
        in_stock_at=int(store_id) if store_brand else None,
    )


@router.get(PATH, summary="List products")
def list_products(
    request: Request,
    context: ContextDep,
    product_filter: Annotated[ProductFilter, Depends(_product_filter)],
    limit: Annotated[int, Query(ge=1, le=200, description="The maximum number of products per page.")] = 50,
    after: Annotated[
        str | None, Query(max_length=100, description="The cursor in `next` of the previous page.")
    ] = None,
) -> ProductPage:
    """Products in the order of their ids.

    A page can have fewer products than `limit`, or none, if the filters exclude most of the products it scanned. Only
    the last page has a null `next`. There is no total count.
    """
    filters = repr(product_filter)
    try:
        start = 0 if after is None else decode_cursor(after, filters)
    except BadCursor as error:
        raise Problem(422, "bad_cursor", str(error)) from None
    page, rows = context.db.read(_read, product_filter, start, limit)
    next_page = None
    if page.after is not None:
        query = [(name, value) for name, value in request.query_params.multi_items() if name != "after"]
        next_page = f"{PATH}?{urlencode([*query, ('after', encode_cursor(page.after, filters))])}"
    return ProductPage(products=[product_response(row) for row in rows], next=next_page)


def _read(
    cursor: Cursor, product_filter: ProductFilter, after: int, limit: int
) -> tuple[ProductIdPage, list[ApiProduct]]:
    page = product_pages.page(cursor, product_filter, after, limit)
    rows = api_products.by_ids(cursor, page.ids)
    return page, [rows[product_id] for product_id in page.ids if product_id in rows]
