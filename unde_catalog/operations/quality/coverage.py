"""Whether what is on sale has its photos, its collage and its place in the index.

Only products whose turn has come are judged: what waits for its first try is no fault (`freshness.py` sees if it waits
for too long).
"""

from collections.abc import Mapping

from unde_catalog.operations.quality.result import CheckResult, named, share
from unde_catalog.settings.checks import CheckFields
from unde_catalog.stores.staging.reports.quality import CoverageFigures

HAVE: Mapping[str, str] = {
    "originals": "have a stored photo",
    "collages": "with photos have a collage",
    "ximilar_index": "of the pilot are indexed",
    "visual_index": "in the index's scope can be found by their photos",
}
_FEW = 10  # products below which a share says nothing


def coverage(stage: str, brand: str, now: CoverageFigures, limits: CheckFields) -> CheckResult:
    """So many of the active products have what the stage makes; of those that had their turn."""
    lacking = now.given_up + now.failing + now.forgotten
    covered = share(now.covered, now.covered + lacking)
    told = f"{now.covered} of {now.wanted} products {HAVE[stage]}"
    if now.to_come:
        told += f", {now.to_come} wait for their turn"
    figures = {
        "wanted": now.wanted, "covered": now.covered, "to_come": now.to_come, "failing": now.failing,
        "given_up": now.given_up, "share": round(covered, 4),
    }  # fmt: skip
    if now.covered + lacking < _FEW or covered >= limits.check_min_coverage:
        return CheckResult(True, told, figures=figures)
    todo = (
        f"{now.given_up} are given up and {now.failing} fail{named(now.examples)}: look at the check failures beside "
        f"this one; when the cause is gone, run {stage} of {brand} with retry_failed"
    )
    if now.forgotten > now.given_up + now.failing:
        todo = f"{now.forgotten} are due for nobody{named(now.examples)}: look at the check due_marks beside this one"
    sentence = f"{told}, {covered:.1%} where CHECK_MIN_COVERAGE is {limits.check_min_coverage:.0%}; {todo}"
    return CheckResult(False, sentence, figures=figures)
