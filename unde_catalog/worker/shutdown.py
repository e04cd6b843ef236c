"""What lets a run end well when it is interrupted: SIGTERM as a cancellation, and threads that can be waited for.

What is to be done then is `loop.py`'s.
"""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any


class HandlerThreads(ThreadPoolExecutor):
    """A pool that knows what it is still doing; a cancelled `asyncio.to_thread` leaves its thread at work."""

    def __init__(self, *, thread_name_prefix: str) -> None:
        super().__init__(thread_name_prefix=thread_name_prefix)
        self._running: set[Future[Any]] = set()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """As in `ThreadPoolExecutor`."""
        future = super().submit(fn, *args, **kwargs)
        self._running.add(future)
        future.add_done_callback(self._running.discard)
        return future

    def wait_until_idle(self, seconds: float) -> bool:
        """Whether all its threads came to their end within so many seconds."""
        return not wait(self._running.copy(), seconds).not_done


@contextmanager
def sigterm_cancels() -> Iterator[None]:
    """SIGTERM cancels the present task, which ends in SystemExit(143).

    Only where nobody handles it, so that it would kill the process at once; and only in the main thread.
    """
    unhandled = signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if threading.current_thread() is not threading.main_thread() or not unhandled:
        yield
        return
    loop, task, came = asyncio.get_running_loop(), asyncio.current_task(), threading.Event()
    assert task is not None  # inside a coroutine there is one

    def cancel() -> None:
        came.set()
        task.cancel()

    loop.add_signal_handler(signal.SIGTERM, cancel)
    try:
        yield
    except asyncio.CancelledError:
        if came.is_set():
            raise SystemExit(128 + signal.SIGTERM) from None
        raise
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
