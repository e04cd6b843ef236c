"""The application: routers, what is around every request, and the page. Starting a server is `server.py`'s."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path

from fastapi import FastAPI
from starlette.middleware import Middleware

from unde_catalog.backends import Backends
from unde_catalog.services.search.context import Context
from unde_catalog.services.search.middleware.access import AccessMiddleware
from unde_catalog.services.search.middleware.request_log import RequestLogMiddleware
from unde_catalog.services.search.routes import docs, health, images, webhooks
from unde_catalog.services.search.routes import product as products
from unde_catalog.services.search.routes import products as product_list
from unde_catalog.services.search.routes import search as searches
from unde_catalog.services.search.routes.health import Health
from unde_catalog.services.search.routes.page import PageFiles, PageMount
from unde_catalog.services.search.routes.search import Searching
from unde_catalog.services.search.schemas import problems

PAGE = Path(__file__).parent / "page"


def build_app(backends: Backends) -> FastAPI:
    """The API and its page over these stores, which are opened when they are first asked."""
    context = Context(backends)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        first = asyncio.create_task(app.state.health.look())  # opens all of it, so that nobody waits for that later
        yield
        first.cancel()

    app = FastAPI(
        title="Unde catalogue",
        version=version("unde-catalog"),
        description="Find a garment by a photo or by words, and see in which shop it hangs.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        redirect_slashes=False,
        lifespan=lifespan,
        middleware=[Middleware(RequestLogMiddleware, context=context), Middleware(AccessMiddleware, context=context)],
        responses={"default": {"description": "A problem (RFC 9457)", "model": problems.ProblemResponse}},
    )
    app.state.context = context
    app.state.searching = searching = Searching(context)
    app.state.health = Health(context, searching.finder)
    problems.add_handlers(app)
    app.include_router(searches.router)  # before products, as an external id may have slashes in it
    app.include_router(product_list.router)
    app.include_router(products.router)
    app.include_router(webhooks.router)
    app.include_router(health.router)
    app.include_router(images.router)
    app.include_router(docs.router)
    if (PAGE / "index.html").is_file():
        app.router.routes.append(PageMount("/", PageFiles(PAGE, context.settings)))
    return app
