"""Whether the numbers of a dataset are fils or dirhams, judged over all of it.

The contract is fils: 69900 is 699.00. Some actors write dirhams, and then `"59.94"` and `"119"` stand side by side.
Read one by one, the first would be unknown and the second a hundred times too cheap. The same is true of `"59,94"` and
`"AED 59"`.
"""

from collections.abc import Mapping
from typing import Literal

from unde_catalog.stages.raw_products.collect_run import CollectRun, Progress
from unde_catalog.stages.raw_products.source import Source
from unde_catalog.stores.staging.products import price_units
from unde_catalog.stores.staging.products.price_units import UnitEvidence

PriceUnit = Literal["fils", "dirhams", "doubtful"]
# Names of counts: prices of a scrape that were not read as fils.
JUDGED: Mapping[PriceUnit, str] = {"dirhams": "prices_in_dirhams", "doubtful": "prices_in_doubt"}

_MIN_PRODUCTS = 10  # for a median to say something
# How far the medians of a brand's prices may be apart that mean the same unit: from its own ones, from other brands'.
_OWN_BAND, _OTHER_BAND = 5.0, 10.0


def judge(evidence: UnitEvidence) -> PriceUnit:
    """The unit of the dataset's numbers. `doubtful`: no reading fits what the brand or other brands cost."""
    if not evidence.with_fraction:
        return "fils"
    if evidence.known_products >= _MIN_PRODUCTS and evidence.own_ratio is not None:
        ratio, band = evidence.own_ratio, _OWN_BAND
    elif evidence.prices >= _MIN_PRODUCTS and evidence.other_ratio is not None:
        ratio, band = evidence.other_ratio, _OTHER_BAND
    else:
        return "dirhams"  # fils have no fraction, and nothing speaks against it
    if 1 / band <= ratio <= band:
        return "dirhams"
    return "fils" if 1 / band <= ratio / 100 <= band else "doubtful"


def unit_of_scrape(run: CollectRun, source: Source, progress: Progress) -> PriceUnit:
    """The unit of this scrape's prices, which stays as it was judged when the scrape is resumed."""
    if not source.prices_are_fils:
        return "fils"
    for unit, name in JUDGED.items():
        if progress.counts[name]:
            return unit
    found = run.db.run(price_units.evidence, progress.scrape.id, run.source_name)
    unit = judge(found)
    if unit == "fils":
        return unit
    progress.counts[JUDGED[unit]] = run.report.counts[JUDGED[unit]] = found.prices
    if unit == "dirhams":
        progress.counts["prices_not_understood"] -= found.not_fils
        run.report.counts["prices_not_understood"] -= found.not_fils
        run.note(f"{found.with_fraction} prices have a fraction or a currency: all were read as dirhams, not fils")
    else:
        run.note(
            f"{found.with_fraction} prices have a fraction or a currency, and neither fils nor dirhams fit what the "
            "brand or others cost: no price was taken; check the actor's output"
        )
    return unit
