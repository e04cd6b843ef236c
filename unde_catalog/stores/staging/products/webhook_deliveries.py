"""What sources announced by webhook: each delivery once, and what it made due.

Whether a delivery is genuine is `services/search/routes/webhook_signatures.py`'s to say.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from psycopg.types.json import Jsonb

from unde_catalog.stores.db.database import Cursor
from unde_catalog.stores.staging.due_work import requeue

STAGE = "originals"  # the stages after it follow from what it finds
_NAMED = 20  # ids that nobody knows, by name


@dataclass(frozen=True, slots=True)
class Announced:
    """What came of a delivery, in products: known, of those on sale and so made due, and unknown, the first by name.

    `repeated`: it was here before, and did this then.
    """

    known: int
    due: int
    unknown: int
    unknown_ids: Sequence[str]
    repeated: bool = False


def announce(cursor: Cursor, digest: str, brand: str, delivery: str | None, external_ids: Sequence[str]) -> Announced:
    """Have the photos of a brand's products looked at anew, once per `digest`, which is the signature's hash.

    The same delivery waits here while another process has it in hand.
    """
    cursor.execute(
        "INSERT INTO webhook_deliveries (digest, brand, delivery, received_at) VALUES (%s, %s, %s, unde_now())"
        " ON CONFLICT (digest) DO NOTHING",
        (digest, brand, delivery),
    )
    if cursor.rowcount == 0:
        return _before(cursor, digest)
    known = requeue.product_ids_of(cursor, brand, external_ids)
    due = requeue.force(cursor, STAGE, brand, f"webhook {digest[:32]}", list(known.values()))
    unknown = [one for one in external_ids if one not in known]
    announced = Announced(len(known), due, len(unknown), unknown[:_NAMED])
    cursor.execute(
        "UPDATE webhook_deliveries SET known = %s, due = %s, unknown = %s, unknown_ids = %s WHERE digest = %s",
        (announced.known, announced.due, announced.unknown, Jsonb(announced.unknown_ids), digest),
    )
    return announced


def _before(cursor: Cursor, digest: str) -> Announced:
    cursor.execute("SELECT known, due, unknown, unknown_ids FROM webhook_deliveries WHERE digest = %s", (digest,))
    row = cursor.fetchone()
    assert row is not None  # rows go only long after a repeat is refused for its age
    return replace(Announced(**row), repeated=True)
