"""Reads a blocking iterator ahead in a thread, for use from an event loop.

The thread is a daemon: an iterator that hangs does not keep the process from ending.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Generic, TypeVar

T = TypeVar("T")


class Prefetcher(Generic[T]):
    """The items of an iterator, at most `depth` ahead. The iterator is created and used in the thread only."""

    def __init__(self, make: Callable[[], Iterator[T]], depth: int) -> None:
        self._make = make
        self._loop = asyncio.get_running_loop()
        self._items: asyncio.Queue[T | BaseException | None] = asyncio.Queue()
        self._slots = threading.Semaphore(depth)
        self._closed = False
        threading.Thread(target=self._run, daemon=True, name="listing").start()

    async def next(self) -> T | None:
        """The next item. None after the last one. Raises what the iterator raises. Do not call it again after that."""
        item = await self._items.get()
        self._slots.release()
        if isinstance(item, BaseException):
            raise item
        return item

    def close(self) -> None:
        """Stop reading."""
        self._closed = True
        self._slots.release()

    def _run(self) -> None:
        try:
            for item in self._make():
                self._slots.acquire()
                if self._closed:
                    return
                self._enqueue(item)
            self._enqueue(None)
        except BaseException as error:
            self._enqueue(error)

    def _enqueue(self, item: T | BaseException | None) -> None:
        with suppress(RuntimeError):  # the event loop is closed
            self._loop.call_soon_threadsafe(self._items.put_nowait, item)
