"""Are all objects there that the tables name, are they right, and does every object have a row? And mending that.

The comparing is `stores/staging/photos/object_checks.py`'s, what mending does to rows is
`stores/staging/photos/repair.py`'s. Memory stays flat however many objects there are.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

from unde_catalog.stores.db.database import Database
from unde_catalog.stores.objects.objects import ObjectInfo, ObjectMissing, ObjectStore
from unde_catalog.stores.staging.photos import object_checks, repair
from unde_catalog.stores.staging.photos.object_checks import KINDS, Kind, ListedObject, ObjectFinding

FOLDERS = ("originals", "collages")  # nothing else in a bucket is looked at: manifests, other people's
_PAGE = 5_000  # objects listed between two looks at the lease, without and ...
_PAGE_READ = 500  # ... with reading each of them
_AT_ONCE = 8  # whole objects in memory
_GROUP = 100  # findings mended in one transaction
_EXAMPLES = 5
_SKIPPED_NAMED = 20

Tell = Callable[[str, int], None]


@dataclass(slots=True)
class VerifyReport:
    """What a comparison found, as counts by kind and stage, with the first examples; and what was mended of it.

    `mended` counts findings by kind; `skipped` names some of the products that a worker had in hand.
    """

    objects: int = 0
    hashed: bool = False
    found: dict[tuple[Kind, str], int] = field(default_factory=dict)
    examples: dict[tuple[Kind, str], list[str]] = field(default_factory=dict)
    mended: dict[Kind, int] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)

    @property
    def wrong(self) -> int:
        """All findings but products that were being worked on."""
        return sum(count for (kind, _), count in self.found.items() if kind != "busy")

    @property
    def left(self) -> int:
        """Findings that are not mended."""
        return self.wrong - sum(self.mended.values())

    def as_dict(self) -> dict[str, object]:
        """Plain values for JSON."""
        listed = [
            {"kind": kind, "stage": stage, "count": count, "examples": self.examples.get((kind, stage), [])}
            for (kind, stage), count in self.found.items()
        ]
        return {
            "objects": self.objects, "hashed": self.hashed, "wrong": self.wrong, "found": listed,
            "mended": self.mended, "skipped": self.skipped,
        }  # fmt: skip


def verify(
    db: Database,
    store: ObjectStore,
    brand: str | None = None,
    *,
    hashes: bool = False,
    mend: bool = False,
    tell: Tell = lambda doing, objects: None,
) -> VerifyReport:
    """Compare the objects of a brand, or of all, with their rows; with `hashes`, every object is read.

    With `mend`, what is missing or wrong is due again and orphans are deleted. `StorageUnavailable` and
    `DatabaseUnavailable` as everywhere; what was mended until then stays so.
    """
    check = db.run(object_checks.begin)
    try:
        _list(db, store, check, brand, hashes, tell)
        tell("comparing", 0)
        db.run(object_checks.compare, check, brand)
        report = VerifyReport(
            db.run(object_checks.objects, check), hashes, _sorted(db.run(object_checks.counts, check))
        )
        for kind, stage in report.found:
            some = db.run(object_checks.findings, check, kind, 0, _EXAMPLES, stage)
            report.examples[kind, stage] = [one.key or one.product or "" for one in some]
        if mend:
            _mend(db, store, check, report, tell)
        return report
    finally:
        db.run(object_checks.end, check)


def _sorted(counts: dict[tuple[Kind, str], int]) -> dict[tuple[Kind, str], int]:
    return dict(sorted(counts.items(), key=lambda one: (KINDS.index(one[0][0]), one[0][1] != FOLDERS[0])))


def _list(db: Database, store: ObjectStore, check: int, brand: str | None, hashes: bool, tell: Tell) -> None:
    listed = 0
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        for folder in FOLDERS:
            found = store.list(f"{folder}/{brand}" if brand else folder)
            for page in _pages(found, _PAGE_READ if hashes else _PAGE):
                if hashes:
                    seen = [one for one in threads.map(lambda info: _read(store, info), page) if one is not None]
                else:
                    seen = [ListedObject(info.key, info.size, info.modified) for info in page]
                db.run(object_checks.add, check, seen)
                listed += len(page)
                tell("reading" if hashes else "listing", listed)


def _pages(found: Iterator[ObjectInfo], size: int) -> Iterator[list[ObjectInfo]]:
    while page := list(islice(found, size)):
        yield page


def _read(store: ObjectStore, info: ObjectInfo) -> ListedObject | None:
    """The object as it is now, None where it left since it was listed."""
    try:
        data = store.get(info.key)
    except ObjectMissing:
        return None
    except ValueError:  # a key that is none of ours
        return ListedObject(info.key, info.size, info.modified)
    return ListedObject(info.key, len(data), info.modified, hashlib.sha256(data).hexdigest())


def _mend(db: Database, store: ObjectStore, check: int, report: VerifyReport, tell: Tell) -> None:
    for (kind, stage), count in report.found.items():
        if kind == "busy":
            continue
        tell(f"mending {kind} {stage}", count)
        way = repair.photos if stage == "originals" else repair.collages
        way = repair.unrecorded if kind == "unrecorded" else way
        after = 0
        while group := db.run(object_checks.findings, check, kind, after, _GROUP, stage):
            after = group[-1].id
            db.run(object_checks.renew, check)
            if kind == "orphan":
                done = _delete_orphans(db, store, group)
            else:
                free = db.run(way, group)
                done = sum(one.product_id in free for one in group)
                busy = {one.product or "": None for one in group if one.product_id not in free}
                report.skipped += list(busy)[: max(0, _SKIPPED_NAMED - len(report.skipped))]
            report.mended[kind] = report.mended.get(kind, 0) + done


def _delete_orphans(db: Database, store: ObjectStore, group: Sequence[ObjectFinding]) -> int:
    """Delete those that are orphans still: nobody wrote a row for them since, nor stored them anew."""
    oldest = db.run(object_checks.now) - object_checks.ORPHAN_AGE
    keys = [one.key for one in group if one.key]
    still = db.run(repair.still_orphaned, keys)
    old = [key for key in still if (info := store.head(key)) is not None and info.modified < oldest]
    store.delete(old)
    return len(keys)
