"""Checks that read all data of a brand; the job `brand_checks` evaluates them once a day.

They are not part of a stage's runs: a stage runs up to four times an hour. Checks about a single run are in
`ximilar.py` and `publishing.py`; the rules are in `operations/quality/`.
"""

from collections.abc import Callable, Iterator, Mapping

import dagster as dg

from unde_catalog.backends import Backends
from unde_catalog.defs.checks.results import brand_check, brand_of, check_result
from unde_catalog.defs.resources import BackendsResource
from unde_catalog.defs.run_metadata import fail_in_one_sentence
from unde_catalog.operations.quality import blank_photos, coverage, due_marks, failures, prices, same_photo, scrape
from unde_catalog.operations.quality.result import CheckResult
from unde_catalog.stage_specs import DUE_STAGES, STAGE_SPECS
from unde_catalog.stages.configured import why_not_configured
from unde_catalog.stores.objects.objects import StorageUnavailable
from unde_catalog.stores.staging.index import counts
from unde_catalog.stores.staging.photos import blanks, duplicates
from unde_catalog.stores.staging.reports import freshness, price_changes, quality

_FAILING_STAGES = [stage for stage in DUE_STAGES if not STAGE_SPECS[stage].recurs]  # recurring ones: `system.py`
Evaluate = Callable[[Backends, str], CheckResult]


def _coverage(stage: str) -> Evaluate:
    return lambda backends, brand: coverage.coverage(
        stage, brand, backends.db.run(quality.coverage, stage, brand), backends.settings
    )


def _failures(stage: str) -> Evaluate:
    return lambda backends, brand: failures.failures(
        stage, brand, backends.db.run(quality.failures, stage, brand, failures.LASTING), backends.settings
    )


def _due_marks(stage: str) -> Evaluate:
    return lambda backends, brand: due_marks.due_marks(
        stage, brand, backends.db.run(quality.mark_figures, stage, brand)
    )


def _prices(backends: Backends, brand: str) -> CheckResult:
    changes = backends.db.run(price_changes.price_changes, brand, backends.settings.check_price_factor)
    return prices.prices(brand, changes, backends.settings)


def _same_photo(backends: Backends, brand: str) -> CheckResult:
    return same_photo.same_photo(brand, backends.db.run(duplicates.same_photos, brand), backends.settings)


def _blank_photos(backends: Backends, brand: str) -> CheckResult:
    try:
        return blank_photos.blank_photos(backends.db.run(blanks.small_photos, brand), lambda: backends.store)
    except StorageUnavailable as down:
        return blank_photos.not_read(str(down))


def _vanished(backends: Backends, brand: str) -> CheckResult:
    return scrape.vanished(brand, backends.db.run(freshness.last_scrape, brand), backends.settings.scrape_min_share)


def _index(backends: Backends, brand: str) -> CheckResult:
    from unde_catalog.operations.quality.visual_index import index_agrees, not_counted
    from unde_catalog.stages.visual_index.open_store import open_mirror
    from unde_catalog.stages.visual_index.vector_store import VectorStoreUnavailable

    embedded = backends.db.run(counts.counts, brand)
    try:
        mirror = open_mirror(backends)
        mirrored = None if mirror is None or embedded.serving is None else mirror.count(embedded.serving, brand)
    except VectorStoreUnavailable as down:
        return not_counted(brand, str(down))
    return index_agrees(brand, embedded, mirrored)


def _collection(backends: Backends, brand: str) -> CheckResult:
    # Imported here: they import the HTTP client, which the code location does not need.
    from unde_catalog.operations.quality.collection import check_collection
    from unde_catalog.stages.ximilar_index.open import SharedPace, open_ximilar

    settings = backends.settings
    api = open_ximilar(settings, SharedPace(backends.db, settings.ximilar_rate_limit), tries=2)
    if api is None:
        return CheckResult(True, why_not_configured("ximilar_index", brand, settings) or "")
    return check_collection(api, backends.db, brand)


# By asset and name: the rule, and its description.
_CHECKS: Mapping[tuple[str, str], tuple[Evaluate, str]] = {
    ("raw_products", "vanished_products"): (
        _vanished,
        "The last scrape listed at least SCRAPE_MIN_SHARE of the brand's active products. A scrape that lists fewer "
        "marks no product inactive.",
    ),
    ("raw_products", "price_outliers"): (
        _prices,
        "No price changed by more than CHECK_PRICE_FACTOR within two weeks. A factor of 100 means that fils are read "
        "as dirhams.",
    ),
    ("originals", "same_photo"): (
        _same_photo,
        "No photo is a placeholder on many products, and few products share a photo, byte by byte.",
    ),
    ("originals", "blank_photos"): (
        _blank_photos,
        "No stored photo has one colour only, as a wholly transparent picture has after it is put on white.",
    ),
    ("ximilar_index", "collection_agrees"): (
        _collection,
        "Ximilar's collection has as many records as the catalogue has sent, and the sampled records of the brand.",
    ),
    ("visual_index", "index_agrees"): (
        _index,
        "The index contains every stored photo in its scope in its current version and nothing else; if Qdrant is "
        "used, it agrees.",
    ),
    **{
        (stage, "coverage"): (
            _coverage(stage),
            f"At least CHECK_MIN_COVERAGE of the active products {coverage.HAVE[stage]}. Products that wait for their "
            "first attempt do not count.",
        )
        for stage in quality.COVERED_STAGES
    },
    **{
        (stage, "failures"): (
            _failures(stage),
            "No product has failed for longer than three days, and at most CHECK_MAX_FAILING_SHARE of the products "
            "fail now.",
        )
        for stage in _FAILING_STAGES
    },
    **{
        (stage, "due_marks"): (
            _due_marks(stage),
            "All work that the status columns announce is due. The check fails when rows were written past the "
            "triggers.",
        )
        for stage in quality.MARKED_STAGES
    },
}

BRAND_CHECKS = [brand_check(name, asset, description) for (asset, name), (_, description) in _CHECKS.items()]


@dg.multi_asset_check(name="check_brand", specs=BRAND_CHECKS, can_subset=True)
def brand_checks(
    context: dg.AssetCheckExecutionContext, backends: dg.ResourceParam[BackendsResource]
) -> Iterator[dg.AssetCheckResult]:
    """Evaluates the checks of a brand's data in one step, because starting a step costs more than evaluating one."""
    brand = brand_of(context)
    with fail_in_one_sentence(f"the checks of {brand} could not start"), backends.open() as opened:
        for key in sorted(context.selected_asset_check_keys, key=str):
            evaluate, _ = _CHECKS[key.asset_key.to_user_string(), key.name]
            yield check_result(key, evaluate(opened, brand))
