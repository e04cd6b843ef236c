"""When a stage of a brand last succeeded, how long products have been due for it, and how the last scrape ended.

The limits are in `stage_specs.py`, the checks in `operations/quality/`.
"""

from dataclasses import dataclass
from datetime import timedelta

from unde_catalog.stores.db.database import Cursor


@dataclass(frozen=True, slots=True)
class StageTimes:
    """The state of a stage of a brand. Ages are relative to now; None means never, or nothing.

    `succeeded`: the age of the last success. `error`: that of the last run, if it failed. `waiting`: for how long the
    oldest product has been due that is not leased. `leased`: due products that are leased. `products`: those on sale.
    """

    succeeded: timedelta | None
    error: str | None
    waiting: timedelta | None
    leased: int
    products: int


@dataclass(frozen=True, slots=True)
class LastScrape:
    """The result of the last scrape of a brand: it saw `seen` of `active` products and marked `vanished` inactive."""

    state: str
    reason: str | None
    seen: int
    rejected: int
    vanished: int
    active: int


def stage_times(cursor: Cursor, stage: str, brand: str) -> StageTimes:
    """The state of a stage; reads its due rows, and its rows of `scraper_logs` (some thousands)."""
    cursor.execute(
        """
        WITH log AS (
            SELECT status, completed_at, error_message FROM scraper_logs
            WHERE scraper_name = %(name)s AND status <> 'running' ORDER BY started_at DESC, id DESC LIMIT 1
        )
        SELECT unde_now() - (SELECT max(completed_at) FROM scraper_logs
                             WHERE scraper_name = %(name)s AND status = 'success') AS succeeded,
               (SELECT error_message FROM log WHERE status = 'error') AS error,
               (SELECT unde_now() - min(due_at) FROM due_work
                WHERE stage = %(stage)s AND brand = %(brand)s AND due_at <= unde_now()
                  AND (leased_until IS NULL OR leased_until <= unde_now())) AS waiting,
               (SELECT count(*) FROM due_work
                WHERE stage = %(stage)s AND brand = %(brand)s AND due_at <= unde_now()
                  AND leased_until > unde_now()) AS leased,
               (SELECT count(*) FROM raw_products WHERE brand = %(brand)s AND active) AS products
        """,
        {"stage": stage, "brand": brand, "name": f"{stage}_{brand}"},
    )
    row = cursor.fetchone()
    assert row is not None  # a row without a table
    return StageTimes(**row)


def last_scrape(cursor: Cursor, brand: str) -> LastScrape | None:
    """The newest finished scrape; None before the first."""
    cursor.execute(
        """
        SELECT s.state, s.reason, s.seen, s.rejected, v.vanished,
               v.vanished + (SELECT count(*) FROM raw_products WHERE brand = %(brand)s AND active) AS active
        FROM scrapes s CROSS JOIN LATERAL (SELECT coalesce((s.counts->>'vanished')::int, 0) AS vanished) AS v
        WHERE s.brand = %(brand)s AND s.state IN ('complete', 'partial', 'failed')
        ORDER BY s.started_at DESC, s.id DESC LIMIT 1
        """,
        {"brand": brand},
    )
    row = cursor.fetchone()
    return LastScrape(**row) if row else None
