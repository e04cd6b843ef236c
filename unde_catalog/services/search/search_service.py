"""Runs a search: embeds the query, finds the nearest products and adds what the response shows of them.

HTTP is in `routes/search.py`. The vector store compares the embeddings.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter

from PIL import Image

from unde_catalog.brands import BRANDS
from unde_catalog.services.search.context import Context
from unde_catalog.services.search.index_check import IndexCheck
from unde_catalog.services.search.links import photo_url
from unde_catalog.services.search.schemas.problems import Problem
from unde_catalog.services.search.schemas.product_view import brand_name, product_response
from unde_catalog.services.search.schemas.search import (
    BrandResponse,
    FiltersResponse,
    ReadTerm,
    Result,
    ScoreMeaning,
    SearchResponse,
    StockResponse,
    StoreResponse,
    Timings,
)
from unde_catalog.services.search.serving_model import ServingModel
from unde_catalog.services.search.ttl_cache import TtlCache
from unde_catalog.services.search.word_search import WordSearch, fuse
from unde_catalog.stages.visual_index.model import ModelMissing, TextUnsupported, kind_of
from unde_catalog.stages.visual_index.score_calibration import measured
from unde_catalog.stages.visual_index.vector_store import Filters, Hit, ModelReplaced, Vector, VectorStoreUnavailable
from unde_catalog.stores.db.database import Cursor
from unde_catalog.stores.staging.index import models, search_rows
from unde_catalog.stores.staging.index.search_rows import KnownStore, StoreStock
from unde_catalog.stores.staging.products import api_products
from unde_catalog.stores.staging.products.api_products import ApiProduct

_CACHE_SECONDS = 60  # for stores and filter values
_MIN_COSINE = -1.0
_WORDS_WEIGHT = 2  # of the list that words found, against the list of a model that knows words
_SHOWN_WORDS = 12  # in the response, of those that were searched instead of one
_INDEX_EMPTY = Problem(503, "nothing_embedded", "The index is empty: no photo has been embedded yet.")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """Filters, the maximum number of results, and the minimum score (None: any)."""

    filters: Filters
    top_k: int
    threshold: float | None


@dataclass(frozen=True, slots=True)
class QueryEmbedding:
    """The embedding of a query, the model that made it, and the seconds that took."""

    model: str
    vector: Vector
    seconds: float


class SearchService:
    """The searches of one application. Methods block. Thread-safe. Raises `DictionaryError` at its start."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.models = ServingModel(context.settings)
        self._index = IndexCheck(context)
        self._words = WordSearch(context.settings.search_dictionary)
        self._stores = TtlCache(self._load_stores, _CACHE_SECONDS)
        self._filters = TtlCache(self._load_filters, _CACHE_SECONDS)

    def serving_model(self) -> str:
        """The name of the model that the index uses. Raises a `Problem` if the index is empty."""
        serving = self._context.db.read(models.current).serving
        if serving is None:
            raise _INDEX_EMPTY
        return serving

    def check_index(self) -> None:
        """Raise a `Problem` if a search by a brand finds nothing although photos of it are embedded."""
        self._index.check(self.serving_model())

    def embed_image(self, image: Image.Image) -> QueryEmbedding:
        """Embed an image with the serving model. Raises `ModelMissing`."""
        started = perf_counter()
        model = self.models.get(self.serving_model())
        return QueryEmbedding(model.name, model.embed_images([image])[0].tolist(), perf_counter() - started)

    def embed_text(self, text: str) -> QueryEmbedding | None:
        """Embed text with the serving model; None if that knows no words, or its files are not on this machine."""
        started, serving = perf_counter(), self._context.db.read(models.current).serving
        if serving is None or not _supports_text(serving):
            return None
        try:
            vector = self.models.get(serving).embed_texts([text])[0].tolist()
        except (TextUnsupported, ModelMissing) as error:
            log.warning("words are searched in the texts of products alone: %s", error)
            return None
        return QueryEmbedding(serving, vector, perf_counter() - started)

    def search_text(self, text: str, embedding: QueryEmbedding | None, query: SearchQuery) -> SearchResponse:
        """The products that match a text, by their words and, with an embedding, by their photos.

        Raises `ModelReplaced` if the index has switched to another model since the text was embedded.
        """
        started = perf_counter()
        found = self._words.search(self._context.db, text, query.filters, query.top_k)
        near = self._near(embedding, query) if embedding else []
        missing = {product.product_id: product.missing for product in found.products}
        scores = {hit.product_id: hit for hit in near}
        order = fuse([(_WORDS_WEIGHT, list(missing)), (1, list(scores))])[: query.top_k]
        hits = [scores.get(id, Hit(id, 0, 0)) for id in order]
        response = self._response(embedding, hits, started, missing)
        response.read_as = [
            ReadTerm(
                text=term.text,
                kind=term.kind,
                also=[" ".join(phrase) for phrase in [*term.same, *term.narrower][1 : _SHOWN_WORDS + 1]],
                instead_of=term.instead_of,
            )
            for term in found.reading.terms
        ]
        response.searched_for, response.left_out = found.reading.corrected, found.reading.left_out
        response.total = found.total
        return response

    def _near(self, embedding: QueryEmbedding, query: SearchQuery) -> list[Hit]:
        """The products with the nearest photos; none if the vector store is down, so that words still find theirs."""
        threshold = _MIN_COSINE if query.threshold is None else query.threshold
        try:
            return self._context.vectors.search(
                embedding.model, embedding.vector, query.filters, query.top_k, threshold
            )
        except VectorStoreUnavailable as error:
            log.warning("words are searched in the texts of products alone: %s", error)
            return []

    def search(
        self, embedding: QueryEmbedding, query: SearchQuery, exclude_product: int | None = None
    ) -> SearchResponse:
        """The nearest products, without the one whose id is `exclude_product`.

        Raises `ModelReplaced` if the index has switched to another model since the query was embedded.
        """
        started = perf_counter()
        threshold = _MIN_COSINE if query.threshold is None else query.threshold
        count = query.top_k + (exclude_product is not None)
        hits = self._context.vectors.search(embedding.model, embedding.vector, query.filters, count, threshold)
        if len(hits) < count and query.threshold is None:
            self._index.compare(embedding.model, query.filters, len(hits), count)
        return self._response(
            embedding, [hit for hit in hits if hit.product_id != exclude_product][: query.top_k], started
        )

    def _response(
        self,
        embedding: QueryEmbedding | None,
        hits: Sequence[Hit],
        started: float,
        missing: Mapping[int, list[str]] | None = None,
    ) -> SearchResponse:
        """The response of a search. `missing`: the products that words found, and which words each lacks."""
        searched = perf_counter()
        results = self._results(hits, missing or {})
        ended = perf_counter()
        embedded = embedding.seconds if embedding else 0.0
        steps = {"embed": embedded, "search": searched - started, "enrich": ended - searched}
        for step, seconds in steps.items():
            self._context.metrics.steps.labels(step).observe(seconds)
        milliseconds = {step: round(seconds * 1000, 1) for step, seconds in steps.items()}
        return SearchResponse.model_construct(
            model=embedding.model if embedding else None,
            answers_words=embedding is not None and _supports_text(embedding.model),
            read_as=[],
            searched_for=None,
            left_out=[],
            total=None,
            score_meaning=_score_meaning(embedding.model) if embedding and missing is None else [],
            took_ms=Timings(**milliseconds, total=round((embedded + ended - started) * 1000, 1)),
            count=len(results),
            results=results,
        )

    def similar(self, external_id: str, brand: str | None, n: int | None, query: SearchQuery) -> SearchResponse:
        """Other products similar to photo `n` of a product (None: its first), by the stored embedding."""
        try:
            return self._similar(external_id, brand, n, query)
        except ModelReplaced:
            return self._similar(external_id, brand, n, query)

    def _similar(self, external_id: str, brand: str | None, n: int | None, query: SearchQuery) -> SearchResponse:
        started = perf_counter()
        examples = self._context.db.read(search_rows.examples, external_id, brand, n)
        if not examples:
            raise Problem(404, "unknown_product", "There is no product with this external id.")
        brands = list(dict.fromkeys(example.brand for example in examples))
        if len(brands) > 1:
            detail = f"{len(brands)} brands have a product with this external id. Choose one with of_brand."
            raise Problem(409, "ambiguous_product", detail, brands=brands)
        if examples[0].model is None:
            raise _INDEX_EMPTY
        for example in examples:
            if example.model is not None and example.embedding is not None:
                embedding = QueryEmbedding(example.model, example.embedding, perf_counter() - started)
                return self.search(embedding, query, exclude_product=example.product_id)
        missing = "This photo is not in the index." if n else "The product has no photo in the index."
        raise Problem(404, "not_embedded", missing)

    def filters(self) -> FiltersResponse:
        """The values to filter by, at most a minute old."""
        return self._filters.get()

    def _results(self, hits: Sequence[Hit], missing: Mapping[int, list[str]]) -> list[Result]:
        ids = [hit.product_id for hit in hits]
        products, stock = self._context.db.read(_products_and_stock, ids, self._stores.get()) if ids else ({}, {})
        return [
            Result.model_construct(
                score=round(hit.score, 4) if hit.n else None,
                found_by=(["photo"] if hit.n else []) + (["words"] if hit.product_id in missing else []),
                missing=missing.get(hit.product_id, []),
                photo=hit.n or next(iter(products[hit.product_id].photos), 1),
                photo_url=_photo_url(products[hit.product_id], hit.n),
                product=product_response(products[hit.product_id]),
                in_stock=[
                    StockResponse(
                        brand=stocked.store.brand,
                        store_id=stocked.store.store_id,
                        name=_store_name(stocked.store),
                        sizes=stocked.sizes,
                    )
                    for stocked in stock.get(hit.product_id, ())
                ],
            )
            for hit in hits
            if hit.product_id in products  # a product may have been deleted since the search
        ]

    def _load_stores(self) -> list[KnownStore]:
        """The stores in raw_stores and in the settings, in the order of the brands."""
        stores = {(store.brand, store.store_id): store for store in self._context.db.read(search_rows.known_stores)}
        for key, brand in self._context.settings.brands.items():
            for store_id in brand.stores:
                stores.setdefault((key, store_id), KnownStore(key, store_id, None))
        order = {key: position for position, key in enumerate(BRANDS)}
        return sorted(stores.values(), key=lambda store: order.get(store.brand, len(order)))

    def _load_filters(self) -> FiltersResponse:
        db = self._context.db
        model = db.read(models.current).serving
        currencies = self._context.settings.publish_currencies
        return FiltersResponse(
            model=model,
            answers_words=model is not None and _supports_text(model),
            photos=None if model is None else db.read(search_rows.photos, model),
            brands=[BrandResponse(key=key, name=brand.name) for key, brand in BRANDS.items()],
            categories=db.read(search_rows.categories, list(BRANDS)),
            shops=[
                StoreResponse(brand=store.brand, store_id=store.store_id, name=_store_name(store))
                for store in self._stores.get()
            ],
            currency=currencies[0] if currencies else "AED",
        )


def _products_and_stock(
    cursor: Cursor, ids: Sequence[int], stores: Sequence[KnownStore]
) -> tuple[dict[int, ApiProduct], dict[int, list[StoreStock]]]:
    return dict(api_products.by_ids(cursor, ids)), dict(search_rows.in_stock(cursor, ids, stores))


def _supports_text(model: str) -> bool:
    return kind_of(model) == "clip"


def _score_meaning(model: str) -> list[ScoreMeaning]:
    return [ScoreMeaning(at_least=step.at_least, same_garment=step.same_garment) for step in measured(model)]


def _store_name(store: KnownStore) -> str:
    return store.name or f"{brand_name(store.brand)} {store.store_id}"


def _photo_url(row: ApiProduct, n: int) -> str:
    """The address of photo `n`; for 0, of the picture that stands for the product."""
    return photo_url(row.id, row.brand, row.external_id, n) if n else product_response(row).image_url
