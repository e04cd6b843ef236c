"""The queue of due work: leases products that are due for a stage, and writes the outcomes.

What makes a product due is not here, but in triggers: `schema/due_rules.sql`.

Locks are always taken in one order, products by id before their due rows by id, so that finishing, merging and the
triggers cannot deadlock.
"""

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from unde_catalog.stage_specs import STAGE_SPECS
from unde_catalog.stores.db.database import Cursor

LONGEST_WAIT = timedelta(days=7)  # until the next try, whatever a host asks for
_SHORTEST_INTERVAL = 0.9  # of the interval: between two checks of a product, also when the first of them was late
_LONGEST_TEXT = 2000  # characters of a reason's detail
_LONGEST_LEASE = timedelta(hours=1)  # after the server's clock was turned back, unless the stage's own lease is longer

# A subquery for each row, by primary key: the planner would join all rows of an EXISTS.
_ADOPTED = """AND (SELECT a.due_at FROM due_work a
                   WHERE a.product_id = due_work.product_id AND a.stage = 'adoption') IS NULL"""

# Until when a retry may wait because of its reason: as long as a host asked for, a day for a photo that it refused.
_ASKED_WAIT = """CASE WHEN reason IN ('http_429', 'http_503', 'host_paused') THEN unde_now() + %(longest)s
                      WHEN starts_with(reason, 'http_') THEN unde_now() + interval '1 day' END"""

Settlement = Literal["done", "later", "given_up", "released"]


@dataclass(frozen=True, slots=True)
class Lease:
    """A product leased for a stage, until `seconds_left()` is 0. `ends`: on this process's clock, in seconds."""

    product_id: int
    external_id: str
    token: str
    attempts: int
    item_faults: int
    forced_at: datetime | None
    ends: float

    def seconds_left(self) -> float:
        """Seconds until another worker may take the product; they also pass while this process is suspended."""
        return max(0.0, self.ends - _clock())


@dataclass(frozen=True, slots=True)
class LeaseOutcome:
    """How one lease ended. Of kind "later", `item_fault`: the item is at fault, not the remote host; `wait`: the next
    try is not earlier than that, if the wait that grows with the number of tries is shorter."""

    lease: Lease
    kind: Settlement
    reason: str | None = None
    detail: str | None = None
    item_fault: bool = False
    wait: timedelta | None = None


@dataclass(frozen=True, slots=True)
class OpenWork:
    """Products of one stage and brand that are due and free, and those that are due and leased."""

    due: int
    leased: int


def _clock() -> float:
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def storable(text: str | None) -> str | None:
    """The text as PostgreSQL can store it (no NUL, no lone surrogates), at most 2,000 characters."""
    if text is None:
        return None
    text = text[:_LONGEST_TEXT].replace("\0", "\ufffd")
    return text.encode("utf-8", "replace").decode()


def take(
    cursor: Cursor,
    stage: str,
    brand: str,
    limit: int,
    lease: timedelta,
    product_ids: Sequence[int] | None = None,
    exclude: Sequence[int] = (),
) -> list[Lease]:
    """Lease up to `limit` due products, oldest first; skips products that another worker is taking.

    `product_ids`: lease only these. `exclude`: lease none of these. Products that are due for adoption are left:
    what is stored of them is not known yet.
    """
    # The lease must be on disk before the work begins: if a server crash lost it, another worker would take the
    # product while the first one still works on it.
    cursor.execute("SET LOCAL synchronous_commit = on")
    token = uuid.uuid4().hex
    # This clock is read before the database's (and unde_now() is the transaction's start), so that a lease may end
    # early here, never late.
    ends = _clock() + lease.total_seconds()
    # = ANY(ARRAY()): with a join the planner reads the whole table when there are many rows.
    cursor.execute(
        f"""
        WITH due AS (
            SELECT product_id FROM due_work
            WHERE stage = %(stage)s AND brand = %(brand)s AND due_at <= unde_now()
              AND (leased_until IS NULL OR leased_until <= unde_now())
              {"AND product_id = ANY(%(product_ids)s)" if product_ids is not None else ""}
              {"AND product_id <> ALL(%(exclude)s)" if exclude else ""}
              {_ADOPTED if stage != "adoption" else ""}
            ORDER BY due_at
            LIMIT %(limit)s
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
            "exclude": list(exclude),
            "limit": limit,
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
    cursor: Cursor, stage: str, outcomes: Sequence[LeaseOutcome], interval: timedelta | None = None
) -> dict[int, bool]:
    """Write outcomes; an outcome counts only if its lease is still the current one.

    Returns the ids of the products whose outcome counted, each with True if it is current, False if a newer change
    arrived during the lease, so that the product stays due. `interval`: of a recurring stage; products that are done or
    to be retried are due again in their old phase, but those that were late not much sooner than an interval from now:
    their phase moves. Without it a retry is due as `next_try` of `schema/due_rules.sql` says.
    """
    ordered = sorted(outcomes, key=lambda one: one.lease.product_id)
    values: dict[str, Any] = {
        "stage": stage,
        "interval": interval,
        "shortest": _SHORTEST_INTERVAL,
        "ids": [one.lease.product_id for one in ordered],
        "tokens": [one.lease.token for one in ordered],
        "kinds": [one.kind for one in ordered],
        "reasons": [one.reason for one in ordered],
        "details": [one.detail for one in ordered],
        "item_faults": [one.item_fault for one in ordered],
        "waits": [None if one.wait is None else min(one.wait, LONGEST_WAIT) for one in ordered],
    }
    cursor.execute("SELECT id, active FROM raw_products WHERE id = ANY(%(ids)s) ORDER BY id FOR NO KEY UPDATE", values)
    active = {row["id"]: row["active"] for row in cursor.fetchall()}
    # Such work stays due for products that are no longer on sale; adoption is not one of the stages.
    syncs_removals = stage not in STAGE_SPECS or STAGE_SPECS[stage].syncs_removals
    values["active"] = [syncs_removals or active.get(product_id, False) for product_id in values["ids"]]
    cursor.execute(
        """
        WITH outcomes AS (
            SELECT * FROM unnest(%(ids)s::bigint[], %(tokens)s::text[], %(kinds)s::text[], %(reasons)s::text[],
                                 %(details)s::text[], %(item_faults)s::boolean[], %(waits)s::interval[],
                                 %(active)s::boolean[])
                AS t (product_id, token, kind, reason, detail, item_fault, wait, active)
        )
        UPDATE due_work AS w SET
            lease_token = NULL,
            leased_until = NULL,
            taken = CASE o.kind WHEN 'released' THEN -w.taken ELSE w.taken END,  -- negative: not done
            due_at = CASE
                WHEN w.due_at IS NULL OR NOT o.active THEN NULL
                WHEN w.wanted <> w.taken OR o.kind = 'released' THEN w.due_at
                WHEN o.kind IN ('done', 'later') AND %(interval)s::interval IS NOT NULL
                    THEN greatest(next_in_phase(w.due_at, %(interval)s::interval),
                                  unde_now() + %(shortest)s * %(interval)s::interval)
                WHEN o.kind = 'later' THEN greatest(next_try(w.attempts + 1), unde_now() + o.wait)
            END,
            done_at = CASE o.kind WHEN 'done' THEN unde_now() ELSE w.done_at END,
            attempts = CASE WHEN w.wanted <> w.taken OR o.kind = 'released' THEN w.attempts
                            WHEN o.kind = 'done' THEN 0 ELSE w.attempts + 1 END,
            item_faults = CASE WHEN w.wanted <> w.taken OR o.kind = 'released' THEN w.item_faults
                               WHEN o.kind = 'done' THEN 0 ELSE w.item_faults + o.item_fault::int END,
            given_up = CASE WHEN w.wanted <> w.taken OR o.kind = 'released' THEN w.given_up
                            ELSE o.kind = 'given_up' END,
            reason = CASE WHEN w.wanted <> w.taken OR o.kind = 'released' THEN w.reason ELSE o.reason END,
            detail = CASE WHEN w.wanted <> w.taken OR o.kind = 'released' THEN w.detail ELSE o.detail END,
            failing_since = CASE WHEN o.kind = 'done' THEN NULL
                                 WHEN w.wanted <> w.taken OR o.kind = 'released' THEN w.failing_since
                                 ELSE coalesce(w.failing_since, unde_now()) END
        FROM outcomes o
        WHERE w.product_id = ANY(%(ids)s) AND w.stage = %(stage)s
          AND w.product_id = o.product_id AND w.lease_token = o.token
        RETURNING w.product_id, w.wanted = abs(w.taken) AS current
        """,
        values,
    )
    return {row["product_id"]: row["current"] for row in cursor.fetchall()}


def repair_times(cursor: Cursor, stage: str, brand: str, lease: timedelta, interval: timedelta | None = None) -> int:
    """Correct times that are too far ahead because the server's clock was turned back; returns the number of products.

    A due time becomes the latest that its rule allows now. A lease is not released, because its holder may be alive: it
    ends within an hour (or within the stage's `lease` if that is longer), which is never less than promised.
    `interval`: of a recurring stage, which keeps its phase. Costs as much as the stage has due or waiting products.
    """
    if interval is None:
        latest = f"CASE WHEN attempts = 0 THEN unde_now() ELSE greatest(next_try(attempts), {_ASKED_WAIT}) END"
        late = f"due_at > {latest} + interval '1 minute'"
    else:
        latest = "next_in_phase(due_at, %(interval)s)"
        late = "due_at > (SELECT unde_now()) + %(interval)s + interval '1 minute'"  # the same, computed once
    # A minute of tolerance for what other transactions wrote since this one began.
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
        {
            "stage": stage,
            "brand": brand,
            "lease": max(lease, _LONGEST_LEASE),
            "interval": interval,
            "longest": LONGEST_WAIT,
        },
    )
    return cursor.rowcount


def release_all(cursor: Cursor, stage: str, brand: str) -> int:
    """Release all leases of a stage and brand; returns their number.

    Only for a stage with one worker at a time per brand: the holders of these leases are dead.
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
    """Count due products that are free and that are leased; costs as much as is due, however big the brand is."""
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
