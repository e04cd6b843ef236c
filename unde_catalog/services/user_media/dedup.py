"""Photos of one request that are the same file under other ids: the bucket gets the first, the others name it.

By Telegram's `file_unique_id`. Not where the sender wants a name for one: then it lies under that name.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from unde_catalog.stores.staging.user_media.requests import StoredUserPhoto


class Deduplicator:
    """What a request has stored so far; `stored`: in earlier deliveries, under names of ours."""

    def __init__(self, stored: Iterable[StoredUserPhoto]) -> None:
        self._first = {one.file_unique_id: one for one in stored}
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    @asynccontextmanager
    async def in_turn(self, file_unique_id: str | None) -> AsyncIterator[StoredUserPhoto | None]:
        """The stored photo of that id, None where there is none yet; whoever else has one of it waits for the end."""
        if file_unique_id is None:
            yield None
            return
        async with self._turns[file_unique_id]:
            yield self._first.get(file_unique_id)

    def add(self, stored: StoredUserPhoto) -> None:
        """One more that is in the bucket, within its turn."""
        self._first.setdefault(stored.file_unique_id, stored)
