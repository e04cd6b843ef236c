"""Finds photos of one request that are the same file under different ids, so that the bucket stores the file once.

Telegram's `file_unique_id` identifies the file. Photos with a name chosen by the sender are not deduplicated.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from unde_catalog.stores.staging.user_media.media_requests import StoredUserPhoto


class Deduplicator:
    """The photos a request has stored so far. `stored`: those of earlier deliveries, under generated names."""

    def __init__(self, stored: Iterable[StoredUserPhoto]) -> None:
        self._first = {one.file_unique_id: one for one in stored}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    @asynccontextmanager
    async def lock(self, file_unique_id: str | None) -> AsyncIterator[StoredUserPhoto | None]:
        """Lock a file and yield its stored photo, None if there is none yet. Without an id there is nothing to lock."""
        if file_unique_id is None:
            yield None
            return
        async with self._locks[file_unique_id]:
            yield self._first.get(file_unique_id)

    def add(self, stored: StoredUserPhoto) -> None:
        """Add a stored photo; call it while its file is locked."""
        self._first.setdefault(stored.file_unique_id, stored)
