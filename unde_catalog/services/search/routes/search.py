"""Search endpoints: by photo, by text and by product, and the values to filter by.

`search_service.py` runs the searches.
"""

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
    DEFAULT_RESULTS,
    BrandKey,
    Brands,
    Categories,
    FiltersResponse,
    Price,
    SearchResponse,
    StoreParam,
    Text,
    TextSearch,
    Threshold,
    TopK,
    build_filters,
)
from unde_catalog.services.search.search_service import SearchQuery, SearchService
from unde_catalog.services.search.uploads import Uploads
from unde_catalog.stages.visual_index.vector_store import ModelReplaced

_T = TypeVar("_T")
_EMBED_CONCURRENCY = 2  # a model uses all cores for one photo; the second slot prepares the next photo meanwhile

router = APIRouter(prefix="/api/v1", tags=["search"])


class SearchRunner:
    """Runs an application's searches in threads, each within the configured timeout (`TimeoutError`)."""

    def __init__(self, context: Context) -> None:
        self.service = SearchService(context)
        self.uploads = Uploads(context.settings, context.metrics)
        self._timeout = context.settings.search_timeout
        self._embed_limiter = anyio.CapacityLimiter(_EMBED_CONCURRENCY)

    async def by_photo(self, photo: UploadFile, query: SearchQuery) -> SearchResponse:
        """Search by an uploaded photo."""
        async with asyncio.timeout(self._timeout):
            image = await self.uploads.read(photo.file, photo.size)
            return await self._search(
                lambda: self.service.embed_image(image), lambda embedding: self.service.search(embedding, query)
            )

    async def by_text(self, text: str, query: SearchQuery) -> SearchResponse:
        """Search by text."""
        async with asyncio.timeout(self._timeout):
            return await self._search(
                lambda: self.service.embed_text(text),
                lambda embedding: self.service.search_text(text, embedding, query),
            )

    async def run(self, call: Callable[[], _T]) -> _T:
        """Run a blocking call in a thread. After the timeout the thread finishes in the background."""
        async with asyncio.timeout(self._timeout):
            return await anyio.to_thread.run_sync(call, abandon_on_cancel=True)

    async def _search(self, embed: Callable[[], _T], search: Callable[[_T], SearchResponse]) -> SearchResponse:
        embedding = await anyio.to_thread.run_sync(embed, limiter=self._embed_limiter)
        try:
            return await self.run(lambda: search(embedding))
        except ModelReplaced:  # the index has switched to another model: embed with that one
            embedding = await anyio.to_thread.run_sync(embed, limiter=self._embed_limiter)
            return await self.run(lambda: search(embedding))


async def _runner(request: Request) -> SearchRunner:
    return request.app.state.search_runner


RunnerDep = Annotated[SearchRunner, Depends(_runner)]


@router.post("/search/by-image", response_model=SearchResponse, summary="Search by photo")
async def by_image(
    runner: RunnerDep,
    file: Annotated[UploadFile, File(description="JPEG, PNG, WebP, AVIF, GIF, BMP or TIFF, at most 20 MB.")],
    top_k: Annotated[TopK, Form()] = DEFAULT_RESULTS,
    threshold: Annotated[Threshold, Form()] = None,
    brand: Annotated[Brands, Form()] = [],  # noqa: B006  FastAPI copies it
    category: Annotated[Categories, Form()] = [],  # noqa: B006
    price_from: Annotated[Price, Form()] = None,
    price_to: Annotated[Price, Form()] = None,
    shop: Annotated[StoreParam, Form()] = None,
) -> Response:
    """The products whose photos are most similar to this one."""
    query = SearchQuery(build_filters(brand, category, price_from, price_to, shop), top_k, threshold)
    return _json(await runner.by_photo(file, query))


@router.post("/search/by-text", response_model=SearchResponse, summary="Search by text")
async def by_text(runner: RunnerDep, body: TextSearch) -> Response:
    """The products whose names, categories, colours and descriptions match the text best.

    Those with all words come first. If the model of the index knows words, photos that match count, too.
    """
    filters = build_filters(body.brands, body.categories, body.price_from, body.price_to, body.shop)
    return _json(await runner.by_text(body.query, SearchQuery(filters, body.top_k, body.threshold)))


@router.get(
    "/products/{external_id:path}/similar",
    response_model=SearchResponse,
    summary="Find similar products",
)
async def similar(
    runner: RunnerDep,
    external_id: Annotated[Text, Path(max_length=100)],
    n: Annotated[
        int | None, Query(ge=1, le=32_767, description="Which of the product's photos to compare. Default: the first.")
    ] = None,
    of_brand: Annotated[
        BrandKey | None, Query(description="The product's brand. Required if several brands use this external id.")
    ] = None,
    top_k: Annotated[TopK, Query()] = DEFAULT_RESULTS,
    threshold: Annotated[Threshold, Query()] = None,
    brand: Annotated[Brands, Query()] = [],  # noqa: B006
    category: Annotated[Categories, Query()] = [],  # noqa: B006
    price_from: Annotated[Price, Query()] = None,
    price_to: Annotated[Price, Query()] = None,
    shop: Annotated[StoreParam, Query()] = None,
) -> Response:
    """Other products whose photos are most similar to this product's, by its stored embedding."""
    query = SearchQuery(build_filters(brand, category, price_from, price_to, shop), top_k, threshold)
    return _json(await runner.run(partial(runner.service.similar, external_id, of_brand, n, query)))


@router.get("/filters", response_model=FiltersResponse, summary="List filter values")
async def filters(runner: RunnerDep) -> Response:
    """The brands, categories and stores to filter by, and the model of the index. At most a minute old."""
    return _json(await runner.run(runner.service.filters))


def _json(response: BaseModel) -> Response:
    # Serialized directly: FastAPI would validate the response once more.
    return Response(response.__pydantic_serializer__.to_json(response), media_type="application/json")
