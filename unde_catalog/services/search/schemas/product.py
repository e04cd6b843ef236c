"""What the API answers about a product, as it stands in OpenAPI: one shape, wherever a product is shown.

How it is made of a row is `product_view.py`'s; what may be edited is `product_input.py`'s.
"""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field


class ProductMetadata(BaseModel):
    """What a product has beside its main fields."""

    brand: str = Field(description="the brand's key, like zara")
    brand_name: str = Field(description="the brand's name, like Zara")
    source: str = Field(description="where the catalogue has it from, like apify_zara; api: it was posted here")
    colour: str | None
    sizes: Any = Field(description="sizes in whatever shape the shop gives them")
    composition: str | None
    active: bool = Field(description="whether it is on sale")
    image_count: int = Field(description="photos that are stored here")
    image_urls: list[str] = Field(description="their addresses here, in order")
    original_image_urls: list[str] = Field(description="the shop's own addresses of its photos")
    collage_url: str | None


class Product(BaseModel):
    """A product of the catalogue. `title` and `image_url` are never null."""

    id: int
    external_id: str
    title: str = Field(description="its name; where it has none, the brand's name and the external id")
    description: str | None
    category: str | None
    price: str | None = Field(description="a decimal with two places, like 129.00, in `currency`", examples=["129.00"])
    currency: str | None
    image_url: str = Field(
        description="its first photo here; where none is stored, the shop's own, or else a placeholder"
    )
    product_metadata: ProductMetadata
    created_at: datetime
    updated_at: datetime
