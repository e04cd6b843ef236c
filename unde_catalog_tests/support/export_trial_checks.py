"""What must hold of a copy that was killed again and again: compared with what the sandbox says it serves.

The trial itself is `export_trial.py`.
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
_LOOK_SECONDS = 0.1  # between two looks at the folder


@dataclass(frozen=True, slots=True)
class Life:
    """One process of the command: when it began and ended, its exit code (None: killed), its memory's peak in bytes,
    and the products whose files lay there when it was gone."""

    began: float
    ended: float
    code: int | None
    peak: int
    there: frozenset[str]


class Served:
    """What the sandbox serves of a seed, faults and terms: the file of each product, or that there can be none."""

    def __init__(self, source: ListName, terms: BakaiOverrides, faults: str, seed: int) -> None:
        self.source, self.terms = source, terms
        self.shelf = BakaiCatalogue(terms)
        self._dial: Faults = parse_faults(faults, seed)

    def file(self, good: BakaiProduct) -> str:
        """Where a product's first photo belongs; a bucket names no category."""
        category = good.category if self.source == "api" and good.category else "uncategorized"
        return f"{category}/bakai_{good.id}.jpg"

    def at(self, file: str) -> BakaiProduct | None:
        """The product whose file that is, None for a file that should not be there."""
        good = self.shelf.find(file.rpartition("/bakai_")[2].removesuffix(".jpg"))
        return good if good is not None and self.file(good) == file else None

    def sent_bytes(self, good: BakaiProduct) -> int:
        """How long a product's first photo is as it is sent."""
        return bakai_photos.photo_bytes(good, 1, self.terms)

    def wanted(self, good: BakaiProduct) -> bytes | None:
        """The bytes of a product's file; None where a lasting fault, or the photo itself, lets none be."""
        folder = "/bakai-cdn" if self.source == "api" else "/bakai-s3/bakai-images/products"
        if self._dial.permanent_fault("bakai.photo", f"{folder}/{good.id}/1.jpg"):
            return None
        sent = bakai_photos.photo(good, 1, self.terms)
        if bakai_photos.kind_of(good, 1, self.terms.odd) == "plain":
            return sent
        stored = normalise(sent)
        return None if isinstance(stored, Refused) else stored.data

    def differences(self, folder: Path) -> list[str]:
        """What is not in the folder as it must be, byte by byte, and what is there beside it."""
        found = []
        for good in self.shelf.products():
            path, wanted = folder / self.file(good), self.wanted(good)
            if wanted is None and path.exists():
                found.append(f"{self.file(good)} is there, and can't be")
            if wanted is not None and not path.exists():
                found.append(f"{self.file(good)} is missing")
            if wanted is not None and path.exists() and path.read_bytes() != wanted:
                found.append(f"{self.file(good)} has other bytes than were served")
        return found + [f"{file} is no product's" for file in files(folder) if self.at(file) is None]

    def checkpoint_differences(self, folder: Path) -> list[str]:
        """What the checkpoint says that is not so."""
        if not (folder / CHECKPOINT).exists():
            return ["there is no checkpoint"]
        found = json.loads((folder / CHECKPOINT).read_bytes())
        there = {f"bakai_{good.id}": self.wanted(good) is not None for good in self.shelf.products()}
        wrong = []
        if set(found) != {"timestamp", "downloaded", "failed"} or not isinstance(found["timestamp"], float):
            wrong.append(f"the checkpoint holds {sorted(found)}")
        for name, are_there in (("downloaded", True), ("failed", False)):
            wanted = sorted(id_ for id_, is_there in there.items() if is_there == are_there)
            if sorted(found[name]) != wanted:
                wrong.append(f"the checkpoint has {len(found[name])} {name}, not the {len(wanted)} that are")
        return wrong


@dataclass(slots=True)
class Watch:
    """Looks at the folder all the time: what comes under a final name is whole when it is first seen, and stays."""

    served: Served
    folder: Path
    problems: list[str] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> "Watch":
        self._thread = threading.Thread(target=self._watch, name="watch")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(_LOOK_SECONDS):
            self.look()

    def look(self) -> None:
        """One look."""
        now = set(files(self.folder))
        self.problems += [f"{file} was there and is gone" for file in self._seen - now]
        for file in now - self._seen:
            good = self.served.at(file)
            if good is None or (self.folder / file).read_bytes() != self.served.wanted(good):
                self.problems.append(f"{file} was seen half written, or should not be")
        self._seen |= now


class LogTail:
    """The sandbox's request log as it grows: how many photos were asked for, and their lines."""

    def __init__(self, path: Path) -> None:
        self._path, self._position = path, 0
        self.photos: list[dict[str, Any]] = []
        self.kinds: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()

    def read_on(self) -> int:
        """Read what is new; how many requests for photos there were by now."""
        with self._path.open("rb") as log:
            log.seek(self._position)
            data = log.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._position += len(whole)
        for line in map(json.loads, whole.splitlines()):
            self.kinds[line["kind"]] += 1
            if "fault" in line:
                self.faults[f"{line['kind']}:{line['fault']}"] += 1
            if line["kind"] == "bakai.photo":
                self.photos.append(line)
        return self.kinds["bakai.photo"]


def fetched_twice(
    photos: Iterable[dict[str, Any]], lives: Sequence[Life], served: Served, patience: float
) -> Iterator[str]:
    """What was asked for although it lay there, and what one life got whole and asked for again.

    An answer that took longer than `patience` seconds may have come too late for its client, and counts for nothing;
    nor does half a photo that is all there is, since the next answer might be whole.
    """
    whole: set[tuple[int, str]] = set()
    number = 0
    for line in sorted(photos, key=lambda line: line["time"]):
        while number + 1 < len(lives) and line["time"] >= lives[number + 1].began:
            number += 1
        product, good = line.get("product", ""), served.shelf.find(line.get("product", ""))
        if good is None or line["n"] != 1:
            yield f"{line['path']} was asked for, which nobody wants"
            continue
        if number and product in lives[number - 1].there:
            yield f"{product} lay there when life {number + 1} began, and was asked for again"
        if (number, product) in whole:
            yield f"{product} was answered whole and asked for again in life {number + 1}"
        in_time = line["status"] == 200 and "fault" not in line and line["ms"] < patience * 1000
        is_whole = bakai_photos.kind_of(good, 1, served.terms.odd) != "broken"
        if in_time and is_whole and line["bytes"] == served.sent_bytes(good):
            whole.add((number, product))


def files(folder: Path) -> Iterator[str]:
    """Every file under a final name, as category/name; what begins with a dot is the command's own."""
    for category in folder.iterdir() if folder.exists() else ():
        if category.name.startswith("."):
            continue
        if not category.is_dir():
            yield category.name
            continue
        yield from (f"{category.name}/{one.name}" for one in category.iterdir() if not one.name.startswith("."))
