"""Scrapes: their leases, the runs of the source, and how far their items were read."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from psycopg.types.json import Jsonb

from unde_catalog.stores.db.database import Cursor

EndState = Literal["complete", "partial", "failed"]

TOO_FEW_PRODUCTS = "too_few_products"  # why a scrape is partial whose source is faulty


class ScrapeTakenOver(RuntimeError):
    """The lease expired, and another run continues the scrape."""

    def __init__(self) -> None:
        super().__init__("another run took over the scrape because this run did not renew its lease in time")


@dataclass(frozen=True, slots=True)
class Scrape:
    """A leased scrape under `token`; `run_id` is None until the source has confirmed a run.

    `read_to`: the number of items read so far; `staged` of them are not merged yet. `counts` are those of all its
    runs. `place`: where reading continues, in a format of the source, for sources without item numbers.
    """

    id: int
    token: str
    run_id: str | None
    dataset_id: str | None
    started_at: datetime
    resumed: bool
    read_to: int = 0
    staged: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    place: str | None = None


def fresh_scrape(
    cursor: Cursor, brand: str, younger_than: timedelta, forced_by: str | None, whole_despite: str
) -> datetime | None:
    """The start of the last whole scrape younger than `younger_than`, with `forced_by` only of that run's.

    A partial scrape for the reason `whole_despite` was read to its end, too.
    """
    cursor.execute(
        """
        SELECT max(started_at) AS started_at FROM scrapes
        WHERE brand = %(brand)s AND started_at > unde_now() - %(age)s
          AND (state = 'complete' OR state = 'partial' AND reason = %(whole_despite)s)
          AND (%(forced_by)s::text IS NULL OR asked_by = %(forced_by)s)
        """,
        {"brand": brand, "age": younger_than, "forced_by": forced_by, "whole_despite": whole_despite},
    )
    row = cursor.fetchone()
    return row["started_at"] if row else None


def counts(cursor: Cursor, scrape_id: int) -> Mapping[str, int]:
    """The counts of a scrape, those of all its runs."""
    cursor.execute("SELECT counts FROM scrapes WHERE id = %s", (scrape_id,))
    row = cursor.fetchone()
    return row["counts"] if row else {}


def is_merging(cursor: Cursor, brand: str) -> bool:
    """Whether a scrape of the brand is being merged, so that the brand is partly old and partly new."""
    cursor.execute(
        "SELECT 1 FROM scrapes WHERE brand = %s AND state = 'running' AND read_to > 0 AND leased_until > unde_now()",
        (brand,),
    )
    return cursor.fetchone() is not None


def why_outward_waits(cursor: Cursor, brand: str) -> str | None:
    """Why nothing of the brand may be billed or shown elsewhere now; None if nothing speaks against it.

    The products of a faulty scrape may be the old ones under other ids, and publishing waits, too.
    """
    if is_merging(cursor, brand):
        return "a scrape of this brand is being merged: the next run goes on"
    cursor.execute(
        "SELECT state, reason, seen FROM scrapes WHERE brand = %s AND state IN ('complete', 'partial')"
        " ORDER BY id DESC LIMIT 1",
        (brand,),
    )
    row = cursor.fetchone()
    if row is None or row["state"] == "complete" or row["reason"] != TOO_FEW_PRODUCTS:
        return None
    return (
        f"the last scrape saw only {row['seen']} of the brand's products: nothing is indexed until a scrape is whole; "
        "check its source and collect again"
    )


def claim(cursor: Cursor, brand: str, root_run: str, lease: timedelta, abandon_after: timedelta) -> Scrape | None:
    """Lease the brand's open scrape, or a new one; None while another worker has leased it.

    The row is the intent, so it is committed to disk before the source gets a request. A retry of the run that leased
    the scrape does not wait for the lease to expire, because Dagster retries a run only after it has died.
    """
    cursor.execute("SET LOCAL synchronous_commit = on")
    cursor.execute(
        "UPDATE scrapes SET state = 'failed', reason = 'abandoned', finished_at = unde_now()"
        " WHERE brand = %s AND state IN ('intended', 'running') AND started_at < unde_now() - %s"
        " AND (leased_until IS NULL OR leased_until <= unde_now())",
        (brand, abandon_after),
    )
    # A lease that ends later than possible: the server's clock was set back. Start the lease again.
    cursor.execute(
        "UPDATE scrapes SET leased_until = unde_now() + %(lease)s WHERE brand = %(brand)s"
        " AND state IN ('intended', 'running') AND leased_until > unde_now() + %(lease)s + interval '1 minute'",
        {"brand": brand, "lease": lease},
    )
    token = uuid.uuid4().hex
    cursor.execute(
        """
        INSERT INTO scrapes AS s (brand, state, lease_token, leased_until, started_at, asked_by)
        VALUES (%(brand)s, 'intended', %(token)s, unde_now() + %(lease)s, unde_now(), %(root_run)s)
        ON CONFLICT (brand) WHERE state IN ('intended', 'running') DO UPDATE SET
            lease_token = excluded.lease_token, leased_until = excluded.leased_until, asked_by = excluded.asked_by
            WHERE s.leased_until IS NULL OR s.leased_until <= unde_now() OR s.asked_by = excluded.asked_by
        RETURNING id, apify_run_id, dataset_id, started_at, xmax <> 0 AS resumed, read_to, staged, counts,
                  place
        """,
        {"brand": brand, "token": token, "lease": lease, "root_run": root_run or None},
    )
    row = cursor.fetchone()
    if row is None:
        return None
    run_id = row.pop("apify_run_id")
    return Scrape(token=token, run_id=run_id, **row)


def find_adoptable(
    cursor: Cursor,
    brand: str,
    runs: Sequence[tuple[str, datetime]],
    younger_than: timedelta,
    failed: Sequence[str] = (),
) -> str | None:
    """The newest of these Apify runs (id, start) that is recent, unread and newer than all runs that were read.

    An older unread run would restore an older catalogue. `failed` runs are excluded.
    """
    cursor.execute(
        """
        WITH runs AS (
            SELECT r.id, r.started_at, s.state
            FROM unnest(%(ids)s::text[], %(starts)s::timestamptz[]) AS r (id, started_at)
                 LEFT JOIN scrapes s ON s.brand = %(brand)s AND s.apify_run_id = r.id
        )
        SELECT id FROM runs
        WHERE state IS NULL AND id <> ALL(%(failed)s) AND started_at > unde_now() - %(age)s
          AND started_at > coalesce((SELECT max(started_at) FROM runs WHERE state IN ('complete', 'partial')),
                                    '-infinity')
        ORDER BY started_at DESC LIMIT 1
        """,
        {
            "brand": brand,
            "ids": [id for id, _ in runs],
            "starts": [start for _, start in runs],
            "age": younger_than,
            "failed": list(failed),
        },
    )
    row = cursor.fetchone()
    return row["id"] if row else None


def mark_started(cursor: Cursor, scrape: Scrape, run_id: str | None, dataset_id: str | None) -> None:
    """Write, to disk, the run of this scrape, None if the source has no runs; raises `ScrapeTakenOver`."""
    cursor.execute("SET LOCAL synchronous_commit = on")
    cursor.execute(
        "UPDATE scrapes SET state = 'running', apify_run_id = %s, dataset_id = %s WHERE id = %s AND lease_token = %s",
        (run_id, dataset_id, scrape.id, scrape.token),
    )
    if cursor.rowcount != 1:
        raise ScrapeTakenOver


def renew(cursor: Cursor, scrape: Scrape, lease: timedelta) -> None:
    """Renew the lease; raises `ScrapeTakenOver`."""
    cursor.execute(
        "UPDATE scrapes SET leased_until = unde_now() + %s WHERE id = %s AND lease_token = %s",
        (lease, scrape.id, scrape.token),
    )
    if cursor.rowcount != 1:
        raise ScrapeTakenOver


def progress(
    cursor: Cursor,
    scrape: Scrape,
    lease: timedelta,
    read_to: int,
    staged: int,
    counts: Mapping[str, int],
    place: str | None = None,
) -> None:
    """Write the progress in the transaction that made it, and renew the lease; raises `ScrapeTakenOver`."""
    cursor.execute(
        "UPDATE scrapes SET read_to = %s, place = %s, staged = %s, counts = %s, leased_until = unde_now() + %s"
        " WHERE id = %s AND lease_token = %s",
        (read_to, place, staged, Jsonb(dict(counts)), lease, scrape.id, scrape.token),
    )
    if cursor.rowcount != 1:
        raise ScrapeTakenOver


def release(cursor: Cursor, scrape: Scrape) -> None:
    """Release the scrape, which stays open."""
    cursor.execute(
        "UPDATE scrapes SET lease_token = NULL, leased_until = NULL WHERE id = %s AND lease_token = %s",
        (scrape.id, scrape.token),
    )


def end(cursor: Cursor, scrape: Scrape, state: EndState, seen: int, rejected: int, reason: str | None = None) -> None:
    """Finish the scrape; raises `ScrapeTakenOver`."""
    cursor.execute(
        "UPDATE scrapes SET state = %s, seen = %s, rejected = %s, reason = %s, finished_at = unde_now(),"
        " lease_token = NULL, leased_until = NULL WHERE id = %s AND lease_token = %s",
        (state, seen, rejected, reason, scrape.id, scrape.token),
    )
    if cursor.rowcount != 1:
        raise ScrapeTakenOver
