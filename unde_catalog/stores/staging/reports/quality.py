"""Figures of a stage and brand for checks: coverage, failures, and disagreements of statuses and due marks.

Each query reads a whole brand, so checks run daily. The checks are in `operations/quality/`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, LiteralString

from unde_catalog.stage_specs import STAGE_SPECS
from unde_catalog.stores.db.database import Cursor

MAX_COUNTED = 1_000  # disagreements: more of them have the same cause
_EXAMPLES = 3

_HAS_PHOTO: LiteralString = "coalesce(p.image_urls <> '[]' AND jsonb_typeof(p.image_urls) = 'array', false)"

# For each stage: the condition of active products it applies to, and the condition that they have its result.
_COVERAGE: Mapping[str, tuple[LiteralString, LiteralString]] = {
    "originals": ("true", _HAS_PHOTO),
    "collages": (f"{_HAS_PHOTO} AND p.image_status <> 'pending'", "p.collage_url IS NOT NULL"),
    "ximilar_index": (
        f"p.index_scope = 'pilot' AND p.image_status <> 'pending' AND {_HAS_PHOTO}",
        "coalesce(p.ximilar_synced_urls <> '[]', false)",
    ),
    "visual_index": (
        f"p.index_scope IN ('pilot', 'pgvector') AND p.image_status <> 'pending' AND {_HAS_PHOTO}",
        "EXISTS (SELECT 1 FROM product_embeddings e WHERE e.product_id = p.id"
        " AND e.model = (SELECT model FROM embedding_models WHERE state = 'serving'))",
    ),
}

# For each stage: the status of an active product with work to do. For Ximilar, `partial` is not included, because a
# product with fewer photos than its target keeps it; nor are products without photos.
_TO_DO: Mapping[str, LiteralString] = {
    "originals": "p.image_status = 'pending'",
    "collages": "p.image_status = 'uploaded'",
    "ximilar_index": "p.ximilar_status = 'pending' AND p.index_scope = 'pilot' AND p.ximilar_target_count > 0"
    " AND p.image_status IN ('uploaded', 'collage_ready')",
    "visual_index": "p.index_scope IN ('pilot', 'pgvector') AND p.image_status IN ('uploaded', 'collage_ready')"
    f" AND {_HAS_PHOTO} AND NOT EXISTS (SELECT 1 FROM product_embeddings e WHERE e.product_id = p.id)",
    "production_catalog": "p.sync_status = 'pending' AND p.image_status <> 'pending'",
}
COVERED_STAGES = tuple(_COVERAGE)
MARKED_STAGES = tuple(_TO_DO)


@dataclass(frozen=True, slots=True)
class CoverageFigures:
    """Active products that a stage applies to, and those with its result.

    Of the others, `to_come` are due for their first try, `failing` for a retry, and `not_due` for neither.
    `examples` are external ids of products that had a try or are not due.
    """

    applicable: int
    covered: int
    to_come: int
    failing: int
    given_up: int
    not_due: int
    examples: Sequence[str]


@dataclass(frozen=True, slots=True)
class FailureReason:
    """Products that fail for one reason: given up, waiting for a retry, and those of the latter that fail for long.

    `since`: when the first of them began to fail. `examples`: external ids of those that have failed longest.
    """

    reason: str
    given_up: int
    failing: int
    lasting: int
    since: datetime | None
    examples: Sequence[str]


@dataclass(frozen=True, slots=True)
class FailureFigures:
    """The number of a brand's active products, and the reasons of failures in a stage, the longest-lasting first."""

    products: int
    reasons: Sequence[FailureReason]


@dataclass(frozen=True, slots=True)
class MarkFigures:
    """Products whose status and due mark disagree, at most `MAX_COUNTED` of each kind; examples of the first kind."""

    without_mark: int
    due_though_inactive: int
    examples: Sequence[str]
    example_ids: Sequence[int]


def coverage(cursor: Cursor, stage: str, brand: str) -> CoverageFigures:
    """The coverage of a stage; reads the brand's active products, and the due rows of those that are not covered."""
    applicable, covered = _COVERAGE[stage]
    cursor.execute(
        f"""
        WITH products AS MATERIALIZED (
            SELECT p.id, p.external_id, {covered} AS covered FROM raw_products p
            WHERE p.brand = %(brand)s AND p.active AND {applicable}
        ), lacking AS MATERIALIZED (
            SELECT p.id, p.external_id, w.given_up, w.due_at IS NOT NULL AS due, w.attempts
            FROM products p
            LEFT JOIN LATERAL (  -- by index: few products are not covered, and a join would read all due rows
                SELECT given_up, due_at, attempts FROM due_work
                WHERE product_id = p.id AND stage = %(stage)s OFFSET 0
            ) AS w ON true
            WHERE NOT p.covered
        )
        SELECT (SELECT count(*) FROM products) AS applicable,
               (SELECT count(*) FROM products WHERE covered) AS covered,
               count(*) FILTER (WHERE due AND attempts = 0) AS to_come,
               count(*) FILTER (WHERE due AND attempts > 0) AS failing,
               count(*) FILTER (WHERE given_up) AS given_up,
               count(*) FILTER (WHERE NOT coalesce(due OR given_up, false)) AS not_due,
               coalesce((array_agg(external_id ORDER BY id) FILTER (WHERE NOT coalesce(due AND attempts = 0, false)))
                        [1:%(examples)s], '{{}}') AS examples
        FROM lacking
        """,
        {"stage": stage, "brand": brand, "examples": _EXAMPLES},
    )
    return CoverageFigures(**_row(cursor))


def failures(cursor: Cursor, stage: str, brand: str, lasting: timedelta) -> FailureFigures:
    """The failures of a stage by reason; reads the brand's due and given-up rows by index.

    Given-up products count only while they are on sale. Failing products always count, because their removal is due.
    """
    values = {"stage": stage, "brand": brand, "lasting": lasting, "examples": _EXAMPLES}
    cursor.execute("SELECT count(*) AS n FROM raw_products WHERE brand = %(brand)s AND active", values)
    products = _row(cursor)["n"]
    cursor.execute(
        """
        SELECT coalesce(reason, 'unknown') AS reason,
               count(*) FILTER (WHERE given_up) AS given_up,
               count(*) FILTER (WHERE NOT given_up) AS failing,
               count(*) FILTER (WHERE NOT given_up AND failing_since < unde_now() - %(lasting)s) AS lasting,
               min(failing_since) AS since,
               (array_agg(product_id ORDER BY failing_since, product_id))[1:%(examples)s] AS ids
        FROM (
            SELECT product_id, reason, given_up, failing_since FROM due_work w
            WHERE stage = %(stage)s AND brand = %(brand)s AND given_up
              AND (SELECT p.active FROM raw_products p WHERE p.id = w.product_id)
            UNION ALL
            SELECT product_id, reason, given_up, failing_since FROM due_work
            WHERE stage = %(stage)s AND brand = %(brand)s AND due_at IS NOT NULL AND attempts > 0 AND NOT given_up
        ) AS failed
        GROUP BY 1
        ORDER BY lasting DESC, count(*) DESC, 1
        """,
        values,
    )
    rows = cursor.fetchall()
    names = _external_ids(cursor, [id for row in rows for id in row["ids"]])
    return FailureFigures(
        products,
        [FailureReason(**{**row, "examples": [names[id] for id in ids]}) for row in rows if (ids := row.pop("ids"))],
    )


def mark_figures(cursor: Cursor, stage: str, brand: str) -> MarkFigures:
    """Find disagreements; reads products with work to do by status, and due rows."""
    values = {"stage": stage, "brand": brand, "most": MAX_COUNTED}
    # A subquery makes the planner look up each product instead of reading all due rows.
    cursor.execute(
        f"""
        SELECT p.id, p.external_id FROM raw_products p
        WHERE p.brand = %(brand)s AND p.active AND {_TO_DO[stage]}
          AND NOT coalesce((SELECT w.due_at IS NOT NULL OR w.given_up FROM due_work w
                            WHERE w.product_id = p.id AND w.stage = %(stage)s), false)
        LIMIT %(most)s
        """,
        values,
    )
    without = cursor.fetchall()
    though_inactive = 0
    if not STAGE_SPECS[stage].syncs_removals:
        cursor.execute(
            """
            SELECT count(*) AS n FROM (
                SELECT 1 FROM due_work w
                WHERE w.stage = %(stage)s AND w.brand = %(brand)s AND w.due_at IS NOT NULL
                  AND NOT coalesce(w.leased_until > unde_now(), false)
                  AND NOT (SELECT p.active FROM raw_products p WHERE p.id = w.product_id)
                LIMIT %(most)s) AS t
            """,
            values,
        )
        though_inactive = _row(cursor)["n"]
    return MarkFigures(
        len(without),
        though_inactive,
        [row["external_id"] for row in without[:_EXAMPLES]],
        [row["id"] for row in without],
    )


def _external_ids(cursor: Cursor, product_ids: Sequence[int]) -> dict[int, str]:
    cursor.execute("SELECT id, external_id FROM raw_products WHERE id = ANY(%s)", (list(product_ids),))
    return {row["id"]: row["external_id"] for row in cursor.fetchall()}


def _row(cursor: Cursor) -> dict[str, Any]:
    row = cursor.fetchone()
    assert row is not None  # an aggregate always has a row
    return row
