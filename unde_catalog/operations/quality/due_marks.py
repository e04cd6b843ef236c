"""Whether status columns and due marks agree: what a status says is to be done must be due for somebody.

The triggers of `stores/staging/schema/due_rules.sql` keep them together; where they disagree, somebody bypassed them.
"""

from unde_catalog.operations.quality.result import CheckResult, named
from unde_catalog.stores.staging.reports.quality import MOST_COUNTED, MarkFigures
from unde_catalog.text import quantity


def due_marks(stage: str, brand: str, now: MarkFigures) -> CheckResult:
    """Nothing waits for a stage without being due for it, and nothing is due that has left the shop."""
    figures = {"without_mark": now.without_mark, "due_though_inactive": now.due_though_inactive}
    wrong = []
    if now.without_mark:
        wrong.append(
            f"{_at_least(now.without_mark)} by status for {stage} and due for nobody{named(now.examples)}: as the "
            "owner of the tables run the statement in `mend`"
        )
    if now.due_though_inactive:
        wrong.append(
            f"{_at_least(now.due_though_inactive)} for {stage} though inactive: the next run of {stage} clears that"
        )
    if not wrong:
        return CheckResult(True, f"status and due marks of {stage} agree", figures=figures)
    why = "somebody wrote past the triggers (session_replication_role, a restore of single tables)"
    mend = ""
    if now.without_mark:
        ids = ", ".join(map(str, now.example_ids))
        mend = f"SELECT make_due(id, brand, '{stage}') FROM raw_products WHERE id IN ({ids})"
    return CheckResult(False, f"{'; '.join(wrong)}. {why}", figures=figures, mend=mend)


def _at_least(number: int) -> str:
    return f"{quantity(number, 'product')} wait" if number < MOST_COUNTED else f"{MOST_COUNTED} products or more wait"
