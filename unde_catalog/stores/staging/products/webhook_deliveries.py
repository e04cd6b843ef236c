"""Webhook deliveries of sources: each is processed once, and makes products due.

Signatures are verified in `services/search/routes/webhook_signatures.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from psycopg.types.json import Jsonb

from unde_catalog.stores.db.database import Cursor
from unde_catalog.stores.staging.due_work import requeue

STAGE = "originals"  # its results make later stages due
_MAX_NAMED = 20  # unknown ids in a result


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """The result of a delivery: the numbers of known products, products made due, and unknown ids with the first ones.

    `repeated`: the delivery was processed before, with this result.
    """

    known: int
    due: int
    unknown: int
    unknown_ids: Sequence[str]
    repeated: bool = False


def announce(
    cursor: Cursor, digest: str, brand: str, delivery: str | None, external_ids: Sequence[str]
) -> DeliveryResult:
    """Make the photos of a brand's products due, once for each `digest` (a hash of the signature).

    Waits while another process processes the same delivery.
    """
    cursor.execute(
        "INSERT INTO webhook_deliveries (digest, brand, delivery, received_at) VALUES (%s, %s, %s, unde_now())"
        " ON CONFLICT (digest) DO NOTHING",
        (digest, brand, delivery),
    )
    if cursor.rowcount == 0:
        return _former_result(cursor, digest)
    known = requeue.product_ids_of(cursor, brand, external_ids)
    due = requeue.force(cursor, STAGE, brand, f"webhook {digest[:32]}", list(known.values()))
    unknown = [one for one in external_ids if one not in known]
    result = DeliveryResult(len(known), due, len(unknown), unknown[:_MAX_NAMED])
    cursor.execute(
        "UPDATE webhook_deliveries SET known = %s, due = %s, unknown = %s, unknown_ids = %s WHERE digest = %s",
        (result.known, result.due, result.unknown, Jsonb(result.unknown_ids), digest),
    )
    return result


def _former_result(cursor: Cursor, digest: str) -> DeliveryResult:
    cursor.execute("SELECT known, due, unknown, unknown_ids FROM webhook_deliveries WHERE digest = %s", (digest,))
    row = cursor.fetchone()
    assert row is not None  # rows are deleted long after repeated deliveries are refused for their age
    return replace(DeliveryResult(**row), repeated=True)
