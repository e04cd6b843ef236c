"""What the report reads of runs and scrapes: the last run of each stage and brand, rates, and changes by scrapes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from unde_catalog.stores.db.database import Cursor

_RUNS_OF_A_RATE = 5  # the last runs with work to do
_RATE_AGE = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class LastRun:
    """The last runs of a stage and brand.

    `succeeded_at`: the end of the last successful run that was configured and not paused. `ended_at`, `failed` and
    `message` (error or note) are of the last finished run.
    """

    stage: str
    brand: str
    succeeded_at: datetime | None
    ended_at: datetime | None
    failed: bool
    message: str


@dataclass(frozen=True, slots=True)
class Rate:
    """The rate of a stage and brand in its last runs in products a second, and when the last of them ended."""

    per_second: float
    ended_at: datetime


@dataclass(frozen=True, slots=True)
class Changes:
    """The products of a brand that scrapes changed."""

    new: int = 0
    changed: int = 0
    returned: int = 0
    vanished: int = 0


def last_runs(cursor: Cursor, stages: Sequence[str], brands: Sequence[str]) -> dict[tuple[str, str], LastRun]:
    """The last runs by (stage, brand), for all of them."""
    cursor.execute(
        """
        SELECT s.stage, b.brand, good.completed_at AS succeeded_at, last.completed_at AS ended_at,
               coalesce(last.status = 'error', false) AS failed,
               coalesce(last.error_message, last.metadata->>'note', '') AS message
        FROM unnest(%(stages)s::text[]) AS s (stage)
        CROSS JOIN unnest(%(brands)s::text[]) AS b (brand)
        LEFT JOIN LATERAL (
            SELECT l.status, l.completed_at, l.error_message, l.metadata FROM scraper_logs l
            WHERE l.scraper_name = s.stage || '_' || b.brand AND l.completed_at IS NOT NULL
            ORDER BY l.started_at DESC LIMIT 1
        ) AS last ON true
        LEFT JOIN LATERAL (
            SELECT l.completed_at FROM scraper_logs l
            WHERE l.scraper_name = s.stage || '_' || b.brand AND l.status = 'success'
              -- these runs did nothing
              AND coalesce(l.metadata->>'note', '') !~ '^(not configured|paused since)'
            ORDER BY l.started_at DESC LIMIT 1
        ) AS good ON true
        """,
        {"stages": list(stages), "brands": list(brands)},
    )
    return {(row["stage"], row["brand"]): LastRun(**row) for row in cursor.fetchall()}


def rates(cursor: Cursor, pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Rate]:
    """Rates by (stage, brand), for pairs with runs that had work to do within the last week."""
    cursor.execute(
        """
        SELECT t.stage, t.brand, (sum(r.handled) / greatest(sum(r.seconds), 0.001))::float8 AS per_second,
               max(r.completed_at) AS ended_at
        FROM unnest(%(stages)s::text[], %(brands)s::text[]) AS t (stage, brand)
        CROSS JOIN LATERAL (
            SELECT (l.metadata->>'done')::bigint + l.records_errors AS handled,
                   (l.metadata->>'seconds')::float8 AS seconds, l.completed_at
            FROM scraper_logs l
            WHERE l.scraper_name = t.stage || '_' || t.brand AND l.started_at > unde_now() - %(age)s
              AND l.completed_at IS NOT NULL AND (l.metadata->>'done')::bigint + l.records_errors > 0
            ORDER BY l.started_at DESC LIMIT %(runs)s
        ) AS r
        GROUP BY t.stage, t.brand
        """,
        {
            "stages": [stage for stage, _ in pairs],
            "brands": [brand for _, brand in pairs],
            "age": _RATE_AGE,
            "runs": _RUNS_OF_A_RATE,
        },
    )
    return {(row["stage"], row["brand"]): Rate(row["per_second"], row["ended_at"]) for row in cursor.fetchall()}


def changes(cursor: Cursor, since: timedelta) -> dict[str, Changes]:
    """Changes by brand, of the scrapes that ended within `since`."""
    cursor.execute(
        """
        SELECT brand,
               coalesce(sum((counts->>'new')::int), 0)::int AS new,
               coalesce(sum((counts->>'changed')::int), 0)::int AS changed,
               coalesce(sum((counts->>'returned')::int), 0)::int AS returned,
               coalesce(sum((counts->>'vanished')::int), 0)::int AS vanished
        FROM scrapes WHERE finished_at > unde_now() - %s GROUP BY brand
        """,
        (since,),
    )
    return {row.pop("brand"): Changes(**row) for row in cursor.fetchall()}
