"""The vector store behind one interface: what a search, the visual_index stage and an operator ask of it.

`pgvector.py` and `qdrant.py` are its two kinds, and a setting says which is used. Nothing is embedded
here.
"""

from collections.abc import Collection, Sequence
from typing import Protocol

from unde_catalog.stores.staging.index.embeddings import SIZE, PhotoVector, Vector
from unde_catalog.stores.staging.index.vectors import EVERYTHING, Filters, Hit, ModelReplaced, StoreKey

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
]


NO_PGVECTOR = (
    "the staging database can't search embeddings: install the extension pgvector (0.8 or newer) on its server, let a "
    "superuser run CREATE EXTENSION vector in it, then run unde-catalog vectors rebuild; or set QDRANT_URL"
)


class VectorStoreUnavailable(RuntimeError):
    """The vector store can't be used now; the sentence says why and what to do."""


MIRRORED_SCOPE = "pilot"  # what goes into Qdrant; spec 3: `pgvector` means only there


class VectorStore(Protocol):
    """Embeddings of photos by model, searched for products. Every method may be called again after any fault."""

    def search(
        self, model: str, vector: Vector, filters: Filters = EVERYTHING, top_k: int = 20, threshold: float = -1.0
    ) -> list[Hit]:
        """The products whose best photo is nearest, the nearest first, none below `threshold` (a cosine, -1 to 1).

        Fewer than `top_k` only where fewer match. `ModelReplaced` for a model that the index is not made of.
        """
        ...

    def upsert(self, model: str, photos: Sequence[PhotoVector]) -> None:
        """Let these photos be found, in place of what was there in their places."""
        ...

    def delete(self, product_ids: Sequence[int], but: Collection[tuple[int, int]] = ()) -> None:
        """Let the photos of these products not be found any more, but for places `(product_id, n)`; of all models."""
        ...

    def count(self, model: str, brand: str | None = None) -> int:
        """How many photos there are by a model, of a brand or of all."""
        ...

    def rebuild(self, model: str) -> int:
        """Make the model's index anew from the embeddings in the staging database; how many photos it has then."""
        ...

    def serve(self, model: str) -> None:
        """Let whoever asks for no model in particular find this one's, and drop all others."""
        ...
