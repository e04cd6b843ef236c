"""The product in API responses. Every endpoint uses the same shape.

`product_view.py` builds it from a row. `product_input.py` has the fields that clients can edit.
"""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field


class ProductMetadata(BaseModel):
    """Further properties of a product."""

    brand: str = Field(description="The brand's key, e.g. zara.")
    brand_name: str = Field(description="The brand's name, e.g. Zara.")
    source: str = Field(description="Where the product comes from, e.g. apify_zara. api: it was added through the API.")
    colour: str | None
    sizes: Any = Field(description="Sizes in the brand's own format.")
    composition: str | None
    active: bool = Field(description="Whether the product is on sale.")
    image_count: int = Field(description="The number of stored photos.")
    image_urls: list[str] = Field(description="Paths of the stored photos, in order.")
    original_image_urls: list[str] = Field(description="URLs of the photos at the brand.")
    collage_url: str | None
    reference: str | None = Field(description="The brand's article number, if its item has one.")
    product_url: str | None = Field(description="The product's page at the brand, if its item has one.")


class Product(BaseModel):
    """A product of the catalogue. `title` and `image_url` are never null."""

    id: int
    external_id: str
    title: str = Field(description="The name. A product without a name has the brand's name and the external id here.")
    description: str | None
    category: str | None
    price: str | None = Field(description="A decimal with two places, in `currency`.", examples=["129.00"])
    currency: str | None
    image_url: str = Field(
        description="The first stored photo. Without one: the first photo at the brand, else a placeholder."
    )
    product_metadata: ProductMetadata
    created_at: datetime
    updated_at: datetime
