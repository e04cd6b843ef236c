"""The products of the torture test: three scrapes between which photos and products are added, moved and removed.

The sandbox serves them (`--data`); nothing here depends on stages.
"""

import hashlib
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unde_catalog_tests.unit.drawn_photos import plain, saved

BRANDS = ("zara", "bershka")
_FILLERS_FROM = 900_000  # ids of products without a photo, which make collecting read and merge in several chunks
_LARGEST_PHOTO = 150_000  # bytes of a real photo; larger ones only add decoding time

Item = dict[str, Any]
Round = dict[str, list[Item]]  # the items of a scrape by brand


@dataclass(frozen=True, slots=True)
class Assortment:
    """A data folder for the sandbox, and the items of each scrape in order."""

    folder: Path
    rounds: tuple[Round, ...]

    def sell(self, number: int) -> None:
        """Let the next scrapes find the items of this round (from 0)."""
        folder = self.folder / "apify_items"
        folder.mkdir(exist_ok=True)
        for brand, items in self.rounds[number].items():
            unfinished = folder / f".{brand}"
            unfinished.write_text(json.dumps(items))
            unfinished.replace(folder / f"{brand}.json")


def create_assortment(folder: Path, products: int, fillers: int = 0, real: Path | None = None) -> Assortment:
    """Create three rounds of products per brand, with photos from the folder `real` or else in plain colours."""
    photos = _photos(folder / "photos", 8 * products * len(BRANDS), real)
    first: Round = {}
    second: Round = {}
    third: Round = {}
    for brand in BRANDS:
        chance = random.Random(brand)
        lists = [[next(photos) for _ in range(1 + n % 5)] for n in range(products)]
        new = [[next(photos) for _ in range(2)] for _ in range(products)]
        extra = [_item(_FILLERS_FROM + n, []) for n in range(fillers if brand == BRANDS[0] else 0)]
        odd: list[Any] = [{"name": "has no id"}, _item(800_000, [], price="699.00")]
        first[brand] = [_item(n, urls) for n, urls in enumerate(lists)] + odd + extra
        changed = {n: _changed(n, urls, new[n], chance) for n, urls in enumerate(lists) if n % 9 != 7}
        come = [_item(products + n, new[n]) for n in range(2)]
        second[brand] = [_item(n, urls, 100 * (n % 2)) for n, urls in changed.items()] + come + odd + extra
        # Photos return to their first order or a new one; products that vanished are back and others are gone.
        back = {n: urls if n % 2 else changed.get(n, urls)[::-1] for n, urls in enumerate(lists) if n % 9 != 8}
        third[brand] = [_item(n, urls, 100 * (n % 2)) for n, urls in back.items()] + come + odd + extra
    return Assortment(folder, (first, second, third))


def _changed(n: int, urls: list[str], new: list[str], chance: random.Random) -> list[str]:
    """Change the list of photos in one of several ways, by product number."""
    ways = (
        lambda: urls[::-1],
        lambda: urls[1:] + urls[:1],
        lambda: [new[0], *urls],
        lambda: urls[:-1],
        lambda: urls[1:],
        lambda: [*urls[:-1], new[1]],
        lambda: [new[0], *urls[::-1], new[1]],
        lambda: chance.sample(urls, len(urls)),
        lambda: urls,  # this product vanishes with the third scrape and is not processed afterwards
    )
    return ways[n % len(ways)]()


def _item(number: int, photos: Sequence[str], dearer: int = 0, **changes: Any) -> Item:
    """A dataset item in the format of the Apify actor (docs/reference/schema.md)."""
    return {
        "id": 400_000 + number,
        "name": f"SHIRT {number}",
        "description": "Of cotton.",
        "price": 9900 + number + dearer,
        "category": "woman-shirts",
        "colors": "White",
        "sizes": "S, M",
        "detailedComposition": {"parts": []},
        "colorsSizesImagesJSON": [{"id": "250", "name": "White", "xmedia": list(photos), "sizes": []}],
        **changes,
    }


def _photos(folder: Path, count: int, real: Path | None) -> Iterator[str]:
    """The URLs of distinct photos, stored in `folder`."""
    folder.mkdir(parents=True)
    seen = set()
    files = sorted(real.rglob("*.jpg")) if real else []
    small = (file.read_bytes() for file in files if file.stat().st_size <= _LARGEST_PHOTO)
    drawn = (saved(plain(tuple(random.Random(n).randbytes(3)), size=(80, 60))) for n in range(2 * count))
    number = 0
    for source in (small, drawn):
        for body in source:
            digest = hashlib.sha256(body).hexdigest()
            if digest not in seen:
                seen.add(digest)
                (folder / f"{number}.jpg").write_bytes(body)
                yield f"{{cdn}}/photos/{number}.jpg?ts=1&w={{width}}"
                number += 1
