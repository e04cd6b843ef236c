"""Who publishes a brand, and the publications of it: begun, merged, settled or abandoned.

What they carry is in `incoming.py`, what they do to the catalogue in `catalog.py`.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg.types.json import Jsonb

from unde_catalog.stores.db.database import Cursor

_KEPT = timedelta(days=90)  # what was published when, for whoever asks


class PublicationTakenOver(RuntimeError):
    """The brand is no longer ours: the lease ran out and another run publishes it."""

    def __init__(self) -> None:
        super().__init__("another run took the brand over, since this one was silent for longer than its lease")


@dataclass(frozen=True, slots=True)
class Claim:
    """A brand in hand under `token`; its availability is published up to `availability_to`."""

    brand: str
    token: str
    lease: timedelta
    availability_to: datetime | None


def claim(cursor: Cursor, brand: str, root_run: str, lease: timedelta) -> Claim | None:
    """Take the brand in hand; None while another worker has it.

    A retry of the run that had it need not wait for the lease to run out: that one is known to be dead.
    """
    token = uuid.uuid4().hex
    # clock_timestamp: a merge that held the row up was not over when this transaction began.
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
    """Keep the brand for another while, and others from claiming it until this transaction ends.

    Raises `PublicationTakenOver`.
    """
    cursor.execute(
        "UPDATE catalog_brands SET leased_until = clock_timestamp() + %s WHERE brand = %s AND lease_token = %s",
        (claim.lease, claim.brand, claim.token),
    )
    if cursor.rowcount != 1:
        raise PublicationTakenOver


def release(cursor: Cursor, claim: Claim) -> None:
    """Let the next one have the brand."""
    cursor.execute(
        "UPDATE catalog_brands SET lease_token = NULL, leased_until = NULL WHERE brand = %s AND lease_token = %s",
        (claim.brand, claim.token),
    )


def begin(cursor: Cursor, claim: Claim) -> int:
    """A new publication of the brand; those of it that never got through, and very old ones, are cleared away."""
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
    """Throw away what was to be published and was not merged."""
    renew(cursor, claim)
    cursor.execute(
        "UPDATE catalog_publications SET state = 'abandoned' WHERE brand = %s AND state = 'open' RETURNING id",
        (claim.brand,),
    )
    for row in cursor.fetchall():
        clear(cursor, row["id"])


def merged(cursor: Cursor, publication: int, counts: Mapping[str, int], availability_to: datetime | None) -> None:
    """Write, with the merge itself, that it is done; a publication that carried nothing leaves no trace."""
    cursor.execute(
        "UPDATE catalog_publications SET state = 'merged', merged_at = now(), counts = %s WHERE id = %s"
        " RETURNING brand",
        (Jsonb(dict(counts)), publication),
    )
    row = cursor.fetchone()
    assert row is not None  # begun by us, and the brand is ours
    cursor.execute(
        "UPDATE catalog_brands SET published_at = now(), availability_to = coalesce(%s, availability_to)"
        " WHERE brand = %s",
        (availability_to, row["brand"]),
    )


def unsettled(cursor: Cursor, claim: Claim) -> list[int]:
    """Publications of the brand that are merged, but staging has not been told of all of it."""
    cursor.execute(
        "SELECT id FROM catalog_publications WHERE brand = %s AND state = 'merged' ORDER BY id", (claim.brand,)
    )
    return [row["id"] for row in cursor.fetchall()]


def settled(cursor: Cursor, claim: Claim, publication: int) -> None:
    """Staging knows: the publication is over, and forgotten if it changed nothing."""
    renew(cursor, claim)
    clear(cursor, publication)
    cursor.execute(
        "DELETE FROM catalog_publications WHERE id = %s AND state = 'merged' AND counts = '{}'", (publication,)
    )
    cursor.execute(
        "UPDATE catalog_publications SET state = 'settled' WHERE id = %s AND state = 'merged'", (publication,)
    )


def clear(cursor: Cursor, publication: int) -> None:
    """Remove what a publication carried."""
    cursor.execute("DELETE FROM catalog_incoming_products WHERE publication_id = %s", (publication,))
    cursor.execute("DELETE FROM catalog_incoming_availability WHERE publication_id = %s", (publication,))
