"""GET /api/v1/products: the catalogue in pages, with filters. Each page costs the same, however far on it is.

Which rows make a page is `stores/staging/products/pages.py`'s.
"""

from decimal import Decimal
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from unde_catalog.services.search.context import InContext
from unde_catalog.services.search.schemas.cursors import BadCursor, cursor, opened
from unde_catalog.services.search.schemas.problems import Problem
from unde_catalog.services.search.schemas.product import Product
from unde_catalog.services.search.schemas.product_view import product_answer
from unde_catalog.stages.raw_products.clean import clean_text
from unde_catalog.stores.db.database import Cursor
from unde_catalog.stores.staging.products import edit as catalogue_api
from unde_catalog.stores.staging.products import pages
from unde_catalog.stores.staging.products.pages import OnSale, ProductFilter

PATH = "/api/v1/products"
_MOST_VALUES = 20  # of one filter

router = APIRouter(tags=["products"])

_Text = Annotated[str, StringConstraints(max_length=1_000), AfterValidator(clean_text)]
_Texts = Annotated[list[_Text], Field(max_length=_MOST_VALUES)]
_Price = Annotated[Decimal | None, Query(ge=0, max_digits=10, decimal_places=2, allow_inf_nan=False)]


class ProductPage(BaseModel):
    """Some products in the order of their ids."""

    products: list[Product]
    next: str | None = Field(description="where the next page is, with the same filters; null at the end")


def _wanted(
    brand: Annotated[_Texts, Query(default_factory=list, description="a brand's key; may be repeated")],
    category: Annotated[_Texts, Query(default_factory=list, description="as it is; may be repeated")],
    price_from: _Price = None,
    price_to: _Price = None,
    active: Annotated[OnSale, Query(description="true: on sale; false: no longer; any: both")] = "true",
    in_stock_at: Annotated[
        str | None,
        Query(
            pattern=r"^[a-z0-9]{1,50}:[0-9]{1,9}$", description="brand:store_id, what this shop had at its last look"
        ),
    ] = None,
) -> ProductFilter:
    brands = set(brand)
    shop, _, store = (in_stock_at or "").partition(":")
    if shop:
        if brands and shop not in brands:
            raise Problem(422, "invalid_request", "in_stock_at: the shop is of none of the brands that are asked for")
        brands = {shop}
    return ProductFilter(
        brands=tuple(sorted(brands)),
        categories=tuple(sorted(set(category))),
        price_from=price_from,
        price_to=price_to,
        on_sale=active,
        in_stock_at=int(store) if shop else None,
    )


@router.get(PATH, summary="The catalogue, in pages")
def products(
    request: Request,
    context: InContext,
    wanted: Annotated[ProductFilter, Depends(_wanted)],
    limit: Annotated[int, Query(ge=1, le=200, description="products a page, at the most")] = 50,
    after: Annotated[str | None, Query(max_length=100, description="from `next` of the page before")] = None,
) -> ProductPage:
    """Products in the order of their ids.

    A page may have fewer products than `limit`, even none, where the filters leave out most of what it looked at:
    `next` is null at the end, and only there. No total is counted.
    """
    filters = repr(wanted)
    try:
        start = 0 if after is None else opened(after, filters)
    except BadCursor as error:
        raise Problem(422, "bad_cursor", str(error)) from None
    page, rows = context.db.run(_read, wanted, start, limit)
    following = None
    if page.after is not None:
        kept = [(name, value) for name, value in request.query_params.multi_items() if name != "after"]
        following = f"{PATH}?{urlencode([*kept, ('after', cursor(page.after, filters))])}"
    return ProductPage(products=[product_answer(row) for row in rows], next=following)


def _read(
    cursor: Cursor, wanted: ProductFilter, after: int, limit: int
) -> tuple[pages.ProductIdPage, list[catalogue_api.CatalogueProduct]]:
    page = pages.page(cursor, wanted, after, limit)
    rows = catalogue_api.by_ids(cursor, page.ids)
    return page, [rows[one] for one in page.ids if one in rows]
