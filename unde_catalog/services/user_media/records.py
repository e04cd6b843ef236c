"""Async access to the user media rows: each call is one short transaction in a thread.

The SQL is in `stores/staging/user_media/media_requests.py`.
"""

import asyncio

from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.user_media import media_requests
from unde_catalog.stores.staging.user_media.media_requests import (
    ClaimedRequest,
    RequestKey,
    RequestSubject,
    SettledRequest,
    StoredUserPhoto,
)


class Records:
    """The rows in a staging database; every call may raise `DatabaseUnavailable`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def take(self, key: RequestKey, subject: RequestSubject) -> ClaimedRequest | SettledRequest:
        """Claim a request, or return how it ended."""
        return await asyncio.to_thread(self._db.run, media_requests.claim, key, subject)

    async def record_photo(self, key: RequestKey, photo: StoredUserPhoto) -> bool:
        """Record a stored photo; False if the user was erased and the object must be deleted."""
        return await asyncio.to_thread(self._db.run, media_requests.record_photo, key, photo)

    async def settle(self, key: RequestKey, settled: SettledRequest) -> SettledRequest:
        """Record how a request ended; returns the valid outcome, which another process may have recorded first."""
        return await asyncio.to_thread(self._db.run, media_requests.settle, key, settled)

    async def release(self, key: RequestKey) -> None:
        """Uncount the current try."""
        await asyncio.to_thread(self._db.run, media_requests.release, key)
