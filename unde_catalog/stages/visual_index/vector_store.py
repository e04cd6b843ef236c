"""The interface of a vector store, for searches, the visual_index stage and `unde-catalog vectors`.

`pgvector.py` and `qdrant.py` implement it; `open_store.py` selects one. Nothing is embedded here.
"""

from collections.abc import Collection, Sequence
from typing import Protocol

from unde_catalog.stores.staging.index.embeddings import SIZE, PhotoVector, Vector
from unde_catalog.stores.staging.index.product_filters import EVERYTHING, Filters, StoreKey
from unde_catalog.stores.staging.index.vectors import Hit, ModelReplaced

__all__ = [
    "EVERYTHING",
    "NO_PGVECTOR",
    "SIZE",
    "Filters",
    "Hit",
    "ModelReplaced",
    "PhotoVector",
    "StoreKey",
    "Vector",
    "VectorStore",
    "VectorStoreUnavailable",
    "why_not_searchable",
]


NO_PGVECTOR = (
    "the staging database can't search embeddings: install the extension pgvector (0.8 or later) on its server, let a "
    "superuser run CREATE EXTENSION vector in it, then run unde-catalog vectors rebuild; or set QDRANT_URL"
)

_UNUSED_PGVECTOR = (
    "the staging database has the extension pgvector, but keeps the embeddings as real[]: run unde-catalog vectors "
    "rebuild, or wait for the daily upkeep; if they stay, the owner of the tables may not use the extension's schema, "
    "or pgvector is older than 0.7"
)


def why_not_searchable(pgvector_installed: bool) -> str:
    """Why embeddings in the staging database cannot be searched, and what to do."""
    return _UNUSED_PGVECTOR if pgvector_installed else NO_PGVECTOR


class VectorStoreUnavailable(RuntimeError):
    """The vector store can't be used; the message says why and what to do."""


class VectorStore(Protocol):
    """Embeddings of photos by model, for searching products. All methods may be repeated after an error."""

    def search(
        self, model: str, vector: Vector, filters: Filters = EVERYTHING, top_k: int = 20, threshold: float = -1.0
    ) -> list[Hit]:
        """The products with the nearest photos, the nearest first, none below `threshold` (a cosine, -1 to 1).

        Returns fewer than `top_k` only if fewer match. Raises `ModelReplaced` if the index does not use the model.
        """
        ...

    def upsert(self, model: str, photos: Sequence[PhotoVector]) -> None:
        """Add these photos, and replace existing ones with the same product and number."""
        ...

    def delete(self, product_ids: Sequence[int], keep: Collection[tuple[int, int]] = ()) -> None:
        """Delete the photos of these products, of all models, except the `(product_id, n)` of `keep`."""
        ...

    def count(self, model: str, brand: str | None = None) -> int:
        """The number of a model's photos, of one brand or of all."""
        ...

    def rebuild(self, model: str) -> int:
        """Rebuild the model's index from the embeddings in the staging database; returns its number of photos."""
        ...

    def serve(self, model: str) -> None:
        """Make this model the default of the index, and delete the photos of unused models."""
        ...
