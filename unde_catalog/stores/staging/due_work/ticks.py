"""What schedules and sensors query before they decide: the time, and which brands have something to do or to retry.

The decisions are in `defs/automation/`.
"""

from collections.abc import Sequence
from datetime import datetime

from unde_catalog.stores.db.database import Cursor

MOST_TRIES = 4  # runs of a collection within a day, the first one included


def now(cursor: Cursor) -> datetime:
    """The time that all rules go by (`unde_now`)."""
    cursor.execute("SELECT unde_now() AS now")
    row = cursor.fetchone()
    assert row is not None  # a SELECT without FROM has one
    return row["now"]


def brands_with_due_work(cursor: Cursor, stage: str, brands: Sequence[str]) -> list[str]:
    """The brands that have something due and free now; costs the same however much it is."""
    cursor.execute(
        """
        SELECT brand FROM unnest(%(brands)s::text[]) WITH ORDINALITY AS b (brand, n)
        WHERE (  -- the oldest by the index; EXISTS would become a join that reads everything that is due
            SELECT true FROM due_work w
            WHERE w.stage = %(stage)s AND w.brand = b.brand AND w.due_at <= unde_now()
              AND (w.leased_until IS NULL OR w.leased_until <= unde_now())
            ORDER BY w.due_at
            LIMIT 1)
           OR (  -- later than any retry: the server's clock was turned back, and a run repairs that
            SELECT true FROM due_work w
            WHERE w.stage = %(stage)s AND w.brand = b.brand AND w.due_at > unde_now() + interval '26 hours'
              AND (w.leased_until IS NULL OR w.leased_until <= unde_now())
            ORDER BY w.due_at DESC
            LIMIT 1)
        ORDER BY n
        """,
        {"stage": stage, "brands": list(brands)},
    )
    return [row["brand"] for row in cursor.fetchall()]


def due_counts(cursor: Cursor, stage: str, brands: Sequence[str], at_most: int) -> dict[str, int]:
    """How many products of each brand are due and free now, counted up to `at_most`."""
    cursor.execute(
        """
        SELECT b.brand, n.products FROM unnest(%(brands)s::text[]) AS b (brand)
        CROSS JOIN LATERAL (
            SELECT count(*) AS products FROM (
                SELECT 1 FROM due_work w
                WHERE w.stage = %(stage)s AND w.brand = b.brand AND w.due_at <= unde_now()
                  AND (w.leased_until IS NULL OR w.leased_until <= unde_now())
                ORDER BY w.due_at
                LIMIT %(most)s) AS due
        ) AS n
        """,
        {"stage": stage, "brands": list(brands), "most": at_most},
    )
    return {row["brand"]: row["products"] for row in cursor.fetchall()}


def brands_to_retry(cursor: Cursor, stage: str, brands: Sequence[str]) -> list[str]:
    """The brands that have something due and free that failed before or was released.

    What was given up is not due. Costs at most as much as is due.
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


def brands_to_collect_again(cursor: Cursor, stage: str, brands: Sequence[str]) -> list[str]:
    """The brands whose last run of a stage without due work failed, or was killed, within the last day.

    Not after `MOST_TRIES` failures within a day: such a failure needs a person, and a failed task run costs money too.
    """
    cursor.execute(
        """
        SELECT brand FROM unnest(%(brands)s::text[]) WITH ORDINALITY AS b (brand, n)
        CROSS JOIN LATERAL (
            SELECT (array_agg(status ORDER BY started_at DESC, id DESC))[1] AS last,
                   count(*) FILTER (WHERE status <> 'success') AS failed
            FROM (SELECT id, status, started_at FROM scraper_logs
                  WHERE scraper_name = %(stage)s || '_' || b.brand AND started_at > unde_now() - interval '1 day'
                  ORDER BY started_at DESC, id DESC LIMIT %(most)s) AS runs
        ) AS r
        WHERE r.last <> 'success' AND r.failed < %(most)s
        ORDER BY n
        """,
        {"stage": stage, "brands": list(brands), "most": MOST_TRIES},
    )
    return [row["brand"] for row in cursor.fetchall()]
