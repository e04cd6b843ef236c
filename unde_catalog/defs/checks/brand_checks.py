"""Checks that look at all of a brand: once a day by the job `checks_daily`, and never with each run of a stage.

A stage runs up to four times an hour, and what a brand has and lacks does not change so fast. What the checks say is
decided in `quality/`; those about a single run are in `indexing.py` and `publishing.py`.
"""

from collections.abc import Callable, Iterator, Mapping

import dagster as dg

from unde_catalog.backends import Backends
from unde_catalog.defs.checks.results import brand_check, brand_of, result
from unde_catalog.defs.resources import BackendsResource
from unde_catalog.defs.run_metadata import fail_in_one_sentence
from unde_catalog.operations.quality import coverage, due_marks, failures, prices, same_photo, scrape
from unde_catalog.operations.quality.result import CheckResult
from unde_catalog.stage_specs import DUE_STAGES, STAGE_SPECS
from unde_catalog.stages.configured import why_not_configured
from unde_catalog.stores.staging.index import counts
from unde_catalog.stores.staging.photos import duplicates
from unde_catalog.stores.staging.reports import freshness, price_changes, quality

_FAILING_STAGES = [stage for stage in DUE_STAGES if not STAGE_SPECS[stage].recurs]  # those that recur: `system.py`
Look = Callable[[Backends, str], CheckResult]


def _coverage(stage: str) -> Look:
    return lambda backends, brand: coverage.coverage(
        stage, brand, backends.db.run(quality.coverage, stage, brand), backends.settings
    )


def _failures(stage: str) -> Look:
    return lambda backends, brand: failures.failures(
        stage, brand, backends.db.run(quality.failures, stage, brand, failures.LASTING), backends.settings
    )


def _marks(stage: str) -> Look:
    return lambda backends, brand: due_marks.due_marks(
        stage, brand, backends.db.run(quality.mark_figures, stage, brand)
    )


def _prices(backends: Backends, brand: str) -> CheckResult:
    found = backends.db.run(price_changes.price_changes, brand, backends.settings.check_price_factor)
    return prices.prices(brand, found, backends.settings)


def _same_photo(backends: Backends, brand: str) -> CheckResult:
    return same_photo.same_photo(brand, backends.db.run(duplicates.same_photos, brand), backends.settings)


def _vanished(backends: Backends, brand: str) -> CheckResult:
    return scrape.vanished(brand, backends.db.run(freshness.last_scrape, brand), backends.settings.scrape_min_share)


def _index(backends: Backends, brand: str) -> CheckResult:
    from unde_catalog.operations.quality.visual_index import index_agrees, not_counted
    from unde_catalog.stages.visual_index.open_store import open_mirror
    from unde_catalog.stages.visual_index.vector_store import VectorStoreUnavailable

    found = backends.db.run(counts.counts, brand)
    try:
        mirror = open_mirror(backends)
        mirrored = None if mirror is None or found.serving is None else mirror.count(found.serving, brand)
    except VectorStoreUnavailable as down:
        return not_counted(brand, str(down))
    return index_agrees(brand, found, mirrored)


def _collection(backends: Backends, brand: str) -> CheckResult:
    # Here, as they bring the HTTP client along, which the code location does not need.
    from unde_catalog.operations.quality.collection import check_collection
    from unde_catalog.stages.ximilar_index.open import SharedPace, open_ximilar

    settings = backends.settings
    api = open_ximilar(settings, SharedPace(backends.db, settings.ximilar_rate_limit), tries=2)
    if api is None:
        return CheckResult(True, why_not_configured("ximilar_index", brand, settings) or "")
    return check_collection(api, backends.db, brand)


# By asset and name: what it looks at, and what it means.
_CHECKS: Mapping[tuple[str, str], tuple[Look, str]] = {
    ("raw_products", "vanished_products"): (
        _vanished,
        "The last scrape saw at least SCRAPE_MIN_SHARE of the brand. Of a broken one nothing is marked inactive.",
    ),
    ("raw_products", "price_outliers"): (
        _prices,
        "No price moved by more than CHECK_PRICE_FACTOR in two weeks; by a hundredfold, fils are read as dirhams.",
    ),
    ("originals", "same_photo"): (
        _same_photo,
        "No photo is a placeholder on many products, and few products share one, byte for byte.",
    ),
    ("ximilar_index", "collection_agrees"): (
        _collection,
        "Ximilar's collection holds as many records as were written down, and those of the brand that are asked for.",
    ),
    ("visual_index", "index_agrees"): (
        _index,
        "Each stored photo in the index's scope is in the index as it is now, and nothing else; Qdrant agrees if used.",
    ),
    **{
        (stage, "coverage"): (
            _coverage(stage),
            f"CHECK_MIN_COVERAGE of the active products {coverage.HAVE[stage]}; what waits for its turn is left out.",
        )
        for stage in quality.COVERED_STAGES
    },
    **{
        (stage, "failures"): (
            _failures(stage),
            "Nothing has failed for longer than three days, and no more than CHECK_MAX_FAILING_SHARE fails now.",
        )
        for stage in _FAILING_STAGES
    },
    **{
        (stage, "due_marks"): (
            _marks(stage),
            "What the status columns say is to be done is due for somebody; a red one means written past the triggers.",
        )
        for stage in quality.MARKED_STAGES
    },
}

BRAND_CHECKS = [brand_check(name, asset, meaning) for (asset, name), (_, meaning) in _CHECKS.items()]


@dg.multi_asset_check(name="check_brand", specs=BRAND_CHECKS, can_subset=True)
def brand_checks(
    context: dg.AssetCheckExecutionContext, backends: dg.ResourceParam[BackendsResource]
) -> Iterator[dg.AssetCheckResult]:
    """All that must hold of a brand's data; one step, as each costs more to start than to look."""
    brand = brand_of(context)
    with fail_in_one_sentence(f"the checks of {brand} could not begin"), backends.open() as opened:
        for key in sorted(context.selected_asset_check_keys, key=str):
            check, _ = _CHECKS[key.asset_key.to_user_string(), key.name]
            yield result(key, check(opened, brand))
