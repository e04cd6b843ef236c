"""Checks of a copy whose export was killed repeatedly, against what the sandbox serves.

`export_trial.py` runs the trial.
"""

import json
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from unde_catalog.sandbox.bakai import photos as bakai_photos
from unde_catalog.sandbox.bakai.catalogue import BakaiCatalogue, BakaiOverrides, BakaiProduct
from unde_catalog.sandbox.faults import Faults, parse_faults
from unde_catalog.stages.photos.decode import Refused
from unde_catalog.stages.photos.image import normalise

ListName = Literal["api", "bucket"]

CHECKPOINT = ".download_checkpoint.json"
_WATCH_SECONDS = 0.1  # between two checks of the folder


@dataclass(frozen=True, slots=True)
class ProcessRun:
    """One process of the command: start, end, exit code (None: killed), peak memory in bytes, and the products whose
    files existed when it had ended."""

    started: float
    ended: float
    code: int | None
    peak: int
    existing: frozenset[str]


class ServedImages:
    """What the sandbox serves for these overrides, faults and seed: the expected file of each product, or none."""

    def __init__(self, source: ListName, overrides: BakaiOverrides, faults: str, seed: int) -> None:
        self.source, self.overrides = source, overrides
        self.catalogue = BakaiCatalogue(overrides)
        self._faults: Faults = parse_faults(faults, seed)

    def file(self, product: BakaiProduct) -> str:
        """The relative path of a product's first photo. The bucket has no categories."""
        category = product.category if self.source == "api" and product.category else "uncategorized"
        return f"{category}/bakai_{product.id}.jpg"

    def product_of(self, file: str) -> BakaiProduct | None:
        """The product of a file. None for an unexpected file."""
        product = self.catalogue.find(file.rpartition("/bakai_")[2].removesuffix(".jpg"))
        return product if product is not None and self.file(product) == file else None

    def response_bytes(self, product: BakaiProduct) -> int:
        """The size of the response with a product's first photo."""
        return bakai_photos.photo_bytes(product, 1, self.overrides)

    def expected(self, product: BakaiProduct) -> bytes | None:
        """The content of a product's file. None if a permanent fault or an invalid photo prevents it."""
        folder = "/bakai-cdn" if self.source == "api" else "/bakai-s3/bakai-images/products"
        if self._faults.permanent_fault("bakai.photo", f"{folder}/{product.id}/1.jpg"):
            return None
        photo = bakai_photos.photo(product, 1, self.overrides)
        if bakai_photos.kind_of(product, 1, self.overrides.odd) == "plain":
            return photo
        stored = normalise(photo)
        return None if isinstance(stored, Refused) else stored.data

    def differences(self, folder: Path) -> list[str]:
        """Missing, wrong and unexpected files of the folder."""
        differences = []
        for product in self.catalogue.products():
            path, expected = folder / self.file(product), self.expected(product)
            if expected is None and path.exists():
                differences.append(f"{self.file(product)} exists and should not")
            if expected is not None and not path.exists():
                differences.append(f"{self.file(product)} is missing")
            if expected is not None and path.exists() and path.read_bytes() != expected:
                differences.append(f"{self.file(product)} has wrong content")
        return differences + [f"{file} is unexpected" for file in files(folder) if self.product_of(file) is None]

    def checkpoint_differences(self, folder: Path) -> list[str]:
        """Wrong entries of the checkpoint."""
        if not (folder / CHECKPOINT).exists():
            return ["the checkpoint is missing"]
        content = json.loads((folder / CHECKPOINT).read_bytes())
        downloaded = {
            f"bakai_{product.id}": self.expected(product) is not None for product in self.catalogue.products()
        }
        differences = []
        if set(content) != {"timestamp", "downloaded", "failed"} or not isinstance(content["timestamp"], float):
            differences.append(f"the checkpoint has the fields {sorted(content)}")
        for name, state in (("downloaded", True), ("failed", False)):
            expected = sorted(id_ for id_, is_downloaded in downloaded.items() if is_downloaded == state)
            if sorted(content[name]) != expected:
                differences.append(f"the checkpoint has {len(content[name])} {name}, expected {len(expected)}")
        return differences


@dataclass(slots=True)
class FolderWatcher:
    """Watches the folder: a file must be complete when it appears under its final name, and must not disappear."""

    served: ServedImages
    folder: Path
    problems: list[str] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> "FolderWatcher":
        self._thread = threading.Thread(target=self._watch, name="watch")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(_WATCH_SECONDS):
            self.check()

    def check(self) -> None:
        """Check the files that have appeared or disappeared since the last check."""
        current = set(files(self.folder))
        self.problems += [f"{file} has disappeared" for file in self._seen - current]
        for file in current - self._seen:
            product = self.served.product_of(file)
            if product is None or (self.folder / file).read_bytes() != self.served.expected(product):
                self.problems.append(f"{file} was incomplete or unexpected when it appeared")
        self._seen |= current


class LogTail:
    """Follows the sandbox's request log: counts of requests and faults, and the requests for photos."""

    def __init__(self, path: Path) -> None:
        self._path, self._position = path, 0
        self.photos: list[dict[str, Any]] = []
        self.kinds: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()

    def read(self) -> int:
        """Read the new lines. Returns the number of photo requests so far."""
        with self._path.open("rb") as log:
            log.seek(self._position)
            data = log.read()
        lines = data[: data.rfind(b"\n") + 1]
        self._position += len(lines)
        for line in map(json.loads, lines.splitlines()):
            self.kinds[line["kind"]] += 1
            if "fault" in line:
                self.faults[f"{line['kind']}:{line['fault']}"] += 1
            if line["kind"] == "bakai.photo":
                self.photos.append(line)
        return self.kinds["bakai.photo"]


def repeated_downloads(
    photos: Iterable[dict[str, Any]], runs: Sequence[ProcessRun], served: ServedImages, max_seconds: float
) -> Iterator[str]:
    """Requests for a photo whose file existed, or that the same process had received already.

    A response that took longer than `max_seconds` may have been too late for its client and does not count. Nor does a
    broken photo, since a retry may succeed.
    """
    received: set[tuple[int, str]] = set()
    number = 0
    for line in sorted(photos, key=lambda line: line["time"]):
        while number + 1 < len(runs) and line["time"] >= runs[number + 1].started:
            number += 1
        product_id, product = line.get("product", ""), served.catalogue.find(line.get("product", ""))
        if product is None or line["n"] != 1:
            yield f"{line['path']} was requested but is not part of the copy"
            continue
        if number and product_id in runs[number - 1].existing:
            yield f"{product_id} existed when process {number + 1} started, and was requested again"
        if (number, product_id) in received:
            yield f"{product_id} was received and requested again by process {number + 1}"
        in_time = line["status"] == 200 and "fault" not in line and line["ms"] < max_seconds * 1000
        is_valid = bakai_photos.kind_of(product, 1, served.overrides.odd) != "broken"
        if in_time and is_valid and line["bytes"] == served.response_bytes(product):
            received.add((number, product_id))


def files(folder: Path) -> Iterator[str]:
    """The relative paths of all files, except those that start with a dot."""
    for category in folder.iterdir() if folder.exists() else ():
        if category.name.startswith("."):
            continue
        if not category.is_dir():
            yield category.name
            continue
        yield from (f"{category.name}/{file.name}" for file in category.iterdir() if not file.name.startswith("."))
