"""The journal of a copy: what became of each product since the last checkpoint, line by line, as it happens.

A killed process leaves it behind, and the next one goes on with it. The checkpoint that is made of it is
`checkpoint.py`'s. What is lost of it costs nothing: the files themselves say what is there.
"""

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass

from unde_catalog.services.export.folder import JOURNAL, CopyFolder

_LOST_AFTER = 86_400.0  # seconds after which nobody goes on with a refresh that was broken off
_AT_ONCE = 64_000  # bytes in memory before they are written


@dataclass(frozen=True, slots=True)
class RunStart:
    """A run: `refresh` names what is fetched anew (None: only what is missing), `at` when that began (nanoseconds)."""

    refresh: str | None
    at: int


def line(done: bool, external_id: str) -> bytes:
    """A product's line: all of its photos that are wanted are there, or some failed."""
    return (b"+" if done else b"-") + encoded(external_id) + b"\n"


def encoded(external_id: str) -> bytes:
    """An id as it stands in the journal and in the checkpoint: JSON, in one line."""
    return json.dumps(external_id).encode()


class RunJournal:
    """A folder's journal; appended to by one thread. `CopyStopped` where it can't be written."""

    def __init__(self, folder: CopyFolder) -> None:
        self._folder, self._handle = folder, folder.journal
        self._waiting: list[bytes] = []
        self._size = 0
        self._read_to = 0  # what lies before is in the checkpoint

    def left_over(self) -> RunStart | None:
        """How the last run began, if it did not come to its end; a line that it had not finished goes."""
        found = os.fstat(self._handle)
        size, stale = found.st_size, time.time() - found.st_mtime > _LOST_AFTER
        last = max(0, size - _AT_ONCE)
        whole = last + os.pread(self._handle, size - last, last).rfind(b"\n") + 1
        os.ftruncate(self._handle, whole)
        head = os.pread(self._handle, _AT_ONCE, 0).partition(b"\n")[0]
        try:
            said = json.loads(head) if head.startswith(b"{") else {}
            at, refresh = said.get("at"), said.get("refresh")
        except ValueError:
            return None
        if not isinstance(at, int) or not (refresh is None or isinstance(refresh, str)):
            return None
        return None if stale else RunStart(refresh, at)

    def begin(self, begun: RunStart) -> None:
        """Begin anew; what was in it has to be in the checkpoint."""
        self.end()
        self._write(memoryview(json.dumps({"refresh": begun.refresh, "at": begun.at}).encode() + b"\n"))
        self._read_to = os.fstat(self._handle).st_size

    def end(self) -> None:
        """Empty it."""
        self._waiting.clear()
        self._size = self._read_to = 0
        os.ftruncate(self._handle, 0)

    def add(self, lines: bytes) -> None:
        """Add whole lines; they are in the file after the next `flush` at the latest."""
        self._waiting.append(lines)
        self._size += len(lines)
        if self._size >= _AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        data = memoryview(b"".join(self._waiting))
        self._waiting.clear()
        self._size = 0
        self._write(data)

    def since_checkpoint(self) -> tuple[int, int]:
        """Where the lines begin and end that are not in the checkpoint yet, after a `flush`."""
        return self._read_to, os.fstat(self._handle).st_size

    def is_in_checkpoint(self, end: int) -> None:
        """All before `end` is."""
        self._read_to = end

    def lines(self, begin: int, end: int) -> Iterator[bytes]:
        """The products' lines between two places, oldest first, without their ends."""
        rest = b""
        while begin < end:
            piece = os.pread(self._handle, min(1 << 18, end - begin), begin)
            if not piece:
                return
            begin += len(piece)
            *whole, rest = (rest + piece).split(b"\n")
            yield from (one for one in whole if one[:1] in (b"+", b"-"))

    def _write(self, data: memoryview) -> None:
        with self._folder.told("writing", self._folder.path / JOURNAL):
            while data:
                data = data[os.write(self._handle, data) :]
