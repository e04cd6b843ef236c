"""Whether status columns and due marks agree: work that a status announces must be due.

Triggers keep the two together (`stores/staging/schema/due_rules.sql`). They disagree only where somebody bypassed the
triggers.
"""

from unde_catalog.operations.quality.result import CheckResult, such_as
from unde_catalog.stores.staging.reports.quality import MAX_COUNTED, MarkFigures
from unde_catalog.text import quantity


def due_marks(stage: str, brand: str, now: MarkFigures) -> CheckResult:
    """No product waits for a stage without being due for it, and no inactive product is due."""
    figures = {"without_mark": now.without_mark, "due_though_inactive": now.due_though_inactive}
    wrong = []
    if now.without_mark:
        wrong.append(
            f"{_count(now.without_mark)} for {stage} by status but not due{such_as(now.examples)}: run the statement "
            "in the metadata as the owner of the tables."
        )
    if now.due_though_inactive:
        wrong.append(
            f"{_count(now.due_though_inactive)} for {stage} although inactive: the next run of {stage} clears that."
        )
    if not wrong:
        return CheckResult(True, f"Status columns and due marks of {stage} agree.", figures=figures)
    cause = "The triggers were bypassed (session_replication_role, a restore of single tables)."
    repair_sql = ""
    if now.without_mark:
        ids = ", ".join(map(str, now.example_ids))
        repair_sql = f"SELECT make_due(id, brand, '{stage}') FROM raw_products WHERE id IN ({ids})"
    return CheckResult(False, " ".join([*wrong, cause]), figures=figures, repair_sql=repair_sql)


def _count(number: int) -> str:
    if number >= MAX_COUNTED:
        return f"At least {MAX_COUNTED:,} products wait"
    return f"{quantity(number, 'product')} {'waits' if number == 1 else 'wait'}"
