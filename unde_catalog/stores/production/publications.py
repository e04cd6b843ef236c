"""Which run publishes a brand, and its publications: open, merged, settled or abandoned.

Their incoming rows are in `incoming.py`, the merge is in `catalog.py`.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg.types.json import Jsonb

from unde_catalog.stores.db.database import Cursor

_KEPT = timedelta(days=90)  # the history of publications


class PublicationTakenOver(RuntimeError):
    """The lease expired, and another run publishes the brand."""

    def __init__(self) -> None:
        super().__init__("another run took over the brand because this run did not renew its lease in time")


@dataclass(frozen=True, slots=True)
class Claim:
    """A lease of a brand under `token`; its availability is published up to `availability_to`."""

    brand: str
    token: str
    lease: timedelta
    availability_to: datetime | None


def claim(cursor: Cursor, brand: str, root_run: str, lease: timedelta) -> Claim | None:
    """Lease the brand; None while another run has it.

    A retry of the run that has it does not wait for the lease to expire: the earlier attempt is dead.
    """
    token = uuid.uuid4().hex
    # clock_timestamp: this transaction may have waited for a merge that had the row locked.
    cursor.execute(
        """
        INSERT INTO catalog_brands AS b (brand, lease_token, leased_until, asked_by)
        VALUES (%(brand)s, %(token)s, clock_timestamp() + %(lease)s, %(root_run)s)
        ON CONFLICT (brand) DO UPDATE SET
            lease_token = excluded.lease_token, leased_until = clock_timestamp() + %(lease)s,
            asked_by = excluded.asked_by
            WHERE b.lease_token IS NULL OR b.leased_until <= clock_timestamp() OR b.asked_by = excluded.asked_by
        RETURNING availability_to
        """,
        {"brand": brand, "token": token, "lease": lease, "root_run": root_run or None},
    )
    row = cursor.fetchone()
    return Claim(brand, token, lease, row["availability_to"]) if row else None


def renew(cursor: Cursor, claim: Claim) -> None:
    """Renew the lease, and keep other runs from claiming the brand until this transaction ends.

    Raises `PublicationTakenOver`.
    """
    cursor.execute(
        "UPDATE catalog_brands SET leased_until = clock_timestamp() + %s WHERE brand = %s AND lease_token = %s",
        (claim.lease, claim.brand, claim.token),
    )
    if cursor.rowcount != 1:
        raise PublicationTakenOver


def release(cursor: Cursor, claim: Claim) -> None:
    """Release the brand."""
    cursor.execute(
        "UPDATE catalog_brands SET lease_token = NULL, leased_until = NULL WHERE brand = %s AND lease_token = %s",
        (claim.brand, claim.token),
    )


def begin(cursor: Cursor, claim: Claim) -> int:
    """Open a new publication of the brand, and clear open and very old ones; returns its id."""
    renew(cursor, claim)
    abandon_open(cursor, claim)
    cursor.execute(
        "DELETE FROM catalog_publications WHERE brand = %s AND started_at < now() - %s AND state <> 'merged'",
        (claim.brand, _KEPT),
    )
    cursor.execute(
        "INSERT INTO catalog_publications (brand, state) VALUES (%s, 'open') RETURNING id",
        (claim.brand,),
    )
    row = cursor.fetchone()
    assert row is not None  # RETURNING of one inserted row
    return row["id"]


def abandon_open(cursor: Cursor, claim: Claim) -> None:
    """Abandon publications that were not merged."""
    renew(cursor, claim)
    cursor.execute(
        "UPDATE catalog_publications SET state = 'abandoned' WHERE brand = %s AND state = 'open' RETURNING id",
        (claim.brand,),
    )
    for row in cursor.fetchall():
        clear(cursor, row["id"])


def merged(cursor: Cursor, publication: int, counts: Mapping[str, int], availability_to: datetime | None) -> None:
    """Mark a publication as merged, in the transaction of the merge."""
    cursor.execute(
        "UPDATE catalog_publications SET state = 'merged', merged_at = now(), counts = %s WHERE id = %s"
        " RETURNING brand",
        (Jsonb(dict(counts)), publication),
    )
    row = cursor.fetchone()
    assert row is not None  # it is open, and the brand is leased by this run
    cursor.execute(
        "UPDATE catalog_brands SET published_at = now(), availability_to = coalesce(%s, availability_to)"
        " WHERE brand = %s",
        (availability_to, row["brand"]),
    )


def unsettled(cursor: Cursor, claim: Claim) -> list[int]:
    """Publications of the brand that are merged, but whose outcomes are not all written to staging."""
    cursor.execute(
        "SELECT id FROM catalog_publications WHERE brand = %s AND state = 'merged' ORDER BY id", (claim.brand,)
    )
    return [row["id"] for row in cursor.fetchall()]


def settled(cursor: Cursor, claim: Claim, publication: int) -> None:
    """Mark a publication as settled: all outcomes are in staging. Deletes it if it changed nothing."""
    renew(cursor, claim)
    clear(cursor, publication)
    cursor.execute(
        "DELETE FROM catalog_publications WHERE id = %s AND state = 'merged' AND counts = '{}'", (publication,)
    )
    cursor.execute(
        "UPDATE catalog_publications SET state = 'settled' WHERE id = %s AND state = 'merged'", (publication,)
    )


def clear(cursor: Cursor, publication: int) -> None:
    """Delete the incoming rows of a publication."""
    cursor.execute("DELETE FROM catalog_incoming_products WHERE publication_id = %s", (publication,))
    cursor.execute("DELETE FROM catalog_incoming_availability WHERE publication_id = %s", (publication,))
