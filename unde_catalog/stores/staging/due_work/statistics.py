"""How evenly recurring work is done: the figures of a stage and brand, and the alarms that follow from them.

The bounds are in `docs/reference/rules.md`. Which stages recur, and how often, is in the settings. `spreading.py`
assigns the slots.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from unde_catalog.stores.db.database import Cursor
from unde_catalog.stores.staging.due_work.slots import loads

_GRACE = 12  # a delay of less than a twelfth of the interval counts as in time
_MOST_UNPLACED = 100
_MOST_DUE = 5_000
_DUE_PART = 10  # or more than a tenth of the brand,
_FEW_DUE = 100  # but so few are normal


@dataclass(frozen=True, slots=True)
class DueFigures:
    """The state of a stage and brand now; numbers of products unless another unit is named.

    `never_checked`: active and without a slot in the interval. `in_time`: the share (0 to 1) that is not late.
    `oldest_due`: seconds since the longest overdue product became due. `in_hand`: leased. `share`: how many products
    each slot should have; `fullest` and `emptiest`: how many the slots have.
    """

    stage: str
    brand: str
    interval: timedelta
    active: int
    never_checked: int
    given_up: int
    due: int
    oldest_due: float
    in_hand: int
    checked_last_hour: int
    in_time: float
    share: float
    fullest: int
    emptiest: int

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON and metadata, the interval in seconds."""
        names = [name for name in self.__slots__ if name not in ("stage", "brand", "interval")]
        return {"interval": self.interval.total_seconds(), **{name: getattr(self, name) for name in names}}


def figures(cursor: Cursor, stage: str, brand: str, interval: timedelta) -> DueFigures:
    """Compute the figures; reads the brand's due rows of the stage and an index of its products."""
    cursor.execute(
        """
        SELECT (SELECT count(*) FROM raw_products WHERE brand = %(brand)s AND active) AS active,
               (SELECT count(*) FROM due_work w WHERE w.stage = %(stage)s AND w.brand = %(brand)s AND w.given_up
                    AND (SELECT p.active FROM raw_products p WHERE p.id = w.product_id)) AS given_up
        """,
        {"stage": stage, "brand": brand},
    )
    products = _row(cursor)
    cursor.execute(
        """
        SELECT count(*) AS placed,
               count(*) FILTER (WHERE w.due_at <= t.now AND NOT coalesce(w.leased_until > t.now, false)) AS due,
               count(*) FILTER (WHERE w.leased_until > t.now) AS in_hand,
               count(*) FILTER (WHERE w.due_at <= t.now - %(grace)s) AS late,
               count(*) FILTER (WHERE w.done_at > t.now - interval '1 hour') AS checked_last_hour,
               coalesce(greatest(extract(epoch FROM max(t.now) - min(w.due_at)), 0), 0)::float8 AS oldest_due
        FROM (SELECT (SELECT unde_now()) AS now OFFSET 0) AS t
        CROSS JOIN due_work w
        WHERE w.stage = %(stage)s AND w.brand = %(brand)s AND w.due_at IS NOT NULL
        """,
        {"stage": stage, "brand": brand, "grace": interval / _GRACE},
    )
    rows = _row(cursor)
    slot_loads = loads(cursor, stage, brand, interval)
    active, given_up, placed = products["active"], products["given_up"], rows["placed"]
    unplaced = max(active - placed - given_up, 0)
    return DueFigures(
        stage,
        brand,
        interval,
        active=active,
        never_checked=unplaced,
        given_up=given_up,
        due=rows["due"],
        oldest_due=round(rows["oldest_due"], 1),
        in_hand=rows["in_hand"],
        checked_last_hour=rows["checked_last_hour"],
        in_time=round(1 - (rows["late"] + unplaced) / max(placed + unplaced, 1), 4),
        share=round(placed / len(slot_loads), 2),
        fullest=max(slot_loads),
        emptiest=min(slot_loads),
    )


def alarms(now: DueFigures) -> list[str]:
    """What is wrong and what to do, one sentence each; empty if all is well."""
    sentences = []
    run = f"unde-catalog run {now.stage} --brand {now.brand}"
    if now.never_checked > _MOST_UNPLACED:
        sentences.append(
            f"{now.never_checked} active products of {now.brand} were never checked: the next run of {now.stage} "
            f"gives each a slot in the interval; if no run starts, {run}"
        )
    if now.due > _MOST_DUE or now.due > max(_FEW_DUE, now.active // _DUE_PART):
        sentences.append(
            f"{now.due} of {now.active} products of {now.brand} are due for {now.stage} at once: the next run spreads "
            "a backlog over the interval; if it returns, the host or the workers are too slow: run more workers, or "
            f"lengthen the interval of {now.interval.total_seconds():g} s"
        )
    if now.oldest_due > now.interval.total_seconds():
        sentences.append(
            f"a product of {now.brand} has been due for {now.stage} for {now.oldest_due / 60:.0f} minutes, longer than "
            f"an interval: nothing works on it; check the last runs of {now.stage}, or {run}"
        )
    return sentences


def _row(cursor: Cursor) -> dict[str, Any]:
    row = cursor.fetchone()
    assert row is not None  # an aggregate always has a row
    return row
