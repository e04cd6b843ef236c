"""What clients send to add or edit a product: checked as `sources/` check their items, but refused where those mend.

A client is there to be told; a shop's list is not. What becomes of it is `services/search/routes/product.py`'s.
"""

import json
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from unde_catalog.brands import BRANDS
from unde_catalog.net.url_policy import RefusedUrl, UrlPolicy
from unde_catalog.stages.raw_products.clean import TooDeep, clean, clean_text
from unde_catalog.stores.staging.products.product import CollectedProduct

MOST_PHOTOS = 100
_LARGEST_SIZES = 10_000  # characters of JSON
# What a URL looks like. Which hosts a brand's photos may come from is asked when they are fetched, by the stage.
_LOOKS_RIGHT = UrlPolicy(any_host=True)


def _cleaned(value: Any) -> Any:
    """What PostgreSQL refuses taken out, spaces around it, too; nothing is no text."""
    return (clean_text(value).strip() or None) if isinstance(value, str) else value


def _photo_url(url: str) -> str:
    try:
        _LOOKS_RIGHT.parse(url)
    except RefusedUrl as refused:
        raise ValueError(refused.detail) from None
    return url


def _once(urls: list[str]) -> list[str]:
    return list(dict.fromkeys(urls))


def _exact(value: Any) -> Any:
    """A price's shortest spelling, which is the one that was written: 129.9 in JSON is not 129.900000000000006."""
    if isinstance(value, bool):
        raise ValueError("a price is a text like 129.00")
    return repr(value) if isinstance(value, float) else value


def _sizes(value: Any) -> Any:
    try:
        kept = clean(value)
    except TooDeep as error:
        raise ValueError(str(error)) from None
    if len(json.dumps(kept)) > _LARGEST_SIZES:
        raise ValueError(f"has more than {_LARGEST_SIZES:,} characters of JSON")
    return kept


def _brand(key: str) -> str:
    if key not in BRANDS:
        raise ValueError(f"no brand of the catalogue, which are {', '.join(BRANDS)}")
    return key


def _text(longest: int) -> Any:
    return Annotated[str, StringConstraints(max_length=longest)]


Title = Annotated[_text(2_000) | None, BeforeValidator(_cleaned)]
Description = Annotated[_text(100_000) | None, BeforeValidator(_cleaned)]
Category = Annotated[_text(1_000) | None, BeforeValidator(_cleaned)]
Colour = Annotated[_text(100) | None, BeforeValidator(_cleaned)]
Price = Annotated[Decimal, Field(gt=0, max_digits=10, decimal_places=2, allow_inf_nan=False), BeforeValidator(_exact)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Sizes = Annotated[Any, AfterValidator(_sizes)]
PhotoUrl = Annotated[str, StringConstraints(max_length=2_000), BeforeValidator(_cleaned), AfterValidator(_photo_url)]
PhotoUrls = Annotated[list[PhotoUrl], Field(max_length=MOST_PHOTOS), AfterValidator(_once)]
ExternalId = Annotated[str, StringConstraints(min_length=1, max_length=100), BeforeValidator(_cleaned)]
BrandKey = Annotated[str, AfterValidator(_brand)]

_PRICE = Field(description="a decimal with two places at the most, as a text like 129.00; null where it is not known")
_SIZES = Field(description="sizes in any shape")
_URLS = Field(
    description="the shop's own http(s) addresses of its photos, the first five of which are fetched; a list that "
    "differs from the present one makes the product due for them"
)


class ProductEdit(BaseModel):
    """All of a product that can be edited. Every field is named, so that none is emptied by being forgotten."""

    model_config = ConfigDict(extra="forbid")

    title: Title
    description: Description
    category: Category
    price: Price | None = _PRICE
    currency: Currency = Field(description="like AED")
    colour: Colour
    sizes: Sizes = _SIZES
    composition: Description
    image_urls: PhotoUrls = _URLS

    def product(self, external_id: str) -> CollectedProduct:
        """The product as the catalogue keeps it."""
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
    """A product that is not in the catalogue yet."""

    external_id: ExternalId = Field(description="the shop's own id, in no other brand's use")
    brand: BrandKey = Field(description="the key of its brand, like zara")
    title: Title = None
    description: Description = None
    category: Category = None
    price: Price | None = Field(None, description=_PRICE.description)
    currency: Currency = Field("AED", description="like AED")
    colour: Colour = None
    sizes: Sizes = Field(None, description=_SIZES.description)
    composition: Description = None
    image_urls: PhotoUrls = Field(default=[], description=_URLS.description)
