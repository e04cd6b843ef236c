"""The vector store behind one interface: what a search, the visual_index stage and an operator ask of it.

`vectors_pgvector.py` and `vectors_qdrant.py` are its two kinds, and a setting says which is used. Nothing is embedded
here.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from unde_catalog.staging.embeddings import SIZE, Vector
from unde_catalog.staging.vectors import EVERYTHING, Filters, Hit, ModelGone, Shop

__all__ = [
    "EVERYTHING",
    "SIZE",
    "Filters",
    "Hit",
    "ModelGone",
    "PhotoVector",
    "Shop",
    "Vector",
    "VectorStore",
    "VectorsDown",
]


class VectorsDown(RuntimeError):
    """The vector store can't be used now; the sentence says why and what to do."""


@dataclass(frozen=True, slots=True)
class PhotoVector:
    """An embedded photo: its product, its place from 1, its bytes' SHA-256 in hex, and 512 numbers of length 1."""

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
        """The product's id without its source's prefix (spec 3), for sources that give their ids one."""
        return self.external_id.removeprefix(f"{self.source}_").removeprefix(f"{self.source}-")


class VectorStore(Protocol):
    """Embeddings of photos by model, searched for products. Every method may be called again after any fault."""

    def search(
        self, model: str, vector: Vector, filters: Filters = EVERYTHING, top_k: int = 20, threshold: float = -1.0
    ) -> list[Hit]:
        """The products whose best photo is nearest, the nearest first, none below `threshold` (a cosine, -1 to 1).

        Fewer than `top_k` only where fewer match. `ModelGone` for a model that the index is not made of.
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
