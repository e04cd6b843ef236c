"""Whether Ximilar's collection holds what we believe that it holds.

Nothing is billed here, and few requests are sent: no request counts records (spec 6), so the listing is asked for
single places, and for some of the brand's own records.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from unde_catalog.operations.quality.result import CheckResult
from unde_catalog.stages.ximilar_index.client import RECORDS_A_REQUEST, Ximilar, XimilarRefused, XimilarUnavailable
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.index.ximilar_records import OurRecords, our_records

SAMPLE = 50  # records of the brand: five requests
_FARTHEST = 1 << 24  # records beyond ours


@dataclass(frozen=True, slots=True)
class CollectionFigures:
    """Our records beside Ximilar's `count`; of `sampled` ones of the brand, the ids that are `missing` there."""

    ours: OurRecords
    count: int
    sampled: int
    missing: Sequence[str]


def check_collection(api: Ximilar, db: Database, brand: str) -> CheckResult:
    """Ask and compare; where Ximilar can't be asked the answer says why."""
    try:
        ours = db.run(our_records, api.collection, brand, SAMPLE)
        count = counted_from(ours.there, api.has_record_at)
        missing = [id for ids in _tens(ours.sample) for found in (api.get(ids),) for id in ids if id not in found]
    except (XimilarUnavailable, XimilarRefused) as error:
        return CheckResult(False, f"Ximilar's records can't be counted: {error}; unde-catalog doctor --only ximilar")
    return collection_agrees(brand, CollectionFigures(ours, count, len(ours.sample), missing))


def collection_agrees(brand: str, now: CollectionFigures) -> CheckResult:
    """The collection holds as many records as we have written down, and those of the brand that were asked for."""
    ours = now.ours
    told = (
        f"Ximilar has {now.count} records where we know of {ours.there}"
        + (f" and {ours.open} that may be there" if ours.open else "")
        + f"; {now.sampled - len(now.missing)} of {now.sampled} asked for of {brand}'s {ours.of_brand} are there"
    )
    figures = {
        "records_there": now.count, "records_ours": ours.there, "records_open": ours.open,
        "records_of_brand": ours.of_brand, "asked_for": now.sampled, "missing": len(now.missing),
    }  # fmt: skip
    if now.missing or now.count < ours.there:
        todo = (
            "somebody deleted records, or emptied the collection. Delete the rows of what is lost from ximilar_records "
            f"and run ximilar_index of {brand} with force: it is inserted, and billed, again"
        )
        table = [{"missing": id} for id in now.missing[:10]]
        return CheckResult(False, f"{told}: {todo}", figures=figures, table=table)
    if now.count > ours.there + ours.open:
        todo = "another one writes into the collection: look in Ximilar's app, and give this catalogue its own"
        return CheckResult(False, f"{told}: {todo}", figures=figures)
    return CheckResult(True, told, figures=figures)


def counted_from(guess: int, has_place: Callable[[int], bool]) -> int:
    """How many there are, by asking for single places: two questions if the guess is right, else some more."""
    low, high = (guess, None) if guess == 0 or has_place(guess) else (0, guess)
    step = 1
    while high is None:  # ever farther, until there is none
        if step > _FARTHEST:
            raise XimilarUnavailable("Ximilar's listing gives a record for every place that it is asked for")
        if has_place(low + step):
            low, step = low + step, step * 2
        else:
            high = low + step
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if has_place(middle) else (low, middle)
    return low


def _tens(ids: Sequence[str]) -> list[Sequence[str]]:
    return [ids[i : i + RECORDS_A_REQUEST] for i in range(0, len(ids), RECORDS_A_REQUEST)]
