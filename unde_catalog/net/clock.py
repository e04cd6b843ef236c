"""Clock functions and sleep as one argument, so that a test can simulate hours without waiting."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clock:
    """`now`: monotonic seconds; `sleep`: waits for a number of seconds; `wall`: seconds since 1970."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    wall: Callable[[], float] = time.time


SYSTEM_CLOCK = Clock()
