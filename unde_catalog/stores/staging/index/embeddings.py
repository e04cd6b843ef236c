"""What the visual_index stage reads and writes: stored photos and their embeddings.

The models are in `models.py`, searches in `vectors.py`.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import LiteralString

from unde_catalog.stores.db.database import Cursor

SIZE = 512  # numbers in an embedding of any model
SEARCHED: LiteralString = "p.active AND p.index_scope IN ('pilot', 'pgvector')"  # exactly the condition of the indexes

Vector = Sequence[float]


@dataclass(frozen=True, slots=True)
class PhotoToEmbed:
    """A stored photo: its number from 1, object key, SHA-256 of its bytes in hex, width x height in pixels."""

    n: int
    key: str
    sha256: str
    pixels: int


@dataclass(frozen=True, slots=True)
class ExistingEmbedding:
    """An embedding in the database: the photo's number, the SHA-256 of its bytes, and when it was made."""

    n: int
    sha256: str
    embedded_at: datetime
    embedding: Vector


@dataclass(frozen=True, slots=True)
class EmbeddedProduct:
    """The data of a product for the index, its stored photos in order, and its embeddings by one model."""

    product_id: int
    source: str
    external_id: str
    brand: str
    category: str | None
    price: Decimal | None
    active: bool
    index_scope: str | None
    photos: tuple[PhotoToEmbed, ...]
    embedded: tuple[ExistingEmbedding, ...]

    @property
    def target_photos(self) -> tuple[PhotoToEmbed, ...]:
        """The photos that should be in the index; none of a product that is not on sale or not in scope."""
        return self.photos if self.active and self.index_scope in ("pilot", "pgvector") else ()


@dataclass(frozen=True, slots=True)
class NewEmbedding:
    """An embedding to write, of photo `n` with this SHA-256."""

    n: int
    sha256: str
    embedding: Vector


@dataclass(frozen=True, slots=True)
class EmbeddingOutcome:
    """What to write for one product: the numbers of the photos that should be in the index, and new embeddings."""

    product_id: int
    numbers: Sequence[int]
    new: Sequence[NewEmbedding]


@dataclass(frozen=True, slots=True)
class PhotoVector:
    """An embedded photo: its product, its number from 1, its bytes' SHA-256 in hex, and 512 numbers of length 1."""

    product_id: int
    source: str
    external_id: str
    brand: str
    category: str | None
    price: Decimal | None
    n: int
    sha256: str
    vector: Vector

    @property
    def original_id(self) -> str:
        """The product's id without the prefix that some sources give to their ids."""
        return self.external_id.removeprefix(f"{self.source}_").removeprefix(f"{self.source}-")


def load(cursor: Cursor, model: str, product_ids: Sequence[int]) -> dict[int, EmbeddedProduct]:
    """Load some products with their stored photos and their embeddings by a model."""
    ids = list(product_ids)
    cursor.execute(
        "SELECT id, source, external_id, brand, category, price, active, index_scope FROM raw_products"
        " WHERE id = ANY(%s)",
        (ids,),
    )
    products = cursor.fetchall()
    cursor.execute(
        "SELECT product_id, n, key, sha256, coalesce(width::bigint * height, 0) AS pixels FROM product_photos"
        " WHERE product_id = ANY(%s) AND state = 'stored' ORDER BY n",
        (ids,),
    )
    photos: dict[int, list[PhotoToEmbed]] = {}
    for row in cursor.fetchall():
        photos.setdefault(row.pop("product_id"), []).append(PhotoToEmbed(**row))
    cursor.execute(
        "SELECT product_id, n, sha256, embedded_at, embedding::real[] AS embedding FROM product_embeddings"
        " WHERE product_id = ANY(%s) AND model = %s ORDER BY n",
        (ids, model),
    )
    embedded: dict[int, list[ExistingEmbedding]] = {}
    for row in cursor.fetchall():
        embedded.setdefault(row.pop("product_id"), []).append(ExistingEmbedding(**row))
    return {
        row["id"]: EmbeddedProduct(
            row.pop("id"), **row, photos=tuple(photos.get(id, ())), embedded=tuple(embedded.get(id, ()))
        )
        for row in products
        for id in (row["id"],)
    }


def of_contents(cursor: Cursor, model: str, hashes: Sequence[str]) -> dict[str, Vector]:
    """The embeddings by a model of photos with these SHA-256, of any product."""
    cursor.execute(
        "SELECT DISTINCT ON (sha256) sha256, embedding::real[] AS embedding FROM product_embeddings"
        " WHERE sha256 = ANY(%s) AND model = %s",
        (list(hashes), model),
    )
    return {row["sha256"]: row["embedding"] for row in cursor.fetchall()}


def record(cursor: Cursor, model: str, outcomes: Sequence[EmbeddingOutcome]) -> None:
    """Write new embeddings, and delete the embeddings of removed photos by all models; ordered by product."""
    ordered = sorted(outcomes, key=lambda one: one.product_id)
    keep = [(one.product_id, n) for one in ordered for n in one.numbers]
    keep_only(cursor, [one.product_id for one in ordered], keep)
    write(cursor, model, [(one.product_id, new) for one in ordered for new in one.new])


def keep_only(cursor: Cursor, product_ids: Sequence[int], keep: Collection[tuple[int, int]]) -> None:
    """Delete the embeddings of these products by all models, except the `(product_id, n)` of `keep`."""
    cursor.execute(
        """
        DELETE FROM product_embeddings e
        WHERE e.product_id = ANY(%s) AND NOT EXISTS (
            SELECT 1 FROM unnest(%s::bigint[], %s::smallint[]) AS k (product_id, n)
            WHERE k.product_id = e.product_id AND k.n = e.n)
        """,
        (list(product_ids), [product_id for product_id, _ in keep], [n for _, n in keep]),
    )


def write(cursor: Cursor, model: str, new: Sequence[tuple[int, NewEmbedding]]) -> None:
    """Write embeddings, each with its product's id; existing ones are replaced."""
    cursor.execute(
        """
        INSERT INTO product_embeddings (product_id, n, model, slot, sha256, embedded_at, embedding)
        SELECT e.product_id, e.n, m.model, m.slot, e.sha256, unde_now(), e.embedding::real[]
        FROM unnest(%s::bigint[], %s::smallint[], %s::text[], %s::text[]) AS e (product_id, n, sha256, embedding)
             JOIN embedding_models m ON m.model = %s
        ON CONFLICT (product_id, n, model) DO UPDATE SET
            sha256 = excluded.sha256, embedded_at = excluded.embedded_at, embedding = excluded.embedding
        """,
        (
            [product_id for product_id, _ in new],
            [one.n for _, one in new],
            [one.sha256 for _, one in new],
            [array_text(one.embedding) for _, one in new],
            model,
        ),
    )


def array_text(vector: Vector) -> str:
    """A vector as the text of a PostgreSQL array, because an array of arrays would be flattened by `unnest`."""
    return "{" + ",".join(f"{number:.7g}" for number in vector) + "}"


def page(cursor: Cursor, model: str, after: int, products: int) -> list[PhotoVector]:
    """The embedded photos of the next searchable products, by id; [] at the end."""
    cursor.execute(
        f"""
        SELECT p.id AS product_id, p.source, p.external_id, p.brand, p.category, p.price, e.n, e.sha256,
               e.embedding::real[] AS vector
        FROM (SELECT * FROM raw_products p
              WHERE p.id > %(after)s AND {SEARCHED} AND EXISTS (
                  SELECT 1 FROM product_embeddings e WHERE e.product_id = p.id AND e.model = %(model)s)
              ORDER BY p.id LIMIT %(products)s) AS p
        JOIN product_embeddings e ON e.product_id = p.id AND e.model = %(model)s
        ORDER BY p.id, e.n
        """,
        {"after": after, "model": model, "products": products},
    )
    return [PhotoVector(**row) for row in cursor.fetchall()]
