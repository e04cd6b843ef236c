"""`scraper_logs`: one row per run of a stage. Other systems read it; see `docs/reference/schema.md`."""

from collections.abc import Mapping
from typing import Literal

from psycopg.types.json import Jsonb

from unde_catalog.stores.db.database import Cursor

RunStatus = Literal["running", "success", "error"]


def begin(cursor: Cursor, stage: str, brand: str, run_id: str) -> int:
    """Write that a run began; returns the row's id."""
    cursor.execute(
        "INSERT INTO scraper_logs (scraper_name, run_id, status, started_at) VALUES (%s, %s, 'running', unde_now())"
        " RETURNING id",
        (f"{stage}_{brand}", run_id),
    )
    row = cursor.fetchone()
    assert row is not None  # RETURNING of one inserted row
    return row["id"]


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
