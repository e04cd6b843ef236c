"""The vector store in the staging database.

All SQL is in `stores/staging/index/vectors.py` and `stores/staging/index/embeddings.py`.
"""

from collections.abc import Collection, Sequence

from psycopg.errors import DiskFull

from unde_catalog.stages.visual_index.vector_store import (
    EVERYTHING,
    NO_PGVECTOR,
    Filters,
    Hit,
    PhotoVector,
    Vector,
    VectorStoreUnavailable,
)
from unde_catalog.stores.db import bloat
from unde_catalog.stores.db.database import Cursor, Database
from unde_catalog.stores.db.postgres_tools import direct
from unde_catalog.stores.staging.index import embeddings, vectors
from unde_catalog.stores.staging.index.embeddings import NewEmbedding


class PgvectorStore:
    """The embeddings that the visual_index stage writes; it does so itself, where it settles its due rows."""

    def __init__(self, db: Database, owner_url: str | None = None) -> None:
        """`owner_url`: for `rebuild`, past any pooler and as the owner of the tables."""
        self._db, self._owner_url = db, owner_url

    def search(
        self, model: str, vector: Vector, filters: Filters = EVERYTHING, top_k: int = 20, threshold: float = -1.0
    ) -> list[Hit]:
        """As `VectorStore` says; `VectorStoreUnavailable` where the server has no pgvector."""
        return [hit for hit in self._db.run(_search, model, vector, filters, top_k) if hit.score >= threshold]

    def upsert(self, model: str, photos: Sequence[PhotoVector]) -> None:
        """As `VectorStore` says."""
        rows = [(one.product_id, NewEmbedding(one.n, one.sha256, one.vector)) for one in photos]
        self._db.run(embeddings.write, model, rows)

    def delete(self, product_ids: Sequence[int], but: Collection[tuple[int, int]] = ()) -> None:
        """As `VectorStore` says."""
        self._db.run(embeddings.keep_only, product_ids, but)

    def count(self, model: str, brand: str | None = None) -> int:
        """As `VectorStore` says."""
        return self._db.run(vectors.count, model, brand)

    def rebuild(self, model: str) -> int:
        """Make the HNSW indexes anew, or for the first time.

        `VectorStoreUnavailable` where the server has no pgvector.
        """
        with direct(self._owner_url or self._db.url, label="staging") as owner:
            try:
                _build(owner.connection)
            except DiskFull:  # of shared memory, which containers often give 64 MB: several processes build in that
                for name in vectors.INDEXES:
                    bloat.drop_index(owner.connection, f"{name}_ccnew")
                with owner.connection.cursor() as cursor:
                    vectors.build_alone(cursor)
                _build(owner.connection)
        return self.count(model)

    def serve(self, model: str) -> None:
        """Nothing to do: which model serves is a row beside the embeddings."""


def _search(cursor: Cursor, model: str, vector: Vector, filters: Filters, top_k: int) -> list[Hit]:
    if not vectors.searchable(cursor):
        raise VectorStoreUnavailable(NO_PGVECTOR)
    return vectors.search(cursor, model, vector, filters, top_k)


def _build(connection: bloat.Connection) -> None:
    with connection.cursor() as cursor:
        vectors.build_in_memory(cursor)
        old = vectors.indexes(cursor)
        if not vectors.prepare(cursor):
            raise VectorStoreUnavailable(NO_PGVECTOR)
    for name in old:
        bloat.reindex(connection, name)
