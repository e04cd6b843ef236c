"""What the shops sell in the torture: three scrapes between which photos and products come, change places and go.

How it is served is the sandbox's (`--data`); nothing here knows of stages.
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
_FILLERS_FROM = 900_000  # ids of products without a photo: they make collecting read and merge in several chunks
_LARGEST_PHOTO = 150_000  # bytes of a real one: it is about deaths, not about decoding

Item = dict[str, Any]
Round = dict[str, list[Item]]  # brand -> what a scrape finds


@dataclass(frozen=True, slots=True)
class Assortment:
    """A folder for the sandbox, and what the scrapes find in it, one after the other."""

    folder: Path
    rounds: tuple[Round, ...]

    def sell(self, number: int) -> None:
        """From now on scrapes find round `number` (from 0)."""
        folder = self.folder / "apify_items"
        folder.mkdir(exist_ok=True)
        for brand, items in self.rounds[number].items():
            unfinished = folder / f".{brand}"
            unfinished.write_text(json.dumps(items))
            unfinished.replace(folder / f"{brand}.json")


def assortment(folder: Path, products: int, fillers: int = 0, real: Path | None = None) -> Assortment:
    """Three rounds of so many products a brand; photos are those in `real`, where it is given, else plain colours."""
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
        # Back to what it was, or to another order; who had vanished is back, and others are gone.
        back = {n: urls if n % 2 else changed.get(n, urls)[::-1] for n, urls in enumerate(lists) if n % 9 != 8}
        third[brand] = [_item(n, urls, 100 * (n % 2)) for n, urls in back.items()] + come + odd + extra
    return Assortment(folder, (first, second, third))


def _changed(n: int, urls: list[str], new: list[str], chance: random.Random) -> list[str]:
    """Another list of photos, in a way that depends on the product."""
    ways = (
        lambda: urls[::-1],
        lambda: urls[1:] + urls[:1],
        lambda: [new[0], *urls],
        lambda: urls[:-1],
        lambda: urls[1:],
        lambda: [*urls[:-1], new[1]],
        lambda: [new[0], *urls[::-1], new[1]],
        lambda: chance.sample(urls, len(urls)),
        lambda: urls,  # it vanishes with the third scrape, and what has vanished is not worked on any more
    )
    return ways[n % len(ways)]()


def _item(number: int, photos: Sequence[str], dearer: int = 0, **changes: Any) -> Item:
    """A dataset item as spec 1 shows it."""
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
    """Addresses of different photos, stored in `folder`."""
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
