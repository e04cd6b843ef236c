"""Clocks and sleep as arguments, so that a test can let hours pass in no time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clock:
    """`now`: seconds of a clock that only goes forward; `sleep`: for so many of them; `wall`: seconds since 1970."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    wall: Callable[[], float] = time.time


SYSTEM_CLOCK = Clock()
