"""What lets an interrupted run end cleanly: SIGTERM as a cancellation, and threads that can be waited for.

What the run does then is in `loop.py`.
"""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any


class HandlerThreads(ThreadPoolExecutor):
    """A thread pool that knows what is running in it: a canceled `asyncio.to_thread` leaves its thread running."""

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
        """Wait at most this long for all threads to end; whether they did."""
        return not wait(self._running.copy(), seconds).not_done


@contextmanager
def sigterm_cancels() -> Iterator[None]:
    """SIGTERM cancels the current task, which then ends with SystemExit(143).

    Only in the main thread, and only while the signal has its default action, which ends the process at once.
    """
    unhandled = signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if threading.current_thread() is not threading.main_thread() or not unhandled:
        yield
        return
    loop, task, received = asyncio.get_running_loop(), asyncio.current_task(), threading.Event()
    assert task is not None  # a coroutine always runs in a task

    def cancel() -> None:
        received.set()
        task.cancel()

    loop.add_signal_handler(signal.SIGTERM, cancel)
    try:
        yield
    except asyncio.CancelledError:
        if received.is_set():
            raise SystemExit(128 + signal.SIGTERM) from None
        raise
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
