"""The vector store in the staging database. All SQL is in `staging/vectors.py` and `staging/embeddings.py`."""

from collections.abc import Collection, Sequence

from unde_catalog.index.vectors import EVERYTHING, NO_PGVECTOR, Filters, Hit, PhotoVector, Vector, VectorsDown
from unde_catalog.staging import bloat, embeddings, vectors
from unde_catalog.staging.database import Database
from unde_catalog.staging.embeddings import NewEmbedding
from unde_catalog.upkeep.postgres_tools import direct


class PgvectorStore:
    """The embeddings that the visual_index stage writes; it does so itself, where it settles its due rows."""

    def __init__(self, db: Database, owner_url: str | None = None) -> None:
        """`owner_url`: for `rebuild`, past any pooler and as the owner of the tables."""
        self._db, self._owner_url = db, owner_url

    def search(
        self, model: str, vector: Vector, filters: Filters = EVERYTHING, top_k: int = 20, threshold: float = -1.0
    ) -> list[Hit]:
        """As `VectorStore` says; `VectorsDown` where the server has no pgvector."""
        if not self._db.run(vectors.searchable):
            raise VectorsDown(NO_PGVECTOR)
        return [hit for hit in self._db.run(vectors.search, model, vector, filters, top_k) if hit.score >= threshold]

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
        """Make the HNSW indexes anew, or for the first time; `VectorsDown` where the server has no pgvector."""
        with direct(self._owner_url or self._db.url) as owner:
            with owner.connection.cursor() as cursor:
                if not vectors.prepare(cursor):
                    raise VectorsDown(NO_PGVECTOR)
            for name in vectors.INDEXES:
                bloat.reindex(owner.connection, name)
        return self.count(model)

    def serve(self, model: str) -> None:
        """Nothing to do: which model serves is a row beside the embeddings."""
