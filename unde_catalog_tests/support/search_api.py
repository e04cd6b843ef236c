"""Serves the search API over HTTP from a thread, with the test's own database and object store."""

import json
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from unde_catalog.backends import Backends
from unde_catalog.services.search.app import build_app
from unde_catalog.services.search.middleware import api_keys as keys
from unde_catalog.services.search.middleware.request_log import JsonLogFormatter
from unde_catalog.settings.environment import load_settings
from unde_catalog.stores.staging.admin import api_keys
from unde_catalog.stores.staging.admin.api_keys import Scope
from unde_catalog_tests.support.visual_index import VisualCatalogue

OpenApi = Callable[..., "Api"]


class Api(httpx.Client):
    """A client of a running API. `lines`: its log. `visual`: adds products to its index."""

    def __init__(
        self, backends: Backends, app: FastAPI, url: str, lines: list[str], written: threading.Condition
    ) -> None:
        super().__init__(base_url=url, timeout=60)
        self.base = url.rstrip("/")  # of addresses in responses
        self.backends, self.app, self.lines, self.written = backends, app, lines, written

    @cached_property
    def visual(self) -> VisualCatalogue:
        return VisualCatalogue(self.backends)

    def key(self, scope: Scope = "read", name: str = "somebody") -> dict[str, str]:
        """The request header of a new API key."""
        key = keys.generate()
        assert self.backends.db.run(api_keys.add, name, scope, keys.digest(key))
        return {"Authorization": f"Bearer {key}"}

    def logged(self, response: httpx.Response) -> dict[str, Any]:
        """The log line of a request, which is written after the response."""
        request_id = response.headers["X-Request-ID"]

        def found() -> list[dict[str, Any]]:
            return [line for line in map(json.loads, list(self.lines)) if line.get("request_id") == request_id]

        with self.written:
            assert self.written.wait_for(found, 60), f"no log line for {request_id}"
        (line,) = found()
        return line

    def by_image(self, photo: bytes, **fields: Any) -> httpx.Response:
        return self.post("/api/v1/search/by-image", files={"file": ("photo.jpg", photo)}, data=fields)

    def similar(self, external_id: object, **query: Any) -> httpx.Response:
        return self.get(f"/api/v1/products/{external_id}/similar", params=query)


@contextmanager
def serve_api(backends: Backends) -> Iterator[Api]:
    """The API, until the context ends."""
    app = build_app(backends)
    lines: list[str] = []
    log = logging.getLogger("unde_catalog.services.search")
    handler = _LineHandler(lines, written := threading.Condition(), JsonLogFormatter(app.state.context.secrets))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    ready = threading.Event()

    class NotifyingServer(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            ready.set()

    server = NotifyingServer(uvicorn.Config(app, port=0, log_config=None, access_log=False, server_header=False))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert ready.wait(60)
        port = server.servers[0].sockets[0].getsockname()[1]
        with Api(backends, app, f"http://127.0.0.1:{port}", lines, written) as api:
            yield api
    finally:
        server.should_exit = True
        thread.join(60)
        log.removeHandler(handler)


@contextmanager
def open_search_api(database_url: str, home: Path, patch: pytest.MonkeyPatch, **environment: object) -> Iterator[Api]:
    """The API on a database, with these environment variables and without a rate limit."""
    patch.chdir(home)  # no .env of the developer
    variables = {"SEARCH_RATE_PER_MINUTE": 0, "UNDE_HOME": home / "home", "STAGING_DB_URL": database_url, **environment}
    for name, value in variables.items():
        patch.setenv(name, str(value))
    settings = load_settings()
    replica = settings.search_db_url.get_secret_value() if settings.search_db_url else None
    with Backends(settings, connections=4, patience=5, replica_url=replica) as backends, serve_api(backends) as api:
        yield api


class _LineHandler(logging.Handler):
    def __init__(self, lines: list[str], written: threading.Condition, formatter: logging.Formatter) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self._lines, self._written = lines, written

    def emit(self, record: logging.LogRecord) -> None:
        with self._written:
            self._lines.append(self.format(record))
            self._written.notify_all()
