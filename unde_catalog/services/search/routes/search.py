"""Searches over HTTP: by a photo, by words, by a product; and what they can be narrowed down to."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Annotated, TypeVar

import anyio
import anyio.to_thread
from fastapi import APIRouter, Depends, File, Form, Path, Query, Request, Response, UploadFile
from pydantic import BaseModel

from unde_catalog.services.search.context import Context
from unde_catalog.services.search.schemas.search import (
    USUAL_RESULTS,
    BrandKey,
    Brands,
    Categories,
    FiltersResponse,
    Price,
    SearchResponse,
    ShopName,
    Text,
    TextSearch,
    Threshold,
    TopK,
    filters_of,
)
from unde_catalog.services.search.search_service import QueryEmbedding, SearchQuery, SearchService
from unde_catalog.services.search.uploads import Uploads
from unde_catalog.stages.visual_index.vector_store import ModelReplaced

_T = TypeVar("_T")
_EMBEDDING_AT_ONCE = 2  # a model uses all cores for one photo; meanwhile another one is prepared

router = APIRouter(prefix="/api/v1", tags=["search"])


class Searching:
    """The searches of an application, each within the time that is set."""

    def __init__(self, context: Context) -> None:
        self.finder = SearchService(context)
        self.uploads = Uploads(context.settings, context.metrics)
        self._seconds = context.settings.search_timeout
        self._embedding = anyio.CapacityLimiter(_EMBEDDING_AT_ONCE)

    async def by_photo(self, photo: UploadFile, asked: SearchQuery) -> SearchResponse:
        """By a photo that was sent."""
        async with asyncio.timeout(self._seconds):
            picture = await self.uploads.read(photo.file, photo.size)
            return await self._by(lambda: self.finder.embed_picture(picture), asked)

    async def by_words(self, words: str, asked: SearchQuery) -> SearchResponse:
        """By words."""
        async with asyncio.timeout(self._seconds):
            return await self._by(lambda: self.finder.embed_words(words), asked)

    async def in_time(self, work: Callable[[], _T]) -> _T:
        """In a thread; who waits for it no longer leaves it to end by itself."""
        async with asyncio.timeout(self._seconds):
            return await anyio.to_thread.run_sync(work, abandon_on_cancel=True)

    async def _by(self, embed: Callable[[], QueryEmbedding], asked: SearchQuery) -> SearchResponse:
        embedded = await anyio.to_thread.run_sync(embed, limiter=self._embedding)
        try:
            return await self.in_time(lambda: self.finder.find(embedded, asked))
        except ModelReplaced:  # another one serves since then
            embedded = await anyio.to_thread.run_sync(embed, limiter=self._embedding)
            return await self.in_time(lambda: self.finder.find(embedded, asked))


async def _searching(request: Request) -> Searching:
    return request.app.state.searching


InSearching = Annotated[Searching, Depends(_searching)]


@router.post("/search/by-image", response_model=SearchResponse, summary="Search by a photo")
async def by_image(
    searching: InSearching,
    file: Annotated[UploadFile, File(description="JPEG, PNG, WebP, AVIF, GIF, BMP or TIFF, 20 MB at the most")],
    top_k: Annotated[TopK, Form()] = USUAL_RESULTS,
    threshold: Annotated[Threshold, Form()] = None,
    brand: Annotated[Brands, Form()] = [],  # noqa: B006  FastAPI copies it
    category: Annotated[Categories, Form()] = [],  # noqa: B006
    price_from: Annotated[Price, Form()] = None,
    price_to: Annotated[Price, Form()] = None,
    shop: Annotated[ShopName, Form()] = None,
) -> Response:
    """The products whose photos look most like this one."""
    asked = SearchQuery(filters_of(brand, category, price_from, price_to, shop), top_k, threshold)
    return _json(await searching.by_photo(file, asked))


@router.post("/search/by-text", response_model=SearchResponse, summary="Search by words")
async def by_text(searching: InSearching, asked: TextSearch) -> Response:
    """The products whose photos show what the words say; 501 `words_need_clip` where the model knows no words."""
    filters = filters_of(asked.brands, asked.categories, asked.price_from, asked.price_to, asked.shop)
    return _json(await searching.by_words(asked.query, SearchQuery(filters, asked.top_k, asked.threshold)))


@router.get(
    "/products/{external_id:path}/similar",
    response_model=SearchResponse,
    summary="More like a product",
)
async def similar(
    searching: InSearching,
    external_id: Annotated[Text, Path(max_length=100)],
    n: Annotated[int | None, Query(ge=1, le=32_767, description="by this one of its photos, else the first")] = None,
    of_brand: Annotated[
        BrandKey | None, Query(description="whose product, where two brands have one of this id")
    ] = None,
    top_k: Annotated[TopK, Query()] = USUAL_RESULTS,
    threshold: Annotated[Threshold, Query()] = None,
    brand: Annotated[Brands, Query()] = [],  # noqa: B006
    category: Annotated[Categories, Query()] = [],  # noqa: B006
    price_from: Annotated[Price, Query()] = None,
    price_to: Annotated[Price, Query()] = None,
    shop: Annotated[ShopName, Query()] = None,
) -> Response:
    """The other products whose photos look most like this one's. It is by its stored embedding: nothing is embedded."""
    asked = SearchQuery(filters_of(brand, category, price_from, price_to, shop), top_k, threshold)
    return _json(await searching.in_time(partial(searching.finder.like, external_id, of_brand, n, asked)))


@router.get("/filters", response_model=FiltersResponse, summary="What can be searched by")
async def filters(searching: InSearching) -> Response:
    """Brands, categories and shops to filter by, and the model that answers. It may be a minute old."""
    return _json(await searching.in_time(searching.finder.filters))


def _json(answer: BaseModel) -> Response:
    # Made of values of our own, so not looked through once more.
    return Response(answer.__pydantic_serializer__.to_json(answer), media_type="application/json")
