"""The sample catalogue: 120 products as spec 1's dataset items, whose photos `garments.py` draws.

Everything about a product follows from its row in `assortment.py`, so it is the same in every process.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from unde_catalog.sandbox.identity import BRAND_NAMES, stable_int
from unde_catalog.sandbox.photos.assortment import ASSORTMENT
from unde_catalog.sandbox.photos.vocabulary import category, composition, describe, sizes

PHOTO_STAMP = 1_763_600_000_000  # `ts` of the photos' first version, milliseconds since the epoch
_VIEWS = ("p", "a1", "e1", "e2", "a2")
_STOCK = ("in_stock", "in_stock", "in_stock", "in_stock", "low_on_stock", "out_of_stock", "coming_soon")


@dataclass(frozen=True, slots=True)
class Article:
    """A product of the sample catalogue; `price` in fils, None where the shop does not tell it."""

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
        """The three digits that stand for a colour in a photo's address."""
        return f"{(stable_int('colour', self.colours[index]) + index) % 900 + 100:03d}"

    def colour_name(self, code: str) -> str:
        """The colour of a code; `LookupError` if the product has none such."""
        for index, name in enumerate(self.colours):
            if self.colour_code(index) == code:
                return name
        raise LookupError(f"{self.brand} {self.product} has no colour {code}")


def items(brand: str, cdn_url: str) -> list[dict[str, Any]]:
    """The brand's 20 dataset items (spec 1); photo addresses begin with `cdn_url`."""
    return [_item(article_, cdn_url.rstrip("/")) for article_ in _articles(brand).values()]


def article(brand: str, product: str) -> Article:
    """The product with these eight digits; `LookupError` names what is unknown."""
    found = _articles(brand).get(product) if brand in ASSORTMENT else None
    if found is None:
        raise LookupError(f"{brand} has no product {product}")
    return found


def has_photo(brand: str, product: str, colour: str, view: str) -> bool:
    """Whether the catalogue has this photo."""
    try:
        found = article(brand, product)
        return bool(found.colour_name(colour)) and view in found.views
    except LookupError:
        return False


def any_photo(reference: str, view: str) -> tuple[str, str, str, str]:
    """Some photo (brand, product, colour, view) that stands in for one the catalogue has not."""
    every = [article_ for brand in ASSORTMENT for article_ in _articles(brand).values()]
    chosen = every[stable_int("any", reference) % len(every)]
    shown = view if view in chosen.views else chosen.views[stable_int(view) % len(chosen.views)]
    return chosen.brand, chosen.product, chosen.colour_code(0), shown


@cache
def _articles(brand: str) -> dict[str, Article]:
    return {article_.product: article_ for article_ in _read(brand)}


def _read(brand: str) -> Iterator[Article]:
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
                "sku": first_sku + place,
                "availability": _STOCK[stable_int("stock", first_sku, name) % len(_STOCK)],
                "price": article_.price,
            }
            for place, name in enumerate(names)
        ],
    }


def _photo_url(article_: Article, colour: str, view: str, cdn_url: str) -> str:
    folder = f"{stable_int('folder', article_.product, colour):016x}"
    name = f"{article_.product}{colour}-{view}"
    path = f"{article_.brand}/assets/public/{folder[:4]}/{folder[4:8]}/{folder[8:]}/{name}/{name}.jpg"
    return f"{cdn_url}/{path}?ts={PHOTO_STAMP}&w={{width}}"
