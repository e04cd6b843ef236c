"""An iterator that blocks, read ahead in a thread of its own for an event loop, a few items at the most.

The thread is a daemon: a list that hangs holds up nobody who wants to end.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Generic, TypeVar

T = TypeVar("T")


class Prefetcher(Generic[T]):
    """Items of an iterator, which is made and used in the thread alone."""

    def __init__(self, make: Callable[[], Iterator[T]], depth: int) -> None:
        self._make = make
        self._loop = asyncio.get_running_loop()
        self._items: asyncio.Queue[T | BaseException | None] = asyncio.Queue()
        self._room = threading.Semaphore(depth)
        self._closed = False
        threading.Thread(target=self._run, daemon=True, name="listing").start()

    async def next(self) -> T | None:
        """The next item, None after the last; what the iterator raises is raised here. Not to be called again then."""
        item = await self._items.get()
        self._room.release()
        if isinstance(item, BaseException):
            raise item
        return item

    def close(self) -> None:
        """Read no more."""
        self._closed = True
        self._room.release()

    def _run(self) -> None:
        try:
            for item in self._make():
                self._room.acquire()
                if self._closed:
                    return
                self._hand_over(item)
            self._hand_over(None)
        except BaseException as error:
            self._hand_over(error)

    def _hand_over(self, item: T | BaseException | None) -> None:
        with suppress(RuntimeError):  # the loop has come to its end meanwhile
            self._loop.call_soon_threadsafe(self._items.put_nowait, item)
