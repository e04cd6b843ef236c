"""Whether the numbers of a dataset are fils or dirhams, judged over all of it.

The contract is fils: 69900 is 699.00. Some actors write dirhams, and then `"59.94"` and `"119"` stand side by side.
Read one by one, the first would be unknown and the second a hundred times too cheap. The same is true of `"59,94"` and
`"AED 59"`.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

from unde_catalog.stages.raw_products.collect_run import CollectRun, Progress
from unde_catalog.stages.raw_products.source import Source
from unde_catalog.stores.db.database import Cursor
from unde_catalog.stores.staging.products import price_units
from unde_catalog.stores.staging.products.price_units import UnitEvidence

PriceUnit = Literal["fils", "dirhams", "doubtful"]
# Names of counts: prices of a scrape that were not read as fils.
JUDGED: Mapping[PriceUnit, str] = {"dirhams": "prices_in_dirhams", "doubtful": "prices_in_doubt"}

_MIN_PRODUCTS = 10  # for a median to say something
# How far the medians of a brand's prices may be apart that mean the same unit: from its own ones, from other brands'.
_OWN_BAND, _OTHER_BAND = 5.0, 10.0


def judge(evidence: UnitEvidence) -> PriceUnit:
    """The unit of the dataset's numbers. `doubtful`: no reading fits what the brand or other brands cost.

    Without a fraction or a currency it is fils, as agreed, unless only dirhams fit: what the brand cost before then
    decides, while other brands' prices only make it doubtful.
    """
    own = evidence.known_products >= _MIN_PRODUCTS and evidence.own_ratio is not None
    if own:
        ratio, band = evidence.own_ratio, _OWN_BAND
    else:
        ratio, band = evidence.other_ratio if evidence.prices >= _MIN_PRODUCTS else None, _OTHER_BAND
    if ratio is None:
        return "dirhams" if evidence.with_fraction else "fils"  # nothing speaks against it
    dirhams_fit, fils_fit = (1 / band <= one <= band for one in (ratio, ratio / 100))
    if not evidence.with_fraction:
        return "fils" if fils_fit or not dirhams_fit else "dirhams" if own else "doubtful"
    return "dirhams" if dirhams_fit else "fils" if fils_fit else "doubtful"


def judged_unit(counts: Mapping[str, int]) -> PriceUnit:
    """The unit that a scrape with these counts was read in."""
    for unit, name in JUDGED.items():
        if counts.get(name):
            return unit
    return "fils"


def read_prices(cursor: Cursor, unit: PriceUnit, scrape_id: int, external_ids: Sequence[str]) -> None:
    """Give these staged items, which were read as fils, their prices in the unit."""
    if unit == "dirhams":
        price_units.read_as_dirhams(cursor, scrape_id, external_ids)
    elif unit == "doubtful":
        price_units.hold_back(cursor, scrape_id, external_ids)


def unit_of_scrape(run: CollectRun, source: Source, progress: Progress) -> PriceUnit:
    """The unit of this scrape's prices, which stays as it was judged when the scrape is resumed."""
    if not source.prices_are_fils:
        return "fils"
    judged = judged_unit(progress.counts)
    if judged != "fils":
        return judged
    found = run.db.run(price_units.evidence, progress.scrape.id, run.source_name)
    unit = judge(found)
    if unit == "fils":
        return unit
    progress.counts[JUDGED[unit]] = run.report.counts[JUDGED[unit]] = found.prices
    if unit == "dirhams":
        progress.counts["prices_not_understood"] -= found.not_fils
        run.report.counts["prices_not_understood"] -= found.not_fils
        why = f"{found.with_fraction} prices have a fraction or a currency"
        if not found.with_fraction:
            why = "only as dirhams do the prices fit what the brand cost before"
        run.note(f"{why}: all were read as dirhams, not fils")
    elif found.with_fraction:
        run.note(
            f"{found.with_fraction} prices have a fraction or a currency, and neither fils nor dirhams fit what the "
            "brand or others cost: no price was taken; check the actor's output"
        )
    else:
        run.note(
            "as fils the prices would be a hundredth of what other brands cost: no price was taken; check the actor's "
            "output, which must be in fils or have fractions"
        )
    return unit
