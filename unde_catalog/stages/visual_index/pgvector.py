"""The vector store in the staging database, with pgvector.

The SQL is in `stores/staging/index/vectors.py` and `stores/staging/index/embeddings.py`.
"""

from collections.abc import Collection, Sequence

from psycopg.errors import DiskFull

from unde_catalog.stages.visual_index.vector_store import (
    EVERYTHING,
    Filters,
    Hit,
    PhotoVector,
    Vector,
    VectorStoreUnavailable,
    why_not_searchable,
)
from unde_catalog.stores.db import bloat
from unde_catalog.stores.db.database import Cursor, Database
from unde_catalog.stores.db.postgres_tools import direct
from unde_catalog.stores.staging.index import embeddings, vectors
from unde_catalog.stores.staging.index.embeddings import NewEmbedding


class PgvectorStore:
    """The embeddings in the staging database. The visual_index stage writes them itself, with its outcomes."""

    def __init__(self, db: Database, owner_url: str | None = None) -> None:
        """`owner_url`: for `rebuild`, a direct connection as the owner of the tables."""
        self._db, self._owner_url = db, owner_url

    def search(
        self, model: str, vector: Vector, filters: Filters = EVERYTHING, top_k: int = 20, threshold: float = -1.0
    ) -> list[Hit]:
        """See `VectorStore`; raises `VectorStoreUnavailable` if the server has no pgvector."""
        return [hit for hit in self._db.read(_search, model, vector, filters, top_k) if hit.score >= threshold]

    def upsert(self, model: str, photos: Sequence[PhotoVector]) -> None:
        """See `VectorStore`."""
        rows = [(one.product_id, NewEmbedding(one.n, one.sha256, one.vector)) for one in photos]
        self._db.run(embeddings.write, model, rows)

    def delete(self, product_ids: Sequence[int], keep: Collection[tuple[int, int]] = ()) -> None:
        """See `VectorStore`."""
        self._db.run(embeddings.keep_only, product_ids, keep)

    def count(self, model: str, brand: str | None = None) -> int:
        """See `VectorStore`."""
        return self._db.run(vectors.count, model, brand)

    def rebuild(self, model: str) -> int:
        """Build the HNSW indexes, again or for the first time.

        Raises `VectorStoreUnavailable` if the server has no pgvector.
        """
        with direct(self._owner_url or self._db.url, label="staging") as owner:
            try:
                _build(owner.connection)
            except DiskFull:  # shared memory, often 64 MB in containers, is too small for a parallel build
                for name in vectors.INDEXES:
                    bloat.drop_index(owner.connection, f"{name}_ccnew")
                with owner.connection.cursor() as cursor:
                    vectors.disable_parallel_build(cursor)
                _build(owner.connection)
        return self.count(model)

    def serve(self, model: str) -> None:
        """Does nothing: a row beside the embeddings names the model in use."""


def _search(cursor: Cursor, model: str, vector: Vector, filters: Filters, top_k: int) -> list[Hit]:
    if not vectors.searchable(cursor):
        raise VectorStoreUnavailable(why_not_searchable(vectors.pgvector_installed(cursor)))
    return vectors.search(cursor, model, vector, filters, top_k)


def _build(connection: bloat.Connection) -> None:
    with connection.cursor() as cursor:
        vectors.set_build_memory(cursor)
        old = vectors.indexes(cursor)
        if not vectors.prepare(cursor):
            raise VectorStoreUnavailable(why_not_searchable(vectors.pgvector_installed(cursor)))
    for name in old:
        bloat.reindex(connection, name)
