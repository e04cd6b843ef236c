"""The sample catalogue: 120 products as items of an Apify dataset.

A product follows from its row in `assortment.py`, so it is the same in every process. Drawing belongs in
`garments.py`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from unde_catalog.sandbox.identity import BRAND_NAMES, stable_int
from unde_catalog.sandbox.photos.assortment import ASSORTMENT
from unde_catalog.sandbox.photos.vocabulary import category, composition, describe, sizes

PHOTO_STAMP = 1_763_600_000_000  # `ts` of a photo's first version, in milliseconds since the epoch
_VIEWS = ("p", "a1", "e1", "e2", "a2")
_STOCK = ("in_stock", "in_stock", "in_stock", "in_stock", "low_on_stock", "out_of_stock", "coming_soon")


@dataclass(frozen=True, slots=True)
class Article:
    """A product of the sample catalogue; `price` in fils, or None if unknown."""

    brand: str
    id: int
    product: str
    name: str
    cut: str
    pattern: str
    accent: str
    colours: tuple[str, ...]
    price: int | None
    seed: int
    views: tuple[str, ...]

    def colour_code(self, index: int) -> str:
        """Returns the three digits of a colour in photo URLs."""
        return f"{(stable_int('colour', self.colours[index]) + index) % 900 + 100:03d}"

    def colour_name(self, code: str) -> str:
        """Returns the colour with this code; raises `LookupError` if the product has none."""
        for index, name in enumerate(self.colours):
            if self.colour_code(index) == code:
                return name
        raise LookupError(f"{self.brand} {self.product} has no colour {code}")


def items(brand: str, cdn_url: str) -> list[dict[str, Any]]:
    """Returns the brand's 20 dataset items; photo URLs begin with `cdn_url`."""
    return [_item(article_, cdn_url.rstrip("/")) for article_ in _articles(brand).values()]


def article(brand: str, product: str) -> Article:
    """Returns the product with these eight digits of its reference; raises `LookupError`."""
    article_ = _articles(brand).get(product) if brand in ASSORTMENT else None
    if article_ is None:
        raise LookupError(f"{brand} has no product {product}")
    return article_


def has_photo(brand: str, product: str, colour: str, view: str) -> bool:
    """Returns whether the catalogue has this photo."""
    try:
        article_ = article(brand, product)
        return bool(article_.colour_name(colour)) and view in article_.views
    except LookupError:
        return False


def any_photo(reference: str, view: str) -> tuple[str, str, str, str]:
    """Returns a photo (brand, product, colour, view) as a substitute for one that the catalogue does not have."""
    articles = [article_ for brand in ASSORTMENT for article_ in _articles(brand).values()]
    substitute = articles[stable_int("any", reference) % len(articles)]
    if view not in substitute.views:
        view = substitute.views[stable_int(view) % len(substitute.views)]
    return substitute.brand, substitute.product, substitute.colour_code(0), view


@cache
def _articles(brand: str) -> dict[str, Article]:
    return {article_.product: article_ for article_ in _parse_rows(brand)}


def _parse_rows(brand: str) -> Iterator[Article]:
    for row in ASSORTMENT[brand].strip().splitlines():
        name, cut, fabric, colours, price = (field.strip() for field in row.split("|"))
        pattern, _, accent = fabric.partition(":")
        seed = stable_int("garment", brand, name)
        yield Article(
            brand=brand,
            id=400_000_000 + stable_int("id", brand, name) % 120_000_000,
            product=f"{seed % 9_000_000 + 1_000_000:08d}",
            name=name,
            cut=cut,
            pattern=pattern,
            accent=accent or "White",
            colours=tuple(colour.strip() for colour in colours.split(",")),
            price=None if price == "-" else int(price) * 100,
            seed=seed % 2**31,
            views=_VIEWS[: 3 + seed // 7 % 3],
        )


def _item(article_: Article, cdn_url: str) -> dict[str, Any]:
    names = sizes(article_.cut)
    return {
        "id": article_.id,
        "reference": f"{article_.product}-V2026",
        "brand": BRAND_NAMES[article_.brand],
        "name": article_.name,
        "description": describe(article_.cut, article_.pattern),
        "price": article_.price,
        "category": category(article_.cut),
        "colors": ", ".join(article_.colours),
        "sizes": ", ".join(names),
        "detailedComposition": {"parts": composition(article_.cut, article_.pattern)},
        "colorsSizesImagesJSON": [_colour(article_, index, names, cdn_url) for index in range(len(article_.colours))],
    }


def _colour(article_: Article, index: int, names: tuple[str, ...], cdn_url: str) -> dict[str, Any]:
    code = article_.colour_code(index)
    first_sku = article_.id + 1 + index * 50
    return {
        "id": code,
        "name": article_.colours[index],
        "productId": article_.id + 5000 + index,
        "xmedia": [_photo_url(article_, code, view, cdn_url) for view in article_.views],
        "sizes": [
            {
                "name": name,
                "sku": first_sku + number,
                "availability": _STOCK[stable_int("stock", first_sku, name) % len(_STOCK)],
                "price": article_.price,
            }
            for number, name in enumerate(names)
        ],
    }


def _photo_url(article_: Article, colour: str, view: str, cdn_url: str) -> str:
    folder = f"{stable_int('folder', article_.product, colour):016x}"
    name = f"{article_.product}{colour}-{view}"
    path = f"{article_.brand}/assets/public/{folder[:4]}/{folder[4:8]}/{folder[8:]}/{name}/{name}.jpg"
    return f"{cdn_url}/{path}?ts={PHOTO_STAMP}&w={{width}}"
