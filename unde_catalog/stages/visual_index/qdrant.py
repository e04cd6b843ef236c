"""The vector store in a Qdrant server: a copy of the embeddings of all searchable products.

The visual_index stage updates it. Each model has its own collection; `product_embeddings` is an alias of the collection
of the model in use. Whether a product is on sale and in stock is read from the staging database.
"""

import re
import uuid
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pydantic import SecretStr
from qdrant_client import QdrantClient
from qdrant_client import models as q
from qdrant_client.http.exceptions import ApiException

from unde_catalog.stages.visual_index.vector_store import (
    EVERYTHING,
    SIZE,
    Filters,
    Hit,
    ModelReplaced,
    PhotoVector,
    Vector,
    VectorStoreUnavailable,
)
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.index import embeddings, models, vectors
from unde_catalog.stores.staging.photos.originals import PHOTOS_A_PRODUCT
from unde_catalog.text import first_line

ALIAS = "product_embeddings"
_NAMESPACE = uuid.UUID("6f1d3a52-8a0e-5c0b-9c39-1b6f0d6a1f57")  # of the ids of our points
_SECONDS = 30  # the time-out of a request
_BATCH = 200  # points in a request: about 400 KB
_EF_SEARCH = 200  # the size of the HNSW candidate list
_INDEXED = {
    "product_id": q.PayloadSchemaType.INTEGER,
    "brand": q.PayloadSchemaType.KEYWORD,
    "category": q.PayloadSchemaType.KEYWORD,
    "price": q.PayloadSchemaType.FLOAT,
}


def open_qdrant(url: str, api_key: SecretStr | None, db: Database) -> "QdrantStore":
    """The store at a server's URL; sends no request yet."""
    key = None if api_key is None else api_key.get_secret_value()
    client = QdrantClient(url=url, api_key=key, timeout=_SECONDS, check_compatibility=False)
    return QdrantStore(client, db)


def point_id(photo: PhotoVector) -> str:
    """A UUID made from the product's source and external id and the photo's number."""
    return _uuid(photo.source, photo.external_id, photo.n)


def _uuid(source: str, external_id: str, n: int) -> str:
    return str(uuid.uuid5(_NAMESPACE, f"{source}/{external_id}/{n}"))


class QdrantStore:
    """Photos of products with `index_scope` `pilot` or `pgvector`."""

    def __init__(self, client: QdrantClient, db: Database) -> None:
        self._client, self._db = client, db
        self._existing: set[str] = set()  # collections

    def search(
        self, model: str, vector: Vector, filters: Filters = EVERYTHING, top_k: int = 20, threshold: float = -1.0
    ) -> list[Hit]:
        """See `VectorStore`. Raises `VectorStoreUnavailable`."""
        conditions = self._conditions(filters)
        if conditions is None:
            return []
        with _server_errors():
            if not self._client.collection_exists(_collection(model)):
                raise self._missing_collection(model)
            limit = top_k * PHOTOS_A_PRODUCT
            while True:
                points = self._client.query_points(
                    _collection(model), query=list(vector), query_filter=q.Filter(must=conditions), limit=limit,
                    with_payload=["product_id", "n"], score_threshold=threshold,
                    search_params=q.SearchParams(hnsw_ef=max(_EF_SEARCH, limit)),
                ).points  # fmt: skip
                hits = self._best(points)[:top_k]
                if len(hits) == top_k or len(points) < limit:
                    return hits
                limit *= 2  # some products were removed after their photos were written

    def upsert(self, model: str, photos: Sequence[PhotoVector]) -> None:
        """See `VectorStore`."""
        with _server_errors():
            self._ensure(model)
            for at in range(0, len(photos), _BATCH):
                points = [
                    q.PointStruct(id=point_id(one), vector=list(one.vector), payload=_payload(one))
                    for one in photos[at : at + _BATCH]
                ]
                self._client.upsert(_collection(model), points, wait=True)

    def delete(self, product_ids: Sequence[int], keep: Collection[tuple[int, int]] = ()) -> None:
        """See `VectorStore`."""
        if not product_ids:
            return
        numbers: dict[int, list[int]] = {}
        for product_id, n in keep:
            numbers.setdefault(product_id, []).append(n)
        kept: list[q.Condition] = [
            q.Filter(must=[_any("product_id", [product_id]), _any("n", ns)]) for product_id, ns in numbers.items()
        ]
        deleted = q.Filter(must=[_any("product_id", list(product_ids))], must_not=kept)
        with _server_errors():
            for collection in self._collections():
                self._client.delete(collection, q.FilterSelector(filter=deleted), wait=True)

    def count(self, model: str, brand: str | None = None) -> int:
        """See `VectorStore`."""
        with _server_errors():
            if not self._client.collection_exists(_collection(model)):
                return 0
            only = None if brand is None else q.Filter(must=[_any("brand", [brand])])
            return self._client.count(_collection(model), count_filter=only, exact=True).count

    def rebuild(self, model: str) -> int:
        """Write all photos again, then delete all other points, in batches."""
        after = 0
        while photos := self._db.run(embeddings.page, model, after, _BATCH):
            self.upsert(model, photos)
            after = photos[-1].product_id
        with _server_errors():
            self._ensure(model)
            offset: Any = None
            while True:
                points, offset = self._client.scroll(
                    _collection(model), limit=1_000, offset=offset, with_payload=["product_id"], with_vectors=False
                )
                if obsolete := self._obsolete(model, points):
                    self._client.delete(_collection(model), q.PointIdsList(points=obsolete), wait=True)
                if offset is None:
                    break
        self.serve(model)
        return self.count(model)

    def serve(self, model: str) -> None:
        """Point the alias to the model's collection, and delete collections of models that are not in use or built."""
        now = self._db.run(models.current)
        used = {_collection(one) for one in (model, now.serving, now.building) if one is not None}
        with _server_errors():
            self._ensure(model)
            aliases = {one.alias_name: one.collection_name for one in self._client.get_aliases().aliases}
            if aliases.get(ALIAS) != _collection(model):
                steps: list[q.AliasOperations] = []
                if ALIAS in aliases:
                    steps.append(q.DeleteAliasOperation(delete_alias=q.DeleteAlias(alias_name=ALIAS)))
                create = q.CreateAlias(collection_name=_collection(model), alias_name=ALIAS)
                steps.append(q.CreateAliasOperation(create_alias=create))
                self._client.update_collection_aliases(steps)
            for collection in self._collections():
                if collection not in used:
                    self._client.delete_collection(collection)
                    self._existing.discard(collection)

    def _obsolete(self, model: str, points: Sequence[q.Record]) -> list[q.ExtendedPointId]:
        """The ids of points that belong to no embedded photo now, so photos added during a rebuild are kept."""
        products = {(point.payload or {}).get("product_id") for point in points}
        ids = [id for id in products if isinstance(id, int)]
        current = {_uuid(*one) for one in self._db.run(vectors.identities, model, ids)}
        return [point.id for point in points if str(point.id) not in current]

    def _best(self, points: Sequence[q.ScoredPoint]) -> list[Hit]:
        """The best photo of each product that is still searchable; points are ordered by score."""
        best: dict[int, Hit] = {}
        for point in points:
            payload = point.payload or {}
            product_id = payload["product_id"]
            best.setdefault(product_id, Hit(product_id, payload["n"], float(point.score)))
        searchable = self._db.run(vectors.searchable_products, list(best))
        return [hit for hit in best.values() if hit.product_id in searchable]

    def _conditions(self, filters: Filters) -> list[q.Condition] | None:
        """The conditions of a point; None if nothing can match."""
        conditions: list[q.Condition] = []
        if filters.brands:
            conditions.append(_any("brand", list(filters.brands)))
        if filters.categories:
            conditions.append(_any("category", list(filters.categories)))
        if filters.price_from is not None or filters.price_to is not None:
            # Qdrant's numbers are floats; equal prices become equal floats.
            low, high = (None if price is None else float(price) for price in (filters.price_from, filters.price_to))
            conditions.append(q.FieldCondition(key="price", range=q.Range(gte=low, lte=high)))
        if filters.in_stock_at is not None:
            in_stock = self._db.run(vectors.in_stock, filters.in_stock_at)
            if not in_stock:
                return None
            conditions.append(_any("product_id", in_stock))
        return conditions

    def _ensure(self, model: str) -> None:
        """Create the model's collection if it does not exist; another process may do so at the same time."""
        name = _collection(model)
        if name in self._existing:
            return
        if not self._client.collection_exists(name):
            try:
                self._client.create_collection(name, q.VectorParams(size=SIZE, distance=q.Distance.COSINE))
            except (ApiException, ValueError):
                if not self._client.collection_exists(name):
                    raise
        for field, schema in _INDEXED.items():
            self._client.create_payload_index(name, field, schema, wait=True)
        self._existing.add(name)

    def _collections(self) -> list[str]:
        names = [one.name for one in self._client.get_collections().collections]
        return [name for name in names if name.startswith(f"{ALIAS}-")]

    def _missing_collection(self, model: str) -> Exception:
        now = self._db.run(models.current)
        if model in (now.serving, now.building):
            return VectorStoreUnavailable(f"Qdrant has no photos of {model}: run unde-catalog vectors rebuild")
        return ModelReplaced(f"the index no longer uses {model}: embed again with the model in use")


def _collection(model: str) -> str:
    return f"{ALIAS}-{re.sub(r'[^a-z0-9.]+', '-', model.lower())}"


def _payload(photo: PhotoVector) -> dict[str, Any]:
    return {
        "product_id": photo.product_id, "external_id": photo.external_id, "original_id": photo.original_id,
        "brand": photo.brand, "category": photo.category, "n": photo.n, "sha256": photo.sha256,
        "price": None if photo.price is None else float(photo.price),
    }  # fmt: skip


def _any(key: str, values: list[Any]) -> q.FieldCondition:
    return q.FieldCondition(key=key, match=q.MatchAny(any=values))


@contextmanager
def _server_errors() -> Iterator[None]:
    """Turn errors of the server into `VectorStoreUnavailable`, without the URL, which may contain a secret."""
    try:
        yield
    except ApiException as error:
        reason = first_line(error)
        raise VectorStoreUnavailable(
            f"Qdrant (QDRANT_URL) can't be used: {reason[:300]}; retry when the server is back"
        ) from error
