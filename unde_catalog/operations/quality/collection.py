"""Whether Ximilar's collection contains the records that the catalogue has sent.

No request counts records, so the size is found by asking for records at single positions of the listing. That takes
few requests and none is billed. Some of the brand's own records are looked up too.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from unde_catalog.operations.quality.result import CheckResult
from unde_catalog.stages.ximilar_index.client import RECORDS_A_REQUEST, Ximilar, XimilarRefused, XimilarUnavailable
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.index.ximilar_records import RecordCounts, count_records

SAMPLE = 50  # records of the brand, looked up in five requests
_MAX_STEP = 1 << 24  # how far beyond the known records to search


@dataclass(frozen=True, slots=True)
class CollectionFigures:
    """The catalogue's records beside Ximilar's `count`; of `sampled` ones, the ids that are `missing` there."""

    ours: RecordCounts
    count: int
    sampled: int
    missing: Sequence[str]


def check_collection(api: Ximilar, db: Database, brand: str) -> CheckResult:
    """Query Ximilar and compare; the check fails with the reason where Ximilar cannot be queried."""
    try:
        ours = db.run(count_records, api.collection, brand, SAMPLE)
        count = find_count(ours.confirmed, api.has_record_at)
        missing = [id for ids in _batches(ours.sample) for found in (api.get(ids),) for id in ids if id not in found]
    except (XimilarUnavailable, XimilarRefused) as error:
        message = f"Ximilar's records could not be counted: {error}. Check with unde-catalog doctor --only ximilar."
        return CheckResult(False, message)
    return collection_agrees(brand, CollectionFigures(ours, count, len(ours.sample), missing))


def collection_agrees(brand: str, now: CollectionFigures) -> CheckResult:
    """The collection has as many records as were confirmed, and every sampled record of the brand."""
    ours = now.ours
    unconfirmed = f" and {ours.unconfirmed} unconfirmed ones" if ours.unconfirmed else ""
    message = (
        f"Ximilar has {now.count} records; the catalogue knows of {ours.confirmed}{unconfirmed}. "
        f"{now.sampled - len(now.missing)} of {now.sampled} sampled records of {brand}'s {ours.of_brand} exist."
    )
    figures = {
        "records_there": now.count, "records_ours": ours.confirmed, "records_open": ours.unconfirmed,
        "records_of_brand": ours.of_brand, "sampled": now.sampled, "missing": len(now.missing),
    }  # fmt: skip
    if now.missing or now.count < ours.confirmed:
        message += (
            " Records were deleted, or the collection was emptied. Delete the rows of the lost records from "
            f"ximilar_records and run ximilar_index of {brand} with force: they are inserted and billed again."
        )
        table = [{"missing": id} for id in now.missing[:10]]
        return CheckResult(False, message, figures=figures, table=table)
    if now.count > ours.confirmed + ours.unconfirmed:
        message += (
            " Something else writes into the collection: inspect it in Ximilar's app, and give this catalogue a "
            "collection of its own."
        )
        return CheckResult(False, message, figures=figures)
    return CheckResult(True, message, figures=figures)


def find_count(guess: int, has_record_at: Callable[[int], bool]) -> int:
    """The number of records, found by asking for single positions: two requests if the guess is right."""
    low, high = (guess, None) if guess == 0 or has_record_at(guess) else (0, guess)
    step = 1
    while high is None:  # double the step until a position is empty
        if step > _MAX_STEP:
            raise XimilarUnavailable("Ximilar's listing returns a record for every position")
        if has_record_at(low + step):
            low, step = low + step, step * 2
        else:
            high = low + step
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if has_record_at(middle) else (low, middle)
    return low


def _batches(ids: Sequence[str]) -> list[Sequence[str]]:
    return [ids[i : i + RECORDS_A_REQUEST] for i in range(0, len(ids), RECORDS_A_REQUEST)]
