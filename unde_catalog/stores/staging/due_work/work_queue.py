"""Due work: taking products that are due for a stage under a lease, and writing down what came of it.

What makes a product due is not here, but in triggers: `schema/due_rules.sql`.

Locks are always asked for in one order, products by id before their due rows by id, so that finishing, merging and
the triggers can't wait on each other in a circle.
"""

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from unde_catalog.stage_specs import STAGE_SPECS
from unde_catalog.stores.db.database import Cursor

_LONGEST_TEXT = 2000  # characters of a reason's detail
_LONGEST_LEASE = timedelta(hours=1)  # what a lease may be after the server's clock was turned back, if not longer

Settlement = Literal["done", "later", "given_up", "released"]


@dataclass(frozen=True, slots=True)
class Lease:
    """A product in hand for a stage, until `seconds_left()` is 0."""

    product_id: int
    external_id: str
    token: str
    attempts: int
    item_faults: int
    forced_at: datetime | None
    ends: float

    def seconds_left(self) -> float:
        """Seconds until somebody else may take the product; counts on while this process is stopped or asleep."""
        return max(0.0, self.ends - _clock())


@dataclass(frozen=True, slots=True)
class LeaseOutcome:
    """How one lease ended. `item_fault` tells a fault of the item from one of the far side (kind "later")."""

    lease: Lease
    kind: Settlement
    reason: str | None = None
    detail: str | None = None
    item_fault: bool = False


@dataclass(frozen=True, slots=True)
class OpenWork:
    """Products of one stage and brand that are due and free, and those that are due and leased."""

    due: int
    leased: int


def _clock() -> float:
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def storable(text: str | None) -> str | None:
    """The text as PostgreSQL takes it, and not longer than anybody reads: from elsewhere may come NUL and the like."""
    if text is None:
        return None
    text = text[:_LONGEST_TEXT].replace("\0", "\ufffd")
    return text.encode("utf-8", "replace").decode()


def take(
    cursor: Cursor,
    stage: str,
    brand: str,
    most: int,
    lease: timedelta,
    product_ids: Sequence[int] | None = None,
    but_not: Sequence[int] = (),
) -> list[Lease]:
    """Lease up to `most` due products, oldest first; products that another worker is taking are skipped.

    Only those in `product_ids` if it is given, and none that is in `but_not`.
    """
    # On disk before anything is asked of others: a lease that a crash of the server took back would be taken again,
    # while the first worker is still at it.
    cursor.execute("SET LOCAL synchronous_commit = on")
    token = uuid.uuid4().hex
    # Our clock is read before the database's (by which unde_now() is old already: it is when the transaction began),
    # so that a lease may end early here, never late.
    ends = _clock() + lease.total_seconds()
    # = ANY(ARRAY()): for a join with many rows the planner would read the whole table.
    cursor.execute(
        f"""
        WITH due AS (
            SELECT product_id FROM due_work
            WHERE stage = %(stage)s AND brand = %(brand)s AND due_at <= unde_now()
              AND (leased_until IS NULL OR leased_until <= unde_now())
              {"AND product_id = ANY(%(product_ids)s)" if product_ids is not None else ""}
              {"AND product_id <> ALL(%(but_not)s)" if but_not else ""}
            ORDER BY due_at
            LIMIT %(most)s
            FOR UPDATE SKIP LOCKED
        )
        UPDATE due_work AS w
        SET lease_token = %(token)s, taken = w.wanted,
            leased_until = unde_now() + (clock_timestamp() - now()) + %(lease)s
        WHERE w.product_id = ANY(ARRAY(SELECT product_id FROM due)) AND w.stage = %(stage)s
        RETURNING w.product_id, w.attempts, w.item_faults, w.forced_at, w.due_at,
                  (SELECT p.external_id FROM raw_products p WHERE p.id = w.product_id) AS external_id
        """,
        {
            "stage": stage,
            "brand": brand,
            "product_ids": list(product_ids or ()),
            "but_not": list(but_not),
            "most": most,
            "token": token,
            "lease": lease,
        },
    )
    rows = sorted(cursor.fetchall(), key=lambda row: (row["due_at"], row["product_id"]))
    return [
        Lease(row["product_id"], row["external_id"], token, row["attempts"], row["item_faults"], row["forced_at"], ends)
        for row in rows
    ]


def finish(
    cursor: Cursor, stage: str, settled: Sequence[LeaseOutcome], interval: timedelta | None = None
) -> dict[int, bool]:
    """Write outcomes, each only if its lease is still the present one.

    Returns the product ids whose outcome counted, each with whether it is current: False when a newer change came
    while the product was in hand, so that it stays due. `interval` makes what is done due again, in its old phase, and
    what is to be tried later, too: that is soon enough, and its phase is kept. Without it a failed try comes due at a
    coming half hour, 1, 2, 4 ... 24 hours later (spec 1).
    """
    ordered = sorted(settled, key=lambda one: one.lease.product_id)
    values: dict[str, Any] = {
        "stage": stage,
        "interval": interval,
        "ids": [one.lease.product_id for one in ordered],
        "tokens": [one.lease.token for one in ordered],
        "kinds": [one.kind for one in ordered],
        "reasons": [one.reason for one in ordered],
        "details": [one.detail for one in ordered],
        "item_faults": [one.item_fault for one in ordered],
    }
    cursor.execute("SELECT id, active FROM raw_products WHERE id = ANY(%(ids)s) ORDER BY id FOR NO KEY UPDATE", values)
    active = {row["id"]: row["active"] for row in cursor.fetchall()}
    syncs_removals = STAGE_SPECS[stage].syncs_removals  # such work stays due for products that are no longer on sale
    values["active"] = [syncs_removals or active.get(product_id, False) for product_id in values["ids"]]
    cursor.execute(
        """
        WITH given AS (
            SELECT * FROM unnest(%(ids)s::bigint[], %(tokens)s::text[], %(kinds)s::text[], %(reasons)s::text[],
                                 %(details)s::text[], %(item_faults)s::boolean[], %(active)s::boolean[])
                AS t (product_id, token, kind, reason, detail, item_fault, active)
        )
        UPDATE due_work AS w SET
            lease_token = NULL,
            leased_until = NULL,
            taken = CASE g.kind WHEN 'released' THEN -w.taken ELSE w.taken END,  -- so that it does not look settled
            due_at = CASE
                WHEN w.due_at IS NULL OR NOT g.active THEN NULL
                WHEN w.wanted <> w.taken OR g.kind = 'released' THEN w.due_at
                WHEN g.kind IN ('done', 'later') AND %(interval)s::interval IS NOT NULL
                    THEN next_in_phase(w.due_at, %(interval)s::interval)
                WHEN g.kind = 'later' THEN next_try(w.attempts + 1)
            END,
            done_at = CASE g.kind WHEN 'done' THEN unde_now() ELSE w.done_at END,
            attempts = CASE WHEN w.wanted <> w.taken OR g.kind = 'released' THEN w.attempts
                            WHEN g.kind = 'done' THEN 0 ELSE w.attempts + 1 END,
            item_faults = CASE WHEN w.wanted <> w.taken OR g.kind = 'released' THEN w.item_faults
                               WHEN g.kind = 'done' THEN 0 ELSE w.item_faults + g.item_fault::int END,
            given_up = CASE WHEN w.wanted <> w.taken OR g.kind = 'released' THEN w.given_up
                            ELSE g.kind = 'given_up' END,
            reason = CASE WHEN w.wanted <> w.taken OR g.kind = 'released' THEN w.reason ELSE g.reason END,
            detail = CASE WHEN w.wanted <> w.taken OR g.kind = 'released' THEN w.detail ELSE g.detail END,
            failing_since = CASE WHEN g.kind = 'done' THEN NULL
                                 WHEN w.wanted <> w.taken OR g.kind = 'released' THEN w.failing_since
                                 ELSE coalesce(w.failing_since, unde_now()) END
        FROM given g
        WHERE w.product_id = ANY(%(ids)s) AND w.stage = %(stage)s
          AND w.product_id = g.product_id AND w.lease_token = g.token
        RETURNING w.product_id, w.wanted = abs(w.taken) AS current
        """,
        values,
    )
    return {row["product_id"]: row["current"] for row in cursor.fetchall()}


def repair_times(cursor: Cursor, stage: str, brand: str, lease: timedelta, interval: timedelta | None = None) -> int:
    """Bring nearer what no rule sets so far ahead, since the server's clock was turned back; how many products.

    A due mark comes to the latest moment that its rule could name now. A lease is not freed, for its holder may be
    alive: it has an hour from now (or the stage's whole `lease`, where that is longer), which is never less than
    promised. `interval` is that of recurring work, which keeps its phase. Costs what is due or waits, as `count_open`.
    """
    if interval is None:
        latest = "CASE WHEN attempts = 0 THEN unde_now() ELSE next_try(attempts) END"
        late = f"due_at > {latest} + interval '1 minute'"
    else:
        latest = "next_in_phase(due_at, %(interval)s)"
        late = "due_at > (SELECT unde_now()) + %(interval)s + interval '1 minute'"  # the same, worked out once
    # A minute more, for what others have written since this transaction began.
    cursor.execute(
        f"""
        WITH ahead AS (
            SELECT product_id FROM due_work
            WHERE stage = %(stage)s AND brand = %(brand)s AND due_at IS NOT NULL
              AND (leased_until > (SELECT unde_now()) + %(lease)s + interval '1 minute'
                   OR due_at > (SELECT unde_now()) AND {late})
            ORDER BY product_id
            FOR UPDATE SKIP LOCKED
        )
        UPDATE due_work AS w
        SET due_at = least(w.due_at, {latest}),
            leased_until = CASE WHEN w.leased_until IS NOT NULL
                                THEN least(w.leased_until, unde_now() + %(lease)s) END
        WHERE w.product_id = ANY(ARRAY(SELECT product_id FROM ahead)) AND w.stage = %(stage)s
        """,
        {"stage": stage, "brand": brand, "lease": max(lease, _LONGEST_LEASE), "interval": interval},
    )
    return cursor.rowcount


def release_all(cursor: Cursor, stage: str, brand: str) -> int:
    """Give back all that anybody has in hand of a stage and brand; how many.

    For a stage of which one worker at a time has a brand: whose leases these were is dead.
    """
    cursor.execute(
        """
        WITH leased AS (
            SELECT product_id FROM due_work
            WHERE stage = %(stage)s AND brand = %(brand)s AND due_at IS NOT NULL AND lease_token IS NOT NULL
            ORDER BY product_id
            FOR UPDATE
        )
        UPDATE due_work AS w SET lease_token = NULL, leased_until = NULL, taken = -abs(w.taken)
        FROM leased WHERE w.product_id = leased.product_id AND w.stage = %(stage)s
        """,
        {"stage": stage, "brand": brand},
    )
    return cursor.rowcount


def count_open(cursor: Cursor, stage: str, brand: str, product_ids: Sequence[int] | None = None) -> OpenWork:
    """What is due now and what is in some hand; costs what is due, not what there is."""
    cursor.execute(
        f"""
        SELECT count(*) FILTER (WHERE leased_until > unde_now()) AS leased,
               count(*) FILTER (WHERE leased_until IS NULL OR leased_until <= unde_now()) AS due
        FROM due_work
        WHERE stage = %(stage)s AND brand = %(brand)s AND due_at <= unde_now()
          {"AND product_id = ANY(%(product_ids)s)" if product_ids is not None else ""}
        """,
        {"stage": stage, "brand": brand, "product_ids": list(product_ids or ())},
    )
    row = cursor.fetchone()
    assert row is not None  # an aggregate always has a row
    return OpenWork(**row)
