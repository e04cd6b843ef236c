"""Spreads recurring work over its interval: each product gets a slot, and no slot is crowded. Every run begins with it.

A product's slot is the phase in which it is due in every interval. Which slots there are is in `slots.py`; taking what
is due, and keeping the phase, is in `work_queue.py`.

Locks are taken in the order that `work_queue.py` names, for a thousand products per transaction. A leased product keeps
its slot.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, LiteralString

from unde_catalog.stores.db.database import Cursor, Database
from unde_catalog.stores.staging.due_work.slots import loads, offsets, slot_count

PAGE = 10_000  # products that one transaction reads
_CHUNK = 1_000  # products that one transaction moves
_MOST = 200_000  # products that one run moves, so that memory stays bounded

_BACKLOG = 6  # respread everything when more than one product in six is overdue,
_CROWD = 2  # respread a slot that has more than twice its share,
_FEW = 100  # but not for so few products

_FREE: LiteralString = "(w.leased_until IS NULL OR w.leased_until <= %(now)s)"


@dataclass(frozen=True, slots=True)
class Spread:
    """How many products got a slot, by the reason.

    `never_checked`: new; `returned`: on sale again; `changed`: given up, and changed since; `overdue`: after an outage
    or a slow host; `crowded`: due in the same slot as too many others.
    """

    never_checked: int = 0
    returned: int = 0
    changed: int = 0
    overdue: int = 0
    crowded: int = 0


def spread(db: Database, stage: str, brand: str, interval: timedelta, *, level: bool = True) -> Spread:
    """Give a slot to every active product of a brand that has none.

    `level`: also respread a backlog and crowded slots. A run that only works on what is due now leaves them.

    Costs an index lookup per product when there is nothing to do. Safe to run several times at once, and to kill: a
    product moves only if it still has the due time that was read.
    """
    values = {"stage": stage, "brand": brand, "now": db.run(_now), "interval": interval, "most": _MOST}
    overdue = _spread_overdue(db, values) if level else 0
    counts = {"never_checked": 0, "returned": 0, "changed": _place_changed(db, values)}
    after: int | None = 0
    while after is not None:
        page = db.run(without_slot, stage, brand, after)
        for why in ("never_checked", "returned"):
            counts[why] += _place(db, values, page[why])
        after = page["last"]
    return Spread(**counts, overdue=overdue, crowded=_thin_out(db, values) if level and not overdue else 0)


def without_slot(cursor: Cursor, stage: str, brand: str, after: int) -> dict[str, Any]:
    """The next page of active products by id; `never_checked` and `returned` are the ids of those without a slot.

    `last`: the last id of the page, None on the last page. A product that was given up has no slot on purpose.
    """
    cursor.execute(
        """
        SELECT CASE WHEN count(*) = %(page)s THEN max(p.id) END AS last,
               coalesce(array_agg(p.id ORDER BY p.id) FILTER (WHERE w.done_at IS NULL AND w.missing), '{}')
                   AS never_checked,
               coalesce(array_agg(p.id ORDER BY p.id) FILTER (WHERE w.done_at IS NOT NULL AND w.missing), '{}')
                   AS returned
        FROM (SELECT id FROM raw_products WHERE brand = %(brand)s AND active AND id > %(after)s
              ORDER BY id LIMIT %(page)s) AS p
        CROSS JOIN LATERAL (  -- an aggregate returns a row also for no rows, and rules out a sequential scan
            SELECT coalesce(bool_and(due_at IS NULL AND NOT given_up), true) AS missing, max(done_at) AS done_at
            FROM due_work WHERE product_id = p.id AND stage = %(stage)s
        ) AS w
        """,
        {"stage": stage, "brand": brand, "after": after, "page": PAGE},
    )
    row = cursor.fetchone()
    assert row is not None  # an aggregate always has a row
    return row


def _loads(db: Database, values: dict[str, Any], due_after: datetime | None = None) -> list[int]:
    # Slots begin at the start of the run, as do the new due times: a million products take a minute.
    stage, brand, interval = values["stage"], values["brand"], values["interval"]
    return db.run(loads, stage, brand, interval, since=values["now"], due_after=due_after)


def _now(cursor: Cursor) -> datetime:
    cursor.execute("SELECT unde_now() AS now")
    row = cursor.fetchone()
    assert row is not None  # a SELECT without FROM has one
    return row["now"]


def _place_changed(db: Database, values: dict[str, Any]) -> int:
    return _place(db, values, db.run(changed, values["stage"], values["brand"]))


def changed(cursor: Cursor, stage: str, brand: str) -> list[int]:
    """Ids of active products that were given up and have changed since."""
    cursor.execute(
        """
        SELECT w.product_id FROM due_work w
        WHERE w.stage = %(stage)s AND w.brand = %(brand)s AND w.given_up AND w.due_at IS NULL
          AND (SELECT p.active AND p.updated_at > w.failing_since FROM raw_products p WHERE p.id = w.product_id)
        ORDER BY w.product_id
        LIMIT %(most)s
        """,
        {"stage": stage, "brand": brand, "most": _MOST},
    )
    return [row["product_id"] for row in cursor.fetchall()]


def _place(db: Database, values: dict[str, Any], ids: Sequence[int]) -> int:
    """Give slots to products that have none; returns how many still had none when they were written."""
    if not ids:
        return 0
    present = _loads(db, values)
    due = [values["now"] + offset for offset in offsets(present, len(ids), values["interval"])]
    placed = 0
    for chunk in _chunks(len(ids)):
        placed += db.run(_place_chunk, values | {"ids": ids[chunk], "due": due[chunk]})
    return placed


def _place_chunk(cursor: Cursor, values: dict[str, Any]) -> int:
    # A product that is being changed is left to the next run: an UPDATE of many products locks them in any order.
    cursor.execute(
        "SELECT id FROM raw_products WHERE id = ANY(%(ids)s) AND brand = %(brand)s AND active"
        " ORDER BY id FOR NO KEY UPDATE SKIP LOCKED",
        values,
    )
    active = {row["id"] for row in cursor.fetchall()}
    kept = [
        (product_id, at) for product_id, at in zip(values["ids"], values["due"], strict=True) if product_id in active
    ]
    cursor.execute(
        f"""
        INSERT INTO due_work AS w (product_id, stage, brand, due_at)
        SELECT id, %(stage)s, %(brand)s, at FROM unnest(%(ids)s::bigint[], %(due)s::timestamptz[]) AS t (id, at)
        ORDER BY id
        ON CONFLICT (product_id, stage) DO UPDATE SET due_at = excluded.due_at,
            given_up = false, attempts = 0, item_faults = 0, reason = NULL, detail = NULL, failing_since = NULL
        WHERE w.due_at IS NULL AND {_FREE}
        """,
        values | {"ids": [product_id for product_id, _ in kept], "due": [at for _, at in kept]},
    )
    return cursor.rowcount


def _spread_overdue(db: Database, values: dict[str, Any]) -> int:
    """After an outage, or when the stage cannot keep up: respread the whole brand, the longest overdue first.

    The whole brand, because the free slots alone would make the same products late again in every interval.
    """
    total = sum(_loads(db, values))
    if db.run(_overdue, values) <= max(_FEW, total // _BACKLOG):
        return 0
    oldest = db.run(_oldest, values, values["now"] + values["interval"])
    rest = [0] * slot_count(values["interval"])
    if len(oldest) == _MOST:
        rest = _loads(db, values, due_after=oldest[-1][1])
    return _move(db, values, oldest, rest)


def _overdue(cursor: Cursor, values: dict[str, Any]) -> int:
    # Forced products are meant to be due at once.
    cursor.execute(
        f"""
        SELECT count(*) AS products FROM due_work w
        WHERE w.stage = %(stage)s AND w.brand = %(brand)s AND w.due_at <= %(now)s AND {_FREE}
          AND NOT (w.asked_by IS NOT NULL AND w.wanted > abs(w.taken))
        """,
        values,
    )
    row = cursor.fetchone()
    assert row is not None  # an aggregate always has a row
    return row["products"]


def _oldest(
    cursor: Cursor, values: dict[str, Any], until: datetime, since: datetime | None = None, most: int = _MOST
) -> list[tuple[int, datetime]]:
    """Ids and due times of free products that are due before `until` (and from `since` on), oldest first."""
    cursor.execute(
        f"""
        SELECT w.product_id, w.due_at FROM due_work w
        WHERE w.stage = %(stage)s AND w.brand = %(brand)s AND w.due_at < %(until)s AND {_FREE}
          {"AND w.due_at >= %(since)s" if since is not None else ""}
          AND NOT (w.asked_by IS NOT NULL AND w.wanted > abs(w.taken))
        ORDER BY w.due_at
        LIMIT %(most)s
        """,
        values | {"until": until, "since": since, "most": most},
    )
    return [(row["product_id"], row["due_at"]) for row in cursor.fetchall()]


def _thin_out(db: Database, values: dict[str, Any]) -> int:
    """Move products out of crowded slots: those that were forced together would stay due together."""
    interval = values["interval"]
    present = _loads(db, values)
    share, slot = sum(present) // len(present) + 1, interval / len(present)
    crowd: list[tuple[int, datetime]] = []
    for number, load in enumerate(present):
        if load > max(_FEW, _CROWD * share) and len(crowd) < _MOST:
            begins = values["now"] + number * slot
            rows = db.run(_oldest, values, begins + slot, begins, min(load - share, _MOST - len(crowd)))
            present[number] -= len(rows)
            crowd += rows
    return _move(db, values, crowd, present)


def _move(db: Database, values: dict[str, Any], rows: Sequence[tuple[int, datetime]], present: Sequence[int]) -> int:
    """Give products new slots, in this order; only those that still have the due time that was read."""
    due = [values["now"] + offset for offset in offsets(present, len(rows), values["interval"])]
    moved = 0
    for chunk in _chunks(len(rows)):
        ids, seen = [product_id for product_id, _ in rows[chunk]], [at for _, at in rows[chunk]]
        moved += db.run(_move_chunk, values | {"ids": ids, "seen": seen, "due": due[chunk]})
    return moved


def _move_chunk(cursor: Cursor, values: dict[str, Any]) -> int:
    # SKIP LOCKED waits for nobody, so no lock on the products is needed.
    cursor.execute(
        f"""
        WITH moves AS (
            SELECT * FROM unnest(%(ids)s::bigint[], %(seen)s::timestamptz[], %(due)s::timestamptz[]) AS t (id, seen, at)
        ), free AS (
            SELECT w.product_id FROM due_work w
            WHERE w.product_id = ANY(%(ids)s) AND w.stage = %(stage)s AND {_FREE}
            ORDER BY w.product_id
            FOR UPDATE SKIP LOCKED
        )
        UPDATE due_work AS w SET due_at = m.at FROM moves m
        WHERE w.product_id = ANY(ARRAY(SELECT product_id FROM free)) AND w.stage = %(stage)s
          AND m.id = w.product_id AND m.seen = w.due_at
        """,
        values,
    )
    return cursor.rowcount


def _chunks(count: int) -> Iterator[slice]:
    return (slice(first, first + _CHUNK) for first in range(0, count, _CHUNK))
