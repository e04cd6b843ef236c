"""Whether products on sale have their photos, their collage and their place in an index.

Only products that had their turn are judged. Products that wait for their first attempt are no fault; the check
`fresh` (`freshness.py`) fails where they wait too long.
"""

from collections.abc import Mapping

from unde_catalog.operations.quality.result import CheckResult, fraction, such_as
from unde_catalog.settings.checks import CheckFields
from unde_catalog.stores.staging.reports.quality import CoverageFigures

HAVE: Mapping[str, str] = {
    "originals": "have a stored photo",
    "collages": "with photos have a collage",
    "ximilar_index": "of the pilot are indexed",
    "visual_index": "in the index's scope can be found by their photos",
}
_TOO_FEW = 10  # with fewer products a share has no meaning


def coverage(stage: str, brand: str, now: CoverageFigures, limits: CheckFields) -> CheckResult:
    """At least `CHECK_MIN_COVERAGE` of the active products that had their turn have the stage's result."""
    lacking = now.given_up + now.failing + now.not_due
    covered = fraction(now.covered, now.covered + lacking)
    message = f"{now.covered} of {now.applicable} products {HAVE[stage]}."
    if now.to_come:
        message += f" {now.to_come} wait for their first attempt."
    figures = {
        "applicable": now.applicable, "covered": now.covered, "to_come": now.to_come, "failing": now.failing,
        "given_up": now.given_up, "share": round(covered, 4),
    }  # fmt: skip
    if now.covered + lacking < _TOO_FEW or covered >= limits.check_min_coverage:
        return CheckResult(True, message, figures=figures)
    message += f" Coverage is {covered:.1%}; CHECK_MIN_COVERAGE is {limits.check_min_coverage:.0%}."
    if now.not_due > now.given_up + now.failing:
        message += f" {now.not_due} should be due and are not{such_as(now.examples)}: see the check due_marks."
    else:
        message += (
            f" {now.given_up} were given up and {now.failing} fail{such_as(now.examples)}: see the check failures. "
            f"When the cause is fixed, run {stage} of {brand} with retry_failed."
        )
    return CheckResult(False, message, figures=figures)
