"""A server that `up` and `demo` start: its process, its log, whether it responds, and when it is started again.

The list of servers is in `up.py`.
"""

import contextlib
import os
import signal
import subprocess
import threading
import time
import urllib.request
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from unde_catalog.local.processes import stop

_POLL_SECONDS = 0.5
_LAST_LINES = 15


@dataclass(slots=True)
class Restarts:
    """When a server that ended is started again: after 1, 2, 4 and 8 seconds, never after `limit` ends in `window`.

    `window` in seconds; an end that is longer ago does not count.
    """

    limit: int = 5
    window: float = 600.0
    _ends: deque[float] = field(default_factory=deque)

    def wait_after_end(self, now: float) -> float | None:
        """Seconds until the next start; None: it ended too often. `now` is a value of `time.monotonic()`."""
        self._ends.append(now)
        while self._ends[0] <= now - self.window:
            self._ends.popleft()
        return None if len(self._ends) >= self.limit else 2.0 ** (len(self._ends) - 1)


class LocalService:
    """A running server, stopped when the context ends. Its own session: Ctrl-C reaches only the parent."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        environment: Mapping[str, str],
        folder: Path | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`log`: the file for its output, overwritten; `folder`: its working directory."""
        self.name, self.log = name, log
        self.command, self._environment, self._folder = list(command), dict(environment), folder
        self._clock, self._restarts = clock, Restarts()
        self._start_at: float | None = None  # while it waits for its next start
        self.given_up = False
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("")
        self._process = self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        stop(self._process)

    @property
    def pid(self) -> int:
        """The id of its process."""
        return self._process.pid

    @property
    def ended(self) -> str | None:
        """None while it runs; then its exit status and the last lines of its output."""
        status = self._process.poll()
        if status is None:
            return None
        how = f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
        last = "\n".join(self.log.read_text(errors="replace").splitlines()[-_LAST_LINES:])
        return f"{self.name} {how}. Log: {self.log}" + (f"\n{last}" if last else "")

    def keep_running(self) -> str | None:
        """Start it again when it has ended, with a growing wait; what happened, for people, or None. Call it often."""
        if self.given_up:
            return None
        if self._start_at is not None:
            if self._clock() < self._start_at:
                return None
            self._start_at = None
            self._process = self._start()
            return f"{self.name} was started again."
        if (ended := self.ended) is None:
            return None
        self._end_children()
        wait = self._restarts.wait_after_end(self._clock())
        if wait is None:
            self.given_up = True
            return f"{ended}\n{self.name} ended {self._restarts.limit} times within minutes and is not started again."
        self._start_at = self._clock() + wait
        return f"{ended}\n{self.name} is started again in {wait:g} s."

    def wait_for_response(self, url: str, stop_requested: threading.Event) -> bool:
        """Wait until `url` responds; False if the server ended first or a stop was requested."""
        while not stop_requested.wait(_POLL_SECONDS) and self.ended is None:
            with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=2):
                return True
        return False

    def _start(self) -> subprocess.Popen[str]:
        with self.log.open("a") as output:
            return subprocess.Popen(
                self.command, env=self._environment, cwd=self._folder, text=True, start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )  # fmt: skip

    def _end_children(self) -> None:
        """A killed server leaves its children behind, which would keep its port."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
