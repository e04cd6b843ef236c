"""Dataset items, from the drawn catalogue or from files laid out like a data folder.

Items are JSON text, so a malformed one is served exactly as its file has it. No HTTP belongs here.
"""

import contextlib
import gzip
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zlib import crc32

from unde_catalog.sandbox.apify.runs import Changes
from unde_catalog.sandbox.identity import BRAND_NAMES
from unde_catalog.sandbox.photos import catalogue

_PHOTO_HOST = re.compile(r"https?://static\.[a-z]+\.net/")
_TIMESTAMP = re.compile(r"([?&]ts=)\d+")


class UnreadableItems(ValueError):
    """An items file is neither a JSON list nor JSON lines; the message names the file."""


@dataclass(slots=True)
class ItemSource:
    """The items of every brand.

    `folder` is a data folder, or None for the drawn catalogue. `files` has the items file of single brands and takes
    precedence.
    """

    folder: Path | None = None
    files: Mapping[str, Path] = field(default_factory=dict)
    _cache: dict[Path, tuple[float, list[str]]] = field(default_factory=dict)  # path -> mtime and items

    def texts(self, brand: str, base_url: str, changes: Changes, first: int, last: int) -> list[str]:
        """Returns the brand's items [first:last] as JSON text.

        `{cdn}` is replaced by `base_url`, and photo hosts in single files by the sandbox's.
        """
        if brand not in self.files and self.folder is None:
            items = [json.dumps(item) for item in catalogue.items(brand, f"{base_url}/cdn")]
            return list(_apply_changes(items, changes))[first:last]
        items = self._items_from_file(brand)
        page = list(_apply_changes(items, changes))[first:last] if changes.any else items[first:last]
        if brand in self.files:
            page = [_PHOTO_HOST.sub(f"{base_url}/_any/{brand}/", text) for text in page]
        return [text.replace("{cdn}", base_url) for text in page]

    def count(self, brand: str, changes: Changes) -> int:
        """Returns the number of items."""
        if changes.drop or (brand not in self.files and self.folder is None):
            return len(self.texts(brand, "", changes, 0, sys.maxsize))
        return len(self._items_from_file(brand))

    def check(self) -> None:
        """Reads every file once, so that an unreadable file fails at startup and not during a scrape."""
        for path in self.files.values():
            self._read_cached(path)
        for brand in BRAND_NAMES if self.folder is not None else ():
            assert self.folder is not None
            path = self.folder / "apify_items" / f"{brand}.json"
            if path.is_file():
                self._read_cached(path)

    def _items_from_file(self, brand: str) -> list[str]:
        if brand in self.files:
            return self._read_cached(self.files[brand])
        assert self.folder is not None  # otherwise the catalogue is drawn
        path = self.folder / "apify_items" / f"{brand}.json"
        return self._read_cached(path) if path.is_file() else []

    def _read_cached(self, path: Path) -> list[str]:
        """Returns the JSON text of each item in a file; reads the file again only after it changed."""
        modified = path.stat().st_mtime
        cached = self._cache.get(path)
        if cached is None or cached[0] != modified:
            try:
                cached = (modified, _read_items(path))
            except (OSError, ValueError) as error:
                raise UnreadableItems(f"{path}: {error}") from error
            self._cache[path] = cached
        return cached[1]


def _read_items(path: Path) -> list[str]:
    name = path.name.removesuffix(".gz")
    data = gzip.decompress(path.read_bytes()) if name != path.name else path.read_bytes()
    if name.endswith(".jsonl"):
        lines = [line for line in data.decode().split("\n") if line.strip()]
        for line in lines:
            with contextlib.suppress(RecursionError):  # some test items are nested too deeply on purpose
                json.loads(line, parse_int=str)
        return lines
    items = json.loads(data)
    if not isinstance(items, list):
        raise ValueError("not a JSON list of items")
    return [json.dumps(item) for item in items]


def _apply_changes(texts: Iterable[str], changes: Changes) -> Iterator[str]:
    """Yields the items of a scrape after the changes; an item without an id stays as it is."""
    for text in texts:
        item = json.loads(text)
        key = str(item.get("id")) if isinstance(item, dict) else ""
        if key in changes.drop:
            continue
        if key in changes.price:
            _set_price(item, changes.price[key])
        if key in changes.photos:
            _set_photos(item, changes.photos[key])
        yield json.dumps(item)


def _set_price(item: dict[str, Any], price: int) -> None:
    item["price"] = price
    for colour in item.get("colorsSizesImagesJSON") or []:
        for size in colour.get("sizes") or []:
            size["price"] = price


def _set_photos(item: dict[str, Any], version: str) -> None:
    """Gives all photos another version, as real CDNs do: by another `ts` in the URL."""
    timestamp = str(catalogue.PHOTO_STAMP + 1 + crc32(version.encode()))
    for colour in item.get("colorsSizesImagesJSON") or []:
        colour["xmedia"] = [_TIMESTAMP.sub(rf"\g<1>{timestamp}", url) for url in colour.get("xmedia") or []]
