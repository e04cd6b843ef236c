"""`scraper_logs`: one row per run of a stage. Other systems read it; see `docs/reference/schema.md`."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Literal

from psycopg.types.json import Jsonb

from unde_catalog.stores.db.database import Cursor

SIGN_OF_LIFE = timedelta(minutes=1)  # how often a run writes one
_DEAD_AFTER = timedelta(minutes=15)  # without one; a run that only was suspended writes its real end later
_KILLED = (
    "killed: its process ended without a word; what it had finished is kept, and the rest is due again when its leases "
    "have ended"
)

RunStatus = Literal["running", "success", "error"]


def begin(cursor: Cursor, stage: str, brand: str, run_id: str) -> int:
    """Write that a run began; returns the row's id."""
    cursor.execute(
        "INSERT INTO scraper_logs (scraper_name, run_id, status, started_at, alive_at)"
        " VALUES (%s, %s, 'running', unde_now(), unde_now()) RETURNING id",
        (f"{stage}_{brand}", run_id),
    )
    row = cursor.fetchone()
    assert row is not None  # RETURNING of one inserted row
    return row["id"]


def is_alive(cursor: Cursor, log_id: int) -> None:
    """Write that a run is still alive."""
    cursor.execute("UPDATE scraper_logs SET alive_at = unde_now() WHERE id = %s AND status = 'running'", (log_id,))


def end_killed(cursor: Cursor, stage: str | None = None, brand: str | None = None) -> int:
    """End the runs that have shown no sign of life for 15 minutes, of one stage and brand or of all.

    Returns their number. Rows that another program wrote have no sign of life and stay.
    """
    cursor.execute(
        """
        UPDATE scraper_logs SET status = 'error', error_message = %(killed)s, completed_at = alive_at,
               duration_seconds = greatest(0, extract(epoch FROM alive_at - started_at))::integer
        WHERE status = 'running' AND alive_at < unde_now() - %(dead)s
          AND (%(name)s::text IS NULL OR scraper_name = %(name)s)
        """,
        {"killed": _KILLED, "dead": _DEAD_AFTER, "name": None if stage is None else f"{stage}_{brand}"},
    )
    return cursor.rowcount


def end(
    cursor: Cursor,
    log_id: int,
    status: RunStatus,
    *,
    fetched: int = 0,
    new: int = 0,
    updated: int = 0,
    errors: int = 0,
    error_message: str | None = None,
    metadata: Mapping[str, object] | None = None,
) -> None:
    """Write how a run ended."""
    cursor.execute(
        """
        UPDATE scraper_logs SET status = %s, records_fetched = %s, records_new = %s, records_updated = %s,
               records_errors = %s, error_message = %s, metadata = %s, completed_at = unde_now(),
               duration_seconds = greatest(0, extract(epoch FROM unde_now() - started_at))::integer
        WHERE id = %s
        """,
        (status, fetched, new, updated, errors, error_message, Jsonb(dict(metadata or {})), log_id),
    )


def last_note(cursor: Cursor, stage: str, brand: str) -> str:
    """The note of the last successful run of a stage; empty if there is none."""
    cursor.execute(
        "SELECT metadata->>'note' AS note FROM scraper_logs WHERE scraper_name = %s AND status = 'success'"
        " ORDER BY started_at DESC, id DESC LIMIT 1",
        (f"{stage}_{brand}",),
    )
    row = cursor.fetchone()
    return (row["note"] if row else None) or ""
