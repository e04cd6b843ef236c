"""Validates the fields that clients send to add or edit a product.

The stage raw_products applies similar rules to collected items, but repairs what this module rejects. The requests
are handled in `routes/products.py`.
"""

import json
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from unde_catalog.net.url_policy import RefusedUrl, UrlPolicy
from unde_catalog.services.search.schemas.search import BrandKey
from unde_catalog.stages.raw_products.clean import TooDeep, clean, clean_text
from unde_catalog.stores.staging.products.product import CollectedProduct

MAX_PHOTOS = 100
_MAX_SIZES = 10_000  # characters of JSON
# Checks the syntax only. The stage originals checks the host against the brand's photo hosts when it downloads.
_SYNTAX = UrlPolicy(any_host=True)


def _clean_text(value: Any) -> Any:
    """Remove what PostgreSQL rejects and surrounding spaces. An empty text becomes None."""
    return (clean_text(value).strip() or None) if isinstance(value, str) else value


def _valid_url(url: str) -> str:
    try:
        _SYNTAX.parse(url)
    except RefusedUrl as refused:
        raise ValueError(refused.detail) from None
    return url


def _unique(urls: list[str]) -> list[str]:
    return list(dict.fromkeys(urls))


def _exact(value: Any) -> Any:
    """The shortest decimal of a JSON number, which is what the client wrote: 129.9, not 129.900000000000006."""
    if isinstance(value, bool):
        raise ValueError("a price is a text like 129.00")
    return repr(value) if isinstance(value, float) else value


def _clean_sizes(value: Any) -> Any:
    try:
        sizes = clean(value)
    except TooDeep as error:
        raise ValueError(str(error)) from None
    if len(json.dumps(sizes)) > _MAX_SIZES:
        raise ValueError(f"is longer than {_MAX_SIZES:,} characters of JSON")
    return sizes


def _text(max_length: int) -> Any:
    return Annotated[str, StringConstraints(max_length=max_length)]


Title = Annotated[_text(2_000) | None, BeforeValidator(_clean_text)]
Description = Annotated[_text(100_000) | None, BeforeValidator(_clean_text)]
Category = Annotated[_text(1_000) | None, BeforeValidator(_clean_text)]
Colour = Annotated[_text(100) | None, BeforeValidator(_clean_text)]
Price = Annotated[Decimal, Field(gt=0, max_digits=10, decimal_places=2, allow_inf_nan=False), BeforeValidator(_exact)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Sizes = Annotated[Any, AfterValidator(_clean_sizes)]
PhotoUrl = Annotated[str, StringConstraints(max_length=2_000), BeforeValidator(_clean_text), AfterValidator(_valid_url)]
PhotoUrls = Annotated[list[PhotoUrl], Field(max_length=MAX_PHOTOS), AfterValidator(_unique)]
ExternalId = Annotated[str, StringConstraints(min_length=1, max_length=100), BeforeValidator(_clean_text)]

_PRICE = Field(description="A decimal with at most two places, as text: 129.00. Null if the price is unknown.")
_SIZES = Field(description="Sizes in any format.")
_URLS = Field(
    description="The http(s) URLs of the photos at the brand. The first five are downloaded. A changed list makes the "
    "product due for download."
)


class ProductEdit(BaseModel):
    """All editable fields of a product. Every field is required, so that a missing one does not erase a value."""

    model_config = ConfigDict(extra="forbid")

    title: Title
    description: Description
    category: Category
    price: Price | None = _PRICE
    currency: Currency = Field(description="An ISO 4217 code, e.g. AED.")
    colour: Colour
    sizes: Sizes = _SIZES
    composition: Description
    image_urls: PhotoUrls = _URLS

    def product(self, external_id: str) -> CollectedProduct:
        """The product as the catalogue stores it."""
        return CollectedProduct(
            external_id=external_id,
            name=self.title,
            description=self.description,
            price=self.price,
            currency=self.currency,
            category=self.category,
            colour=self.colour,
            sizes=self.sizes,
            composition=self.composition,
            original_image_urls=tuple(self.image_urls),
            raw_data=self.model_dump(mode="json", exclude_unset=True),
        )


class NewProduct(ProductEdit):
    """A new product."""

    external_id: ExternalId = Field(description="The product's id at the brand. No other brand may use it.")
    brand: BrandKey = Field(description="The brand's key, e.g. zara.")
    title: Title = None
    description: Description = None
    category: Category = None
    price: Price | None = Field(None, description=_PRICE.description)
    currency: Currency = Field("AED", description="An ISO 4217 code, e.g. AED.")
    colour: Colour = None
    sizes: Sizes = Field(None, description=_SIZES.description)
    composition: Description = None
    image_urls: PhotoUrls = Field(default=[], description=_URLS.description)
