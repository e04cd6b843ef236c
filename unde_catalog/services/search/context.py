"""What the requests of one application share: settings, metrics and backends.

The application starts without a database and connects when a request needs one. Request handling is in `routes/`.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from fastapi import Depends, Request

from unde_catalog.backends import Backends
from unde_catalog.services.search.links import use_base_of
from unde_catalog.services.search.middleware.metrics import SearchMetrics
from unde_catalog.settings.environment import Settings
from unde_catalog.settings.redaction import Secrets
from unde_catalog.stages.visual_index.open_store import open_store
from unde_catalog.stages.visual_index.vector_store import VectorStore
from unde_catalog.stores.db.database import Database, DatabaseUnavailable
from unde_catalog.stores.objects.objects import ObjectStore

_OPEN_TIMEOUT = 3  # seconds


class Context:
    """One per application. Thread-safe."""

    def __init__(self, backends: Backends) -> None:
        self.backends = backends
        self.settings: Settings = backends.settings
        self.secrets = Secrets(backends.settings)
        self.metrics = SearchMetrics()
        self._db: Database | None = None
        self._store: ObjectStore | None = None
        self._vectors: VectorStore | None = None
        self._open_lock = threading.Lock()

    @property
    def db(self) -> Database:
        """The staging database. Raises `DatabaseUnavailable`."""
        if self._db is None:
            with self._exclusive():
                self._db = self.backends.db
        return self._db

    @property
    def store(self) -> ObjectStore:
        """The object store. Raises `StorageUnavailable`."""
        if self._store is None:
            _ = self.db  # the backends read it to open the store
            with self._exclusive():
                self._store = self.backends.store
        return self._store

    @property
    def vectors(self) -> VectorStore:
        """The vector store. Raises `VectorStoreUnavailable`."""
        if self._vectors is None:
            _ = self.db
            with self._exclusive():
                self._vectors = self._vectors or open_store(self.backends)
        return self._vectors

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        """Let one request open a backend. The others fail after a few seconds instead of queueing behind it."""
        if not self._open_lock.acquire(timeout=_OPEN_TIMEOUT):
            raise DatabaseUnavailable("another request is still opening the backends")
        try:
            yield
        finally:
            self._open_lock.release()


async def _context(request: Request) -> Context:  # async: needs no thread
    return request.app.state.context


async def use_base_of_links(request: Request) -> None:
    """Let the addresses in this request's response begin as SEARCH_PUBLIC_URL or the request's own address does."""
    use_base_of(request, request.app.state.context.settings)


ContextDep = Annotated[Context, Depends(_context)]
