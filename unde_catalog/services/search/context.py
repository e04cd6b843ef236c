"""What every request works with: the stores, opened at first use, and what is counted beside them.

It begins without a database and goes on when one comes. What requests do with it is in the routers.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from fastapi import Depends, Request

from unde_catalog.backends import Backends
from unde_catalog.services.search.middleware.metrics import SearchMetrics
from unde_catalog.settings.environment import Settings
from unde_catalog.settings.redaction import Secrets
from unde_catalog.stages.visual_index.open_store import open_store
from unde_catalog.stages.visual_index.vector_store import VectorStore
from unde_catalog.stores.db.database import Database, DatabaseUnavailable
from unde_catalog.stores.objects.objects import ObjectStore

_OPENING_SECONDS = 3


class Context:
    """One of an application. Safe in several threads."""

    def __init__(self, backends: Backends) -> None:
        self.backends = backends
        self.settings: Settings = backends.settings
        self.secrets = Secrets(backends.settings)
        self.metrics = SearchMetrics()
        self._db: Database | None = None
        self._store: ObjectStore | None = None
        self._vectors: VectorStore | None = None
        self._opening = threading.Lock()

    @property
    def db(self) -> Database:
        """The staging database; `DatabaseUnavailable` while it is away."""
        if self._db is None:
            with self._alone():
                self._db = self.backends.db
        return self._db

    @property
    def store(self) -> ObjectStore:
        """The store of photos; `StorageUnavailable` while it is away."""
        if self._store is None:
            _ = self.db  # which the backends asks
            with self._alone():
                self._store = self.backends.store
        return self._store

    @property
    def vectors(self) -> VectorStore:
        """What is searched; `VectorStoreUnavailable` while it is away."""
        if self._vectors is None:
            _ = self.db
            with self._alone():
                self._vectors = self._vectors or open_store(self.backends)
        return self._vectors

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if not self._opening.acquire(timeout=_OPENING_SECONDS):  # a server that does not answer holds up one request
            raise DatabaseUnavailable("the stores are being opened by another request, which takes long")
        try:
            yield
        finally:
            self._opening.release()


async def _context(request: Request) -> Context:  # async: it needs no thread
    return request.app.state.context


InContext = Annotated[Context, Depends(_context)]
