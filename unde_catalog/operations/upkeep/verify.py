"""Compares the stored objects with their rows in both directions, and repairs the differences.

The SQL of comparing is in `stores/staging/photos/object_checks.py`, that of repairing in
`stores/staging/photos/repair.py`. Memory use does not grow with the number of objects.
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

FOLDERS = ("originals", "collages")  # other objects in the bucket are ignored: manifests, objects of other programs
_PAGE = 5_000  # objects listed between two renewals of the lease ...
_PAGE_READ = 500  # ... and read
_CONCURRENCY = 8  # whole objects in memory
_GROUP = 100  # findings repaired in one transaction
_EXAMPLES = 5
_MAX_SKIPPED = 20

Progress = Callable[[str, int], None]


@dataclass(slots=True)
class VerifyReport:
    """What a comparison found, as counts by kind and stage with the first examples, and what was repaired.

    `repaired` counts findings by kind; `skipped` names some of the products that a worker had leased.
    """

    objects: int = 0
    hashed: bool = False
    found: dict[tuple[Kind, str], int] = field(default_factory=dict)
    examples: dict[tuple[Kind, str], list[str]] = field(default_factory=dict)
    repaired: dict[Kind, int] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)

    @property
    def wrong(self) -> int:
        """All findings, without products that were being processed."""
        return sum(count for (kind, _), count in self.found.items() if kind != "busy")

    @property
    def left(self) -> int:
        """Findings that were not repaired."""
        return self.wrong - sum(self.repaired.values())

    def as_dict(self) -> dict[str, object]:
        """Plain values for JSON."""
        findings = [
            {"kind": kind, "stage": stage, "count": count, "examples": self.examples.get((kind, stage), [])}
            for (kind, stage), count in self.found.items()
        ]
        return {
            "objects": self.objects, "hashed": self.hashed, "wrong": self.wrong, "found": findings,
            "mended": self.repaired, "skipped": self.skipped,
        }  # fmt: skip


def verify(
    db: Database,
    store: ObjectStore,
    brand: str | None = None,
    *,
    hashes: bool = False,
    repairs: bool = False,
    progress: Progress = lambda activity, count: None,
) -> VerifyReport:
    """Compare the objects of a brand, or of all, with their rows; with `hashes`, read every object.

    With `repairs`, what is missing or wrong becomes due again and orphans are deleted. `StorageUnavailable` and
    `DatabaseUnavailable` end the comparison; earlier repairs persist.
    """
    check = db.run(object_checks.begin)
    try:
        _list(db, store, check, brand, hashes, progress)
        progress("comparing", 0)
        db.run(object_checks.compare, check, brand)
        report = VerifyReport(
            db.run(object_checks.objects, check), hashes, _sorted(db.run(object_checks.counts, check))
        )
        for kind, stage in report.found:
            examples = db.run(object_checks.findings, check, kind, 0, _EXAMPLES, stage)
            report.examples[kind, stage] = [one.key or one.product or "" for one in examples]
        if repairs:
            _repair(db, store, check, report, progress)
        return report
    finally:
        db.run(object_checks.end, check)


def _sorted(counts: dict[tuple[Kind, str], int]) -> dict[tuple[Kind, str], int]:
    return dict(sorted(counts.items(), key=lambda item: (KINDS.index(item[0][0]), item[0][1] != FOLDERS[0])))


def _list(db: Database, store: ObjectStore, check: int, brand: str | None, hashes: bool, progress: Progress) -> None:
    listed = 0
    with ThreadPoolExecutor(_CONCURRENCY) as threads:
        for folder in FOLDERS:
            infos = store.list(f"{folder}/{brand}" if brand else folder)
            for page in _pages(infos, _PAGE_READ if hashes else _PAGE):
                if hashes:
                    objects = [one for one in threads.map(lambda info: _read(store, info), page) if one is not None]
                else:
                    objects = [ListedObject(info.key, info.size, info.modified) for info in page]
                db.run(object_checks.add, check, objects)
                listed += len(page)
                progress("reading" if hashes else "listing", listed)


def _pages(infos: Iterator[ObjectInfo], size: int) -> Iterator[list[ObjectInfo]]:
    while page := list(islice(infos, size)):
        yield page


def _read(store: ObjectStore, info: ObjectInfo) -> ListedObject | None:
    """The object as it is now, None where it was deleted after it was listed."""
    try:
        data = store.get(info.key)
    except ObjectMissing:
        return None
    except ValueError:  # not a key of this program
        return ListedObject(info.key, info.size, info.modified)
    return ListedObject(info.key, len(data), info.modified, hashlib.sha256(data).hexdigest())


def _repair(db: Database, store: ObjectStore, check: int, report: VerifyReport, progress: Progress) -> None:
    for (kind, stage), count in report.found.items():
        if kind == "busy":
            continue
        progress(f"repairing {kind} {stage}", count)
        repair_rows = repair.photos if stage == "originals" else repair.collages
        repair_rows = repair.unrecorded if kind == "unrecorded" else repair_rows
        after = 0
        while group := db.run(object_checks.findings, check, kind, after, _GROUP, stage):
            after = group[-1].id
            db.run(object_checks.renew, check)
            if kind == "orphan":
                done = _delete_orphans(db, store, group)
            else:
                free = db.run(repair_rows, group)
                done = sum(one.product_id in free for one in group)
                leased = {one.product or "": None for one in group if one.product_id not in free}
                report.skipped += list(leased)[: max(0, _MAX_SKIPPED - len(report.skipped))]
            report.repaired[kind] = report.repaired.get(kind, 0) + done


def _delete_orphans(db: Database, store: ObjectStore, group: Sequence[ObjectFinding]) -> int:
    """Delete the objects that are still orphans: no row was written for them since, and they were not stored again."""
    oldest = db.run(object_checks.now) - object_checks.ORPHAN_AGE
    keys = [one.key for one in group if one.key]
    orphaned = db.run(repair.still_orphaned, keys)
    old = [key for key in orphaned if (info := store.head(key)) is not None and info.modified < oldest]
    store.delete(old)
    return len(keys)
