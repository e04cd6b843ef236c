"""The sandbox as one aiohttp application: all stand-ins, the CDN, an optional data folder, log and control routes.

Only assembly belongs here; `serve.py` runs it.
"""

from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler

from unde_catalog.sandbox.apify.items import ItemSource
from unde_catalog.sandbox.apify.routes import ApifyApi
from unde_catalog.sandbox.apify.runs import RunStore
from unde_catalog.sandbox.bakai.bucket import BakaiBucket
from unde_catalog.sandbox.bakai.catalogue import BakaiCatalogue
from unde_catalog.sandbox.bakai.routes import BakaiApi
from unde_catalog.sandbox.control import Control
from unde_catalog.sandbox.faults import parse_faults
from unde_catalog.sandbox.files import Files
from unde_catalog.sandbox.identity import DEFAULT_CREDENTIALS, Credentials
from unde_catalog.sandbox.photos.cdn import Cdn
from unde_catalog.sandbox.request_log import RequestLog
from unde_catalog.sandbox.shops.overrides import StockOverrides
from unde_catalog.sandbox.shops.products import ProductIndex
from unde_catalog.sandbox.shops.routes import StockApi
from unde_catalog.sandbox.telegram.routes import TelegramApi
from unde_catalog.sandbox.ximilar.photos import PhotoReader
from unde_catalog.sandbox.ximilar.records import XimilarStore
from unde_catalog.sandbox.ximilar.routes import XimilarApi

_DRAWING_THREADS = 2
_MAX_BODY_BYTES = 64 * 1024 * 1024  # ten photos in base64


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a sandbox; `run_seconds` is the duration of a scrape.

    `token`: of the state that owns the sandbox, None without an owner.
    """

    state_dir: Path
    data: Path | None = None
    items: Mapping[str, Path] = field(default_factory=dict)
    log: Path | None = None
    faults: str | None = None
    seed: int = 0
    run_seconds: float = 0.3
    token: str | None = None

    @property
    def description(self) -> str:
        """What the sandbox serves, for people."""
        return str(self.data) if self.data is not None else "drawn catalogue"

    @property
    def credentials(self) -> Credentials:
        """The keys that its services accept."""
        return Credentials.of_token(self.token) if self.token else DEFAULT_CREDENTIALS


def build_app(options: Options) -> tuple[web.Application, RequestLog]:
    """Returns the application and its request log.

    Raises `FaultSpecError`, `UnreadableItems`, or `NotADirectoryError` for the data folder.
    """
    if options.data is not None and not options.data.is_dir():
        raise NotADirectoryError(f"{options.data} is not a folder")
    faults = parse_faults(options.faults, options.seed)
    source = ItemSource(options.data, options.items)
    source.check()
    keys = options.credentials
    runs = RunStore(options.state_dir / "state.json", options.run_seconds)
    collections = XimilarStore(options.state_dir / "ximilar.sqlite", keys.ximilar)
    stock_overrides = StockOverrides()
    log = RequestLog(options.log or options.state_dir / "requests.jsonl")
    pool = ThreadPoolExecutor(_DRAWING_THREADS, thread_name_prefix="draw")

    bakai = BakaiApi(BakaiCatalogue(), faults, pool, keys)

    @web.middleware
    async def log_start(request: web.Request, handler: Handler) -> web.StreamResponse:
        log.request_started(request)
        return await handler(request)

    async def resources(_: web.Application) -> AsyncIterator[None]:
        yield
        pool.shutdown(wait=False, cancel_futures=True)
        collections.close()
        log.close()

    control = Control(
        runs, collections, stock_overrides, bakai.catalogue.overrides, faults, log, options.description, options.token
    )
    services = [
        control,
        ApifyApi(runs, source, faults, keys.apify),
        XimilarApi(collections, PhotoReader(pool), faults, log),
        StockApi(ProductIndex(source), stock_overrides, faults, log),
        bakai,
        BakaiBucket(bakai, faults),
        TelegramApi(faults, pool, keys.telegram),
        Cdn(faults, pool),
        *([Files(options.data, faults)] if options.data is not None else []),  # the last: it takes any path
    ]
    app = web.Application(middlewares=[log_start], client_max_size=_MAX_BODY_BYTES)
    app.cleanup_ctx.append(resources)
    for service in services:
        app.add_routes(service.routes())
    return app, log
