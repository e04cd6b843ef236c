"""Builds the API's product from its row.

The shape is in `product.py`.
"""

from decimal import Decimal
from typing import Any

from unde_catalog.brands import BRANDS
from unde_catalog.services.search.links import photo_url, placeholder_url
from unde_catalog.services.search.schemas.product import Product, ProductMetadata
from unde_catalog.stores.staging.products.api_products import ApiProduct

_CENT = Decimal("0.01")
_WEB = ("http://", "https://")


def brand_name(key: str) -> str:
    """The brand's name, or its key if the brand is unknown."""
    brand = BRANDS.get(key)
    return brand.name if brand else key


def product_response(row: ApiProduct) -> Product:
    """The product as clients see it. It contains no local file URL."""
    photos = [photo_url(row.id, row.brand, row.external_id, n) for n in row.photos]
    originals = _web_urls(row.original_image_urls)
    name = brand_name(row.brand)
    return Product(
        id=row.id,
        external_id=row.external_id,
        title=(row.name or "").strip() or f"{name} {row.external_id}",
        description=row.description,
        category=row.category,
        price=str(row.price.quantize(_CENT)) if row.price is not None and row.price.is_finite() else None,
        currency=row.currency,
        image_url=next(iter([*photos, *originals]), placeholder_url()),
        product_metadata=ProductMetadata(
            brand=row.brand,
            brand_name=name,
            source=row.source,
            colour=row.colour,
            sizes=row.sizes,
            composition=row.composition,
            active=row.active,
            image_count=len(photos),
            image_urls=photos,
            original_image_urls=originals,
            collage_url=row.collage_url if (row.collage_url or "").startswith(_WEB) else None,
            reference=(row.reference.strip() or None) if isinstance(row.reference, str) else None,
            product_url=next(iter(_web_urls([row.product_url])), None),
        ),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _web_urls(value: Any) -> list[str]:
    """The http(s) URLs in `value`: the column may hold any JSON."""
    if not isinstance(value, list):
        return []
    return [url for url in value if isinstance(url, str) and url.lower().startswith(_WEB)]
