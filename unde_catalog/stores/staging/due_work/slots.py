"""The slots in the interval of recurring work: how many products are due in each, and where more of them fit.

A slot is a minute of the interval. Nothing is written here; `spreading.py` assigns the slots.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from unde_catalog.stores.db.database import Cursor

_MINUTE = timedelta(minutes=1)
_MOST_SLOTS = 1_440  # an interval longer than a day has longer slots


def slot_count(interval: timedelta) -> int:
    """The number of slots of an interval: one per minute, at most 1,440."""
    return max(1, min(interval // _MINUTE, _MOST_SLOTS))


def loads(
    cursor: Cursor,
    stage: str,
    brand: str,
    interval: timedelta,
    *,
    since: datetime | None = None,
    due_after: datetime | None = None,
) -> list[int]:
    """How many products are due in each slot of the interval; overdue products count in their old phase.

    The first slot begins now, or at `since`. `due_after`: count only products that are due after that.
    """
    count = slot_count(interval)
    cursor.execute(
        f"""
        SELECT least(floor((ahead - every * floor(ahead / every)) * %(count)s / every)::int, %(count)s - 1) AS slot,
               count(*) AS products
        FROM (
            SELECT extract(epoch FROM w.due_at - coalesce(%(since)s, (SELECT unde_now())))::float8 AS ahead,
                   extract(epoch FROM %(interval)s)::float8 AS every
            FROM due_work w
            WHERE w.stage = %(stage)s AND w.brand = %(brand)s AND w.due_at IS NOT NULL
              {"AND w.due_at > %(due_after)s" if due_after is not None else ""}
        ) AS t
        GROUP BY 1
        """,
        {
            "stage": stage,
            "brand": brand,
            "interval": interval,
            "count": count,
            "since": since,
            "due_after": due_after,
        },
    )
    products = {row["slot"]: row["products"] for row in cursor.fetchall()}
    return [products.get(slot, 0) for slot in range(count)]


def level(loads: Sequence[int], more: int) -> list[int]:
    """How many of `more` products to add to each slot, the emptiest first, so that all carry the same if possible."""
    low, high = min(loads), max(loads) + more + 1
    while high - low > 1:  # binary search for the highest level that `more` can fill
        middle = (low + high) // 2
        if sum(max(0, middle - load) for load in loads) <= more:
            low = middle
        else:
            high = middle
    added = [max(0, low - load) for load in loads]
    rest = more - sum(added)
    lowest = [slot for slot, load in enumerate(loads) if load <= low]
    for n in range(rest):  # one more for some slots, evenly spaced
        added[lowest[n * len(lowest) // rest]] += 1
    return added


def offsets(loads: Sequence[int], more: int, interval: timedelta) -> list[timedelta]:
    """The offsets in the interval at which `more` products fit best between the present ones, in ascending order."""
    slot = interval / len(loads)
    return [
        slot * (number + (n + 0.5) / count) for number, count in enumerate(level(loads, more)) for n in range(count)
    ]
