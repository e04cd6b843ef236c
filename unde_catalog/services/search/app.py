"""The ASGI application: routes, middleware and the static page.

`server.py` starts a server for it.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path

from fastapi import Depends, FastAPI
from starlette.middleware import Middleware

from unde_catalog.backends import Backends
from unde_catalog.services.search.context import Context, use_base_of_links
from unde_catalog.services.search.middleware.access import AccessMiddleware
from unde_catalog.services.search.middleware.blank_values import BlankValuesMiddleware
from unde_catalog.services.search.middleware.request_log import RequestLogMiddleware
from unde_catalog.services.search.routes import docs, health, images, product_list, products, webhooks
from unde_catalog.services.search.routes import search as search_routes
from unde_catalog.services.search.routes.health import HealthChecker
from unde_catalog.services.search.routes.page import PageFiles, PageMount
from unde_catalog.services.search.routes.search import SearchRunner
from unde_catalog.services.search.schemas import problems

PAGE = Path(__file__).parent / "page"


def build_app(backends: Backends) -> FastAPI:
    """The API and its page. A backend is opened when a request first needs it."""
    context = Context(backends)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        warm_up = asyncio.create_task(app.state.health.check())  # opens every backend before the first request
        yield
        warm_up.cancel()

    app = FastAPI(
        title="Unde catalogue",
        version=version("unde-catalog"),
        description="Search the catalogue by photo or text, and see which stores have a product in stock.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        redirect_slashes=False,
        lifespan=lifespan,
        dependencies=[Depends(use_base_of_links)],
        middleware=[
            Middleware(RequestLogMiddleware, context=context),
            Middleware(AccessMiddleware, context=context),
            Middleware(BlankValuesMiddleware),
        ],
        responses={"default": {"description": "An error (RFC 9457)", "model": problems.ProblemResponse}},
    )
    app.state.context = context
    app.state.search_runner = search_runner = SearchRunner(context)
    app.state.health = HealthChecker(context, search_runner.service)
    problems.add_handlers(app)
    app.include_router(search_routes.router)  # before products: an external id may contain slashes
    app.include_router(product_list.router)
    app.include_router(products.router)
    app.include_router(webhooks.router)
    app.include_router(health.router)
    app.include_router(images.router)
    app.include_router(docs.router)
    if (PAGE / "index.html").is_file():
        app.router.routes.append(PageMount("/", PageFiles(PAGE, context.settings)))
    return app
