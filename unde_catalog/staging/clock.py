"""What schedules and sensors ask of staging before they decide: the time, and which brands have failed work due.

Which brands have anything due is in `reports.py`; what follows from the answers is decided in `automation/`.
"""

from collections.abc import Sequence
from datetime import datetime

from unde_catalog.staging.database import Cursor


def now(cursor: Cursor) -> datetime:
    """The time that all rules about time go by."""
    cursor.execute("SELECT unde_now() AS now")
    row = cursor.fetchone()
    assert row is not None  # a SELECT without FROM has one
    return row["now"]


def brands_to_retry(cursor: Cursor, stage: str, brands: Sequence[str]) -> list[str]:
    """Those of the brands that have something due and free that failed before, or was handed back untouched.

    What was given up is not due. Costs what is due at the most.
    """
    cursor.execute(
        """
        SELECT brand FROM unnest(%(brands)s::text[]) WITH ORDINALITY AS b (brand, n)
        WHERE (
            SELECT true FROM due_work w
            WHERE w.stage = %(stage)s AND w.brand = b.brand AND w.due_at <= unde_now()
              AND (w.leased_until IS NULL OR w.leased_until <= unde_now())
              AND (w.attempts > 0 OR w.taken < 0)
            ORDER BY w.due_at
            LIMIT 1)
        ORDER BY n
        """,
        {"stage": stage, "brands": list(brands)},
    )
    return [row["brand"] for row in cursor.fetchall()]
