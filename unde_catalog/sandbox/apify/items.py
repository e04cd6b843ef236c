"""Where a dataset's items come from: the drawn catalogue, or files of the shape of a data folder.

Items travel as JSON texts, so an odd one is passed on as it stands in its file. No HTTP here.
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

_SHOP_HOST = re.compile(r"https?://static\.[a-z]+\.net/")
_STAMP = re.compile(r"([?&]ts=)\d+")


class UnreadableItems(ValueError):
    """An items file that is no JSON list (or JSON lines); names the file."""


@dataclass(slots=True)
class ItemSource:
    """The items of every brand. `folder` is a data folder or None (drawn); `files` are single files that win."""

    folder: Path | None = None
    files: Mapping[str, Path] = field(default_factory=dict)
    _read: dict[Path, tuple[float, list[str]]] = field(default_factory=dict)

    def texts(self, brand: str, base_url: str, changes: Changes, first: int, last: int) -> list[str]:
        """The brand's items from `first` to before `last` as JSON texts, `{cdn}` and shop hosts replaced."""
        if brand not in self.files and self.folder is None:
            drawn = [json.dumps(item) for item in catalogue.items(brand, f"{base_url}/cdn")]
            return list(_changed(drawn, changes))[first:last]
        lines = self._lines_of(brand)
        chosen = list(_changed(lines, changes))[first:last] if changes.any else lines[first:last]
        if brand in self.files:
            chosen = [_SHOP_HOST.sub(f"{base_url}/_any/{brand}/", text) for text in chosen]
        return [text.replace("{cdn}", base_url) for text in chosen]

    def count(self, brand: str, changes: Changes) -> int:
        """How many items there are."""
        if changes.drop or (brand not in self.files and self.folder is None):
            return len(self.texts(brand, "", changes, 0, sys.maxsize))
        return len(self._lines_of(brand))

    def check(self) -> None:
        """Reads every file once, so that an unreadable one stops the start and not a scrape."""
        for path in self.files.values():
            self._lines(path)
        for brand in BRAND_NAMES if self.folder is not None else ():
            assert self.folder is not None
            path = self.folder / "apify_items" / f"{brand}.json"
            if path.is_file():
                self._lines(path)

    def _lines_of(self, brand: str) -> list[str]:
        if brand in self.files:
            return self._lines(self.files[brand])
        assert self.folder is not None  # else the catalogue is drawn
        path = self.folder / "apify_items" / f"{brand}.json"
        return self._lines(path) if path.is_file() else []

    def _lines(self, path: Path) -> list[str]:
        """The items of a file, one JSON text each; read again only when the file has changed."""
        stamp = path.stat().st_mtime
        known = self._read.get(path)
        if known is None or known[0] != stamp:
            try:
                known = (stamp, _read_items(path))
            except (OSError, ValueError) as error:
                raise UnreadableItems(f"{path}: {error}") from error
            self._read[path] = known
        return known[1]


def _read_items(path: Path) -> list[str]:
    name = path.name.removesuffix(".gz")
    data = gzip.decompress(path.read_bytes()) if name != path.name else path.read_bytes()
    if name.endswith(".jsonl"):
        lines = [line for line in data.decode().split("\n") if line.strip()]
        for line in lines:
            with contextlib.suppress(RecursionError):  # nested too deeply for us, and on purpose
                json.loads(line, parse_int=str)
        return lines
    items = json.loads(data)
    if not isinstance(items, list):
        raise ValueError("not a JSON list of items")
    return [json.dumps(item) for item in items]


def _changed(texts: Iterable[str], changes: Changes) -> Iterator[str]:
    """The items of a scrape after the changes; what carries no id is passed on as it is."""
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
    """Another version of all photos: as at a real shop, another `ts` in the address."""
    stamp = str(catalogue.PHOTO_STAMP + 1 + crc32(version.encode()))
    for colour in item.get("colorsSizesImagesJSON") or []:
        colour["xmedia"] = [_STAMP.sub(rf"\g<1>{stamp}", url) for url in colour.get("xmedia") or []]
