"""The sandbox as one aiohttp application: all stand-ins, the CDN or a data folder, log and control routes.

Only the putting together is here; starting it as a process is `serve.py`.
"""

from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler

from unde_catalog.sandbox import faults
from unde_catalog.sandbox.apify.items import ItemSource
from unde_catalog.sandbox.apify.routes import ApifyApi
from unde_catalog.sandbox.apify.runs import RunStore
from unde_catalog.sandbox.bakai.bucket import BakaiBucket
from unde_catalog.sandbox.bakai.catalogue import BakaiShelf
from unde_catalog.sandbox.bakai.routes import BakaiApi
from unde_catalog.sandbox.control import Control
from unde_catalog.sandbox.files import Files
from unde_catalog.sandbox.photos.cdn import Cdn
from unde_catalog.sandbox.request_log import RequestLog
from unde_catalog.sandbox.shops.overrides import ShopTerms
from unde_catalog.sandbox.shops.products import Shelf
from unde_catalog.sandbox.shops.routes import ShopsApi
from unde_catalog.sandbox.telegram.routes import TelegramApi
from unde_catalog.sandbox.ximilar.photos import PhotoReader
from unde_catalog.sandbox.ximilar.records import XimilarStore
from unde_catalog.sandbox.ximilar.routes import XimilarApi

_DRAWING_THREADS = 2
_LARGEST_BODY = 64 * 1024 * 1024  # ten photos in base64


@dataclass(frozen=True, slots=True)
class Options:
    """What a sandbox is started with; `run_seconds` is how long a scrape takes."""

    state_dir: Path
    data: Path | None = None
    items: Mapping[str, Path] = field(default_factory=dict)
    log: Path | None = None
    faults: str | None = None
    seed: int = 0
    run_seconds: float = 0.3

    @property
    def description(self) -> str:
        """What is served, in words."""
        return str(self.data) if self.data is not None else "drawn catalogue"


def build(options: Options) -> tuple[web.Application, RequestLog]:
    """The application and its log.

    Raises `FaultSpecError` or `UnreadableItems`, `NotADirectoryError` for a data folder that is none.
    """
    if options.data is not None and not options.data.is_dir():
        raise NotADirectoryError(f"{options.data} is not a folder")
    dial = faults.parse(options.faults, options.seed)
    source = ItemSource(options.data, options.items)
    source.check()
    store = RunStore(options.state_dir / "state.json", options.run_seconds)
    collections = XimilarStore(options.state_dir / "ximilar.sqlite")
    terms = ShopTerms()
    log = RequestLog(options.log or options.state_dir / "requests.jsonl")
    pool = ThreadPoolExecutor(_DRAWING_THREADS, thread_name_prefix="draw")

    bakai = BakaiApi(BakaiShelf(), dial, pool)

    @web.middleware
    async def note_arrival(request: web.Request, handler: Handler) -> web.StreamResponse:
        log.arrived(request)
        return await handler(request)

    async def resources(_: web.Application) -> AsyncIterator[None]:
        yield
        pool.shutdown(wait=False, cancel_futures=True)
        collections.close()
        log.close()

    app = web.Application(middlewares=[note_arrival], client_max_size=_LARGEST_BODY)
    app.cleanup_ctx.append(resources)
    app.add_routes(Control(store, collections, terms, bakai.shelf.terms, dial, log, options.description).routes())
    app.add_routes(ApifyApi(store, source, dial).routes())
    app.add_routes(XimilarApi(collections, PhotoReader(pool), dial, log).routes())
    app.add_routes(ShopsApi(Shelf(source), terms, dial, log).routes())
    app.add_routes(bakai.routes())
    app.add_routes(BakaiBucket(bakai, dial).routes())
    app.add_routes(TelegramApi(dial, pool).routes())
    app.add_routes(Cdn(dial, pool).routes())
    if options.data is not None:
        app.add_routes(Files(options.data, dial).routes())
    return app, log
