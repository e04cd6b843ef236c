"""What every request works with: the stores, opened at first use, and what is counted beside them.

It begins without a database and goes on when one comes. What requests do with it is in the routers.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from fastapi import Depends, Request

from unde_catalog.backends import Workplace
from unde_catalog.services.search.middleware.metrics import Metrics
from unde_catalog.settings.environment import Settings
from unde_catalog.settings.redaction import Secrets
from unde_catalog.stages.visual_index.open_store import open_store
from unde_catalog.stages.visual_index.vector_store import VectorStore
from unde_catalog.stores.db.database import Database, StagingDown
from unde_catalog.stores.objects.objects import ObjectStore

_OPENING_SECONDS = 3


class Context:
    """One of an application. Safe in several threads."""

    def __init__(self, workplace: Workplace) -> None:
        self.workplace = workplace
        self.settings: Settings = workplace.settings
        self.secrets = Secrets(workplace.settings)
        self.metrics = Metrics()
        self._db: Database | None = None
        self._store: ObjectStore | None = None
        self._vectors: VectorStore | None = None
        self._opening = threading.Lock()

    @property
    def db(self) -> Database:
        """The staging database; `StagingDown` while it is away."""
        if self._db is None:
            with self._alone():
                self._db = self.workplace.db
        return self._db

    @property
    def store(self) -> ObjectStore:
        """The store of photos; `StorageDown` while it is away."""
        if self._store is None:
            _ = self.db  # which the workplace asks
            with self._alone():
                self._store = self.workplace.store
        return self._store

    @property
    def vectors(self) -> VectorStore:
        """What is searched; `VectorsDown` while it is away."""
        if self._vectors is None:
            _ = self.db
            with self._alone():
                self._vectors = self._vectors or open_store(self.workplace)
        return self._vectors

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if not self._opening.acquire(timeout=_OPENING_SECONDS):  # a server that does not answer holds up one request
            raise StagingDown("the stores are being opened by another request, which takes long")
        try:
            yield
        finally:
            self._opening.release()


async def _context(request: Request) -> Context:  # async: it needs no thread
    return request.app.state.context


InContext = Annotated[Context, Depends(_context)]
