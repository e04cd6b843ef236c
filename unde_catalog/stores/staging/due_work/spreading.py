"""What every run of recurring work begins with: each product has a place in the interval, and no minute is crowded.

Who takes what is due, and when it comes again, is not here but in `work_queue.py`; which places there are is in
`slots.py`. A place is the phase in which a product comes due again and again.

Locks are asked for in the order that `work_queue.py` names, a thousand products in a transaction; what is in hand keeps
its place.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, LiteralString

from unde_catalog.stores.db.database import Cursor, Database
from unde_catalog.stores.staging.due_work.slots import loads, minutes, places

PAGE = 10_000  # products that are looked at in one transaction
_CHUNK = 1_000  # products that are placed in one
_MOST = 200_000  # products that are placed anew in one run, so that memory stays bounded

_BACKLOG = 6  # more than this part of all due at once is spread anew ...
_CROWD = 2  # ... as is a minute that has so many times its share ...
_FEW = 100  # ... but so few are no burst

_FREE: LiteralString = "(w.leased_until IS NULL OR w.leased_until <= %(now)s)"


@dataclass(frozen=True, slots=True)
class Spread:
    """How many products got a place, by why they had none or a bad one.

    `never_checked`: new; `returned`: on sale again; `changed`: given up, and changed since; `overdue`: after an outage
    or a slow host; `crowded`: came due in the same minute as too many others.
    """

    never_checked: int = 0
    returned: int = 0
    changed: int = 0
    overdue: int = 0
    crowded: int = 0


def spread(db: Database, stage: str, brand: str, interval: timedelta, *, level: bool = True) -> Spread:
    """Give a place to every active product of a brand that has none; afterwards no more than share their minute.

    `level`: also spread a backlog and crowded minutes anew. A run that only works off what is due now leaves them.

    Costs an index lookup a product when there is nothing to do. Several at once, or one that was killed, do no harm: a
    product moves only from where it was seen.
    """
    values = {"stage": stage, "brand": brand, "now": db.run(_now), "interval": interval, "most": _MOST}
    overdue = _spread_overdue(db, values) if level else 0
    counts = {"never_checked": 0, "returned": 0, "changed": _place_changed(db, values)}
    after: int | None = 0
    while after is not None:
        page = db.run(without_place, stage, brand, after)
        for why in ("never_checked", "returned"):
            counts[why] += _place(db, values, page[why])
        after = page["last"]
    return Spread(**counts, overdue=overdue, crowded=_thin_out(db, values) if level and not overdue else 0)


def without_place(cursor: Cursor, stage: str, brand: str, after: int) -> dict[str, Any]:
    """The next page of active products: `never_checked` and `returned` are the ids of those without a place.

    `last` is where the page ends, None for the last one. What was given up has no place on purpose.
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
        CROSS JOIN LATERAL (  -- an aggregate has a row also for none; and the planner can't read the whole table for it
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
    # Counted from when the run began, as its places are: a million products take a minute.
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
    """Give places to products that have none; how many still had none when their turn came."""
    if not ids:
        return 0
    there = _loads(db, values)
    due = [values["now"] + place for place in places(there, len(ids), values["interval"])]
    placed = 0
    for chunk in _chunks(len(ids)):
        placed += db.run(_place_chunk, values | {"ids": ids[chunk], "due": due[chunk]})
    return placed


def _place_chunk(cursor: Cursor, values: dict[str, Any]) -> int:
    # A product that somebody is changing waits for the next run: one UPDATE of many locks them in any order.
    cursor.execute(
        "SELECT id FROM raw_products WHERE id = ANY(%(ids)s) AND brand = %(brand)s AND active"
        " ORDER BY id FOR NO KEY UPDATE SKIP LOCKED",
        values,
    )
    active = {row["id"] for row in cursor.fetchall()}
    kept = [(one, at) for one, at in zip(values["ids"], values["due"], strict=True) if one in active]
    cursor.execute(
        f"""
        INSERT INTO due_work AS w (product_id, stage, brand, due_at)
        SELECT id, %(stage)s, %(brand)s, at FROM unnest(%(ids)s::bigint[], %(due)s::timestamptz[]) AS t (id, at)
        ORDER BY id
        ON CONFLICT (product_id, stage) DO UPDATE SET due_at = excluded.due_at,
            given_up = false, attempts = 0, item_faults = 0, reason = NULL, detail = NULL, failing_since = NULL
        WHERE w.due_at IS NULL AND {_FREE}
        """,
        values | {"ids": [one for one, _ in kept], "due": [at for _, at in kept]},
    )
    return cursor.rowcount


def _spread_overdue(db: Database, values: dict[str, Any]) -> int:
    """After an outage, or when the work can't keep up: all of the brand in a new order, what has waited longest first.

    All, as places left over for what is late would be the same late ones again, hour after hour.
    """
    there = sum(_loads(db, values))
    if db.run(_overdue, values) <= max(_FEW, there // _BACKLOG):
        return 0
    oldest = db.run(_oldest, values, values["now"] + values["interval"])
    rest = [0] * minutes(values["interval"])
    if len(oldest) == _MOST:
        rest = _loads(db, values, due_after=oldest[-1][1])
    return _move(db, values, oldest, rest)


def _overdue(cursor: Cursor, values: dict[str, Any]) -> int:
    # What somebody asked for (force) is meant to come at once.
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
    """The ids and due times of what is free and due until then, oldest first; only what is due from `since` on."""
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
    """Give what is too many in a minute places in others: what was asked for at once comes due together ever after."""
    interval = values["interval"]
    there = _loads(db, values)
    share, minute = sum(there) // len(there) + 1, interval / len(there)
    crowd: list[tuple[int, datetime]] = []
    for number, load in enumerate(there):
        if load > max(_FEW, _CROWD * share) and len(crowd) < _MOST:
            begins = values["now"] + number * minute
            found = db.run(_oldest, values, begins + minute, begins, min(load - share, _MOST - len(crowd)))
            there[number] -= len(found)
            crowd += found
    return _move(db, values, crowd, there)


def _move(db: Database, values: dict[str, Any], rows: Sequence[tuple[int, datetime]], there: Sequence[int]) -> int:
    """New places for products, in this order; only for those that are still where they were seen."""
    due = [values["now"] + place for place in places(there, len(rows), values["interval"])]
    moved = 0
    for chunk in _chunks(len(rows)):
        ids, seen = [one for one, _ in rows[chunk]], [at for _, at in rows[chunk]]
        moved += db.run(_move_chunk, values | {"ids": ids, "seen": seen, "due": due[chunk]})
    return moved


def _move_chunk(cursor: Cursor, values: dict[str, Any]) -> int:
    # Waits for nobody, so it needs no lock on the products.
    cursor.execute(
        f"""
        WITH given AS (
            SELECT * FROM unnest(%(ids)s::bigint[], %(seen)s::timestamptz[], %(due)s::timestamptz[]) AS t (id, seen, at)
        ), free AS (
            SELECT w.product_id FROM due_work w
            WHERE w.product_id = ANY(%(ids)s) AND w.stage = %(stage)s AND {_FREE}
            ORDER BY w.product_id
            FOR UPDATE SKIP LOCKED
        )
        UPDATE due_work AS w SET due_at = g.at FROM given g
        WHERE w.product_id = ANY(ARRAY(SELECT product_id FROM free)) AND w.stage = %(stage)s
          AND g.id = w.product_id AND g.seen = w.due_at
        """,
        values,
    )
    return cursor.rowcount


def _chunks(count: int) -> Iterator[slice]:
    return (slice(first, first + _CHUNK) for first in range(0, count, _CHUNK))
