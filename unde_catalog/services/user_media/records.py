"""What is known of requests, from an event loop: each call is a short transaction in a thread.

The SQL is in `stores/staging/user_media/requests.py`.
"""

import asyncio

from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.user_media import requests as rows
from unde_catalog.stores.staging.user_media.requests import (
    ClaimedRequest,
    RequestKey,
    RequestSubject,
    SettledRequest,
    StoredUserPhoto,
)


class Records:
    """The rows of a staging database; all calls raise `DatabaseUnavailable` where it can't be used."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def take(self, key: RequestKey, about: RequestSubject) -> ClaimedRequest | SettledRequest:
        """Begin a request, or learn how it ended."""
        return await asyncio.to_thread(self._db.run, rows.take, key, about)

    async def photo_stored(self, key: RequestKey, photo: StoredUserPhoto) -> bool:
        """Write that a photo is in the bucket; False where it is to be taken away again."""
        return await asyncio.to_thread(self._db.run, rows.photo_stored, key, photo)

    async def settle(self, key: RequestKey, settled: SettledRequest) -> SettledRequest:
        """End a request; what counts comes back."""
        return await asyncio.to_thread(self._db.run, rows.settle, key, settled)

    async def release(self, key: RequestKey) -> None:
        """Take back the try that was begun."""
        await asyncio.to_thread(self._db.run, rows.release, key)
