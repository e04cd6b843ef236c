"""The places in the interval of recurring work: how many products come due in each minute, and where more of them fit.

Nothing is placed here; that is `spreading.py`'s. An interval is cut into minutes.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from unde_catalog.stores.db.database import Cursor

_MINUTE = timedelta(minutes=1)
_MINUTES = 1_440  # into so many parts a longer interval is cut


def minutes(interval: timedelta) -> int:
    """Into how many parts an interval is cut: minutes, but for one longer than a day."""
    return max(1, min(interval // _MINUTE, _MINUTES))


def loads(
    cursor: Cursor,
    stage: str,
    brand: str,
    interval: timedelta,
    *,
    since: datetime | None = None,
    due_after: datetime | None = None,
) -> list[int]:
    """How many products come due in each minute of the interval; those overdue in their old phase.

    Counted from now, or from `since`; with `due_after` only those that come due after that.
    """
    count = minutes(interval)
    cursor.execute(
        f"""
        SELECT least(floor((ahead - every * floor(ahead / every)) * %(count)s / every)::int, %(count)s - 1) AS minute,
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
    found = {row["minute"]: row["products"] for row in cursor.fetchall()}
    return [found.get(minute, 0) for minute in range(count)]


def level(loads: Sequence[int], more: int) -> list[int]:
    """How many of `more` go to each minute, so that afterwards all carry the same, or those that had less."""
    low, high = min(loads), max(loads) + more + 1
    while high - low > 1:  # the highest level to which there are enough
        middle = (low + high) // 2
        if sum(max(0, middle - load) for load in loads) <= more:
            low = middle
        else:
            high = middle
    added = [max(0, low - load) for load in loads]
    left = more - sum(added)
    lowest = [minute for minute, load in enumerate(loads) if load <= low]
    for n in range(left):  # one more for some, far from each other
        added[lowest[n * len(lowest) // left]] += 1
    return added


def places(loads: Sequence[int], more: int, interval: timedelta) -> list[timedelta]:
    """Where in the interval `more` products fit between those that are there, in order, from now on."""
    minute = interval / len(loads)
    return [
        minute * (number + (n + 0.5) / count) for number, count in enumerate(level(loads, more)) for n in range(count)
    ]
