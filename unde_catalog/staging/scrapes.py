"""Scrapes: what was asked of a source, paid for once, and how far reading it got."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from unde_catalog.staging.database import Cursor

EndState = Literal["complete", "partial", "failed"]


@dataclass(frozen=True, slots=True)
class Scrape:
    """A scrape in hand under `token`; `run_id` is None until a start was answered."""

    id: int
    token: str
    run_id: str | None
    dataset_id: str | None
    started_at: datetime
    resumed: bool


def fresh_one(cursor: Cursor, brand: str, younger_than: timedelta, root_run: str | None) -> datetime | None:
    """When the last complete scrape began, if it is that young; with `root_run`, only one which that run forced."""
    cursor.execute(
        """
        SELECT max(started_at) AS started_at FROM scrapes
        WHERE brand = %(brand)s AND state = 'complete' AND started_at > unde_now() - %(age)s
          AND (%(root_run)s::text IS NULL OR asked_by = %(root_run)s)
        """,
        {"brand": brand, "age": younger_than, "root_run": root_run},
    )
    row = cursor.fetchone()
    return row["started_at"] if row else None


def claim(cursor: Cursor, brand: str, root_run: str, lease: timedelta, abandon_after: timedelta) -> Scrape | None:
    """The brand's open scrape, or a new one; None while another worker has it in hand.

    The row is the intent: it is on disk before anything is asked of the source.
    """
    cursor.execute("SET LOCAL synchronous_commit = on")
    cursor.execute(
        "UPDATE scrapes SET state = 'failed', reason = 'abandoned', finished_at = unde_now()"
        " WHERE brand = %s AND state IN ('intended', 'running') AND started_at < unde_now() - %s"
        " AND (leased_until IS NULL OR leased_until <= unde_now())",
        (brand, abandon_after),
    )
    token = uuid.uuid4().hex
    cursor.execute(
        """
        INSERT INTO scrapes AS s (brand, state, lease_token, leased_until, started_at, asked_by)
        VALUES (%(brand)s, 'intended', %(token)s, unde_now() + %(lease)s, unde_now(), %(root_run)s)
        ON CONFLICT (brand) WHERE state IN ('intended', 'running') DO UPDATE SET
            lease_token = excluded.lease_token, leased_until = excluded.leased_until, asked_by = excluded.asked_by
            WHERE s.leased_until IS NULL OR s.leased_until <= unde_now()
        RETURNING id, apify_run_id, dataset_id, started_at, xmax <> 0 AS resumed
        """,
        {"brand": brand, "token": token, "lease": lease, "root_run": root_run},
    )
    row = cursor.fetchone()
    if row is None:
        return None
    return Scrape(row["id"], token, row["apify_run_id"], row["dataset_id"], row["started_at"], row["resumed"])


def unread(cursor: Cursor, run_ids: Sequence[str]) -> list[str]:
    """Those of some Apify run ids that no scrape has to do with."""
    cursor.execute(
        "SELECT run_id FROM unnest(%s::text[]) WITH ORDINALITY AS u (run_id, n)"
        " WHERE NOT EXISTS (SELECT 1 FROM scrapes s WHERE s.apify_run_id = u.run_id) ORDER BY n",
        (list(run_ids),),
    )
    return [row["run_id"] for row in cursor.fetchall()]


def begun(cursor: Cursor, scrape: Scrape, run_id: str, dataset_id: str) -> bool:
    """Write which run answers this scrape; False when the scrape is no longer ours."""
    cursor.execute("SET LOCAL synchronous_commit = on")
    cursor.execute(
        "UPDATE scrapes SET state = 'running', apify_run_id = %s, dataset_id = %s WHERE id = %s AND lease_token = %s",
        (run_id, dataset_id, scrape.id, scrape.token),
    )
    return cursor.rowcount == 1


def renew(cursor: Cursor, scrape: Scrape, lease: timedelta) -> bool:
    """Keep the scrape in hand for another while; False when it is no longer ours."""
    cursor.execute(
        "UPDATE scrapes SET leased_until = unde_now() + %s WHERE id = %s AND lease_token = %s",
        (lease, scrape.id, scrape.token),
    )
    return cursor.rowcount == 1


def let_go(cursor: Cursor, scrape: Scrape) -> None:
    """Leave the scrape open for the next one to go on with."""
    cursor.execute(
        "UPDATE scrapes SET lease_token = NULL, leased_until = NULL WHERE id = %s AND lease_token = %s",
        (scrape.id, scrape.token),
    )


def end(cursor: Cursor, scrape: Scrape, state: EndState, seen: int, rejected: int, reason: str | None = None) -> None:
    """Close the scrape."""
    cursor.execute(
        "UPDATE scrapes SET state = %s, seen = %s, rejected = %s, reason = %s, finished_at = unde_now(),"
        " lease_token = NULL, leased_until = NULL WHERE id = %s AND lease_token = %s",
        (state, seen, rejected, reason, scrape.id, scrape.token),
    )
