"""A search from end to end: what it goes by, the nearest products, and all that is shown of them.

HTTP is `services/search/routes/search.py`'s; comparing embeddings is the vector store's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

from PIL import Image

from unde_catalog.brands import BRANDS
from unde_catalog.services.search.context import Context
from unde_catalog.services.search.schemas.problems import Problem
from unde_catalog.services.search.schemas.product_view import brand_name, photo_path, product_answer
from unde_catalog.services.search.schemas.search import (
    BrandResponse,
    FiltersResponse,
    Result,
    ScoreMeaning,
    SearchResponse,
    StockResponse,
    StoreResponse,
    Timings,
)
from unde_catalog.services.search.serving_model import ServingModel
from unde_catalog.services.search.ttl_cache import TtlCache
from unde_catalog.stages.visual_index.model import TextUnsupported, kind_of
from unde_catalog.stages.visual_index.score_calibration import measured
from unde_catalog.stages.visual_index.vector_store import Filters, Hit, ModelReplaced, Vector
from unde_catalog.stores.db.database import Cursor
from unde_catalog.stores.staging.index import models
from unde_catalog.stores.staging.index import search as search_rows
from unde_catalog.stores.staging.index.search import KnownStore, StoreStock
from unde_catalog.stores.staging.products import edit as catalogue_api
from unde_catalog.stores.staging.products.edit import CatalogueProduct

_REMEMBERED = 60  # seconds, of shops and of what can be filtered by
_NOTHING = Problem(503, "nothing_embedded", "nothing is embedded yet, so nothing can be found")


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """What a search is to find: filters, how many products, and the least score."""

    filters: Filters
    top_k: int
    threshold: float | None


@dataclass(frozen=True, slots=True)
class QueryEmbedding:
    """What a search goes by: an embedding, the model that made it, and the seconds that it took."""

    model: str
    vector: Vector
    seconds: float
    of_words: bool = False


class SearchService:
    """Searches of an application. Its methods block; safe in several threads."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.models = ServingModel(context.settings)
        self._shops = TtlCache(self._find_shops, _REMEMBERED)
        self._filters = TtlCache(self._find_filters, _REMEMBERED)

    def serving(self) -> str:
        """The model that the index is made of; a `Problem` while there is none."""
        serving = self._context.db.read(models.models).serving
        if serving is None:
            raise _NOTHING
        return serving

    def embed_picture(self, image: Image.Image) -> QueryEmbedding:
        """A picture by the model that serves; `ModelMissing` where it can't be had."""
        began = perf_counter()
        model = self.models.named(self.serving())
        return QueryEmbedding(model.name, model.embed_images([image])[0].tolist(), perf_counter() - began)

    def embed_words(self, words: str) -> QueryEmbedding:
        """Words by the model that serves; a `Problem` where that knows none."""
        began, serving = perf_counter(), self.serving()
        if not _knows_words(serving):
            raise Problem(
                501, "words_need_clip", f"the index is made by {serving}, which knows photos only: words need CLIP"
            )
        model = self.models.named(serving)
        try:
            vector = model.embed_words([words])[0].tolist()
        except TextUnsupported as error:
            raise Problem(
                501, "words_need_clip", f"the half of {serving} that reads words can't be had here"
            ) from error
        return QueryEmbedding(serving, vector, perf_counter() - began, of_words=True)

    def find(self, embedded: QueryEmbedding, asked: SearchQuery, but: int | None = None) -> SearchResponse:
        """The nearest products, without the one with the id `but`.

        `ModelReplaced` where another model serves by now.
        """
        began = perf_counter()
        least = -1.0 if asked.threshold is None else asked.threshold
        more = 0 if but is None else 1
        hits = self._context.vectors.search(embedded.model, embedded.vector, asked.filters, asked.top_k + more, least)
        hits = [hit for hit in hits if hit.product_id != but][: asked.top_k]
        found = perf_counter()
        results = self._results(hits)
        ended = perf_counter()
        steps = {"embed": embedded.seconds, "search": found - began, "enrich": ended - found}
        for step, seconds in steps.items():
            self._context.metrics.steps.labels(step).observe(seconds)
        took = {step: round(seconds * 1000, 1) for step, seconds in steps.items()}
        return SearchResponse.model_construct(
            model=embedded.model,
            answers_words=_knows_words(embedded.model),
            score_meaning=[] if embedded.of_words else _meaning(embedded.model),
            took_ms=Timings(**took, total=round((embedded.seconds + ended - began) * 1000, 1)),
            count=len(results),
            results=results,
        )

    def like(self, external_id: str, of_brand: str | None, n: int | None, asked: SearchQuery) -> SearchResponse:
        """What looks like photo `n` (else the first) of a product that is embedded already; without the product."""
        try:
            return self._like(external_id, of_brand, n, asked)
        except ModelReplaced:
            return self._like(external_id, of_brand, n, asked)

    def _like(self, external_id: str, of_brand: str | None, n: int | None, asked: SearchQuery) -> SearchResponse:
        began = perf_counter()
        found = self._context.db.read(search_rows.examples, external_id, of_brand, n)
        if not found:
            raise Problem(404, "unknown_product", "there is no such product")
        brands = list(dict.fromkeys(one.brand for one in found))
        if len(brands) > 1:
            said = f"{len(brands)} brands have a product of this id: say which with of_brand"
            raise Problem(409, "ambiguous_product", said, brands=brands)
        if found[0].model is None:
            raise _NOTHING
        for one in found:
            if one.model is not None and one.embedding is not None:
                return self.find(
                    QueryEmbedding(one.model, one.embedding, perf_counter() - began), asked, one.product_id
                )
        raise Problem(404, "not_embedded", "this photo is not in the index" if n else "no photo of it is in the index")

    def filters(self) -> FiltersResponse:
        """What can be searched by; up to a minute old."""
        return self._filters.get()

    def _results(self, hits: Sequence[Hit]) -> list[Result]:
        ids = [hit.product_id for hit in hits]
        products, stock = self._context.db.read(_shown, ids, self._shops.get()) if ids else ({}, {})
        return [
            Result.model_construct(
                score=round(hit.score, 4),
                photo=hit.n,
                photo_url=photo_path(hit.product_id, hit.n),
                product=product_answer(products[hit.product_id]),
                in_stock=[
                    StockResponse(
                        brand=one.shop.brand, store_id=one.shop.store_id, name=_name_of(one.shop), sizes=one.sizes
                    )
                    for one in stock.get(hit.product_id, ())
                ],
            )
            for hit in hits
            if hit.product_id in products  # one may be deleted just now
        ]

    def _find_shops(self) -> list[KnownStore]:
        """Those that were looked for, and those that are set."""
        found = {(shop.brand, shop.store_id): shop for shop in self._context.db.read(search_rows.known_stores)}
        for key, brand in self._context.settings.brands.items():
            for store_id in brand.stores:
                found.setdefault((key, store_id), KnownStore(key, store_id, None))
        return sorted(found.values(), key=lambda shop: list(BRANDS).index(shop.brand) if shop.brand in BRANDS else 99)

    def _find_filters(self) -> FiltersResponse:
        db = self._context.db
        model = db.read(models.models).serving
        currencies = self._context.settings.publish_currencies
        return FiltersResponse(
            model=model,
            answers_words=model is not None and _knows_words(model),
            photos=None if model is None else db.read(search_rows.photos, model),
            brands=[BrandResponse(key=key, name=brand.name) for key, brand in BRANDS.items()],
            categories=db.read(search_rows.categories, list(BRANDS)),
            shops=[
                StoreResponse(brand=shop.brand, store_id=shop.store_id, name=_name_of(shop))
                for shop in self._shops.get()
            ],
            currency=currencies[0] if currencies else "AED",
        )


def _shown(
    cursor: Cursor, ids: Sequence[int], shops: Sequence[KnownStore]
) -> tuple[dict[int, CatalogueProduct], dict[int, list[StoreStock]]]:
    return dict(catalogue_api.by_ids(cursor, ids)), dict(search_rows.in_stock(cursor, ids, shops))


def _knows_words(model: str) -> bool:
    return kind_of(model) == "clip"


def _meaning(model: str) -> list[ScoreMeaning]:
    return [ScoreMeaning(at_least=one.at_least, same_garment=one.same_garment) for one in measured(model)]


def _name_of(shop: KnownStore) -> str:
    return shop.name or f"{brand_name(shop.brand)} {shop.store_id}"
