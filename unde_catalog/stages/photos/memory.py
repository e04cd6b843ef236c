"""A budget of memory for decoded pictures: as many at once as fit, not as many as there are threads.

How much a picture takes is `image.py`'s and `collage.py`'s to say.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class MemoryBudget:
    """So many bytes at once; what wants more than all of it runs alone."""

    def __init__(self, size: int) -> None:
        self._size = self._free = size
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def reserve(self, wanted: int) -> AsyncIterator[None]:
        """Wait until so many bytes are free, and hold them."""
        part = min(wanted, self._size)
        async with self._changed:
            await self._changed.wait_for(lambda: self._free >= part)
            self._free -= part
        try:
            yield
        finally:
            async with self._changed:
                self._free += part
                self._changed.notify_all()
