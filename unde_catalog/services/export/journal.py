"""The journal of a copy: the result of each product since the last checkpoint, one line each.

A run that was killed leaves its journal to the next run. `checkpoint.py` merges it into the checkpoint. Losing it is
harmless: the files themselves show what exists.
"""

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass

from unde_catalog.services.export.folder import JOURNAL, CopyFolder

_EXPIRES = 86_400.0  # seconds after which an interrupted refresh is not resumed
_BUFFER_BYTES = 64_000


@dataclass(frozen=True, slots=True)
class RunStart:
    """The start of a run. `refresh`: identifies a refresh (None: an ordinary run). `at`: its start, in nanoseconds."""

    refresh: str | None
    at: int


def journal_line(complete: bool, external_id: str) -> bytes:
    """The line of a product. `complete`: all of its images were copied."""
    return (b"+" if complete else b"-") + encode_id(external_id) + b"\n"


def encode_id(external_id: str) -> bytes:
    """An external id as it is written in the journal and the checkpoint: JSON on one line."""
    return json.dumps(external_id).encode()


class RunJournal:
    """A folder's journal. One thread appends to it. Raises `CopyStopped`."""

    def __init__(self, folder: CopyFolder) -> None:
        self._folder, self._handle = folder, folder.journal
        self._buffer: list[bytes] = []
        self._buffered_bytes = 0
        self._saved_to = 0  # the checkpoint has everything before this position

    def unfinished(self) -> RunStart | None:
        """The start of the last run, if it was interrupted. Removes a last line that was cut off."""
        status = os.fstat(self._handle)
        size, expired = status.st_size, time.time() - status.st_mtime > _EXPIRES
        tail = max(0, size - _BUFFER_BYTES)
        last_line_end = tail + os.pread(self._handle, size - tail, tail).rfind(b"\n") + 1
        os.ftruncate(self._handle, last_line_end)
        header = os.pread(self._handle, _BUFFER_BYTES, 0).partition(b"\n")[0]
        try:
            fields = json.loads(header) if header.startswith(b"{") else {}
            at, refresh = fields.get("at"), fields.get("refresh")
        except ValueError:
            return None
        if not isinstance(at, int) or not (refresh is None or isinstance(refresh, str)):
            return None
        return None if expired else RunStart(refresh, at)

    def start(self, start: RunStart) -> None:
        """Start a new journal. The checkpoint must have the lines of the old one."""
        self.clear()
        self._write(memoryview(json.dumps({"refresh": start.refresh, "at": start.at}).encode() + b"\n"))
        self._saved_to = os.fstat(self._handle).st_size

    def clear(self) -> None:
        """Empty the journal."""
        self._buffer.clear()
        self._buffered_bytes = self._saved_to = 0
        os.ftruncate(self._handle, 0)

    def add(self, lines: bytes) -> None:
        """Add complete lines. They are buffered until `flush`."""
        self._buffer.append(lines)
        self._buffered_bytes += len(lines)
        if self._buffered_bytes >= _BUFFER_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write the buffered lines."""
        data = memoryview(b"".join(self._buffer))
        self._buffer.clear()
        self._buffered_bytes = 0
        self._write(data)

    def unsaved(self) -> tuple[int, int]:
        """The start and end position of the flushed lines that the checkpoint does not have."""
        return self._saved_to, os.fstat(self._handle).st_size

    def mark_saved(self, end: int) -> None:
        """Record that the checkpoint has everything before `end`."""
        self._saved_to = end

    def lines(self, begin: int, end: int) -> Iterator[bytes]:
        """The products' lines between two positions, oldest first, without line ends."""
        rest = b""
        while begin < end:
            piece = os.pread(self._handle, min(1 << 18, end - begin), begin)
            if not piece:
                return
            begin += len(piece)
            *complete, rest = (rest + piece).split(b"\n")
            yield from (line for line in complete if line[:1] in (b"+", b"-"))

    def _write(self, data: memoryview) -> None:
        with self._folder.os_errors("writing", self._folder.path / JOURNAL):
            while data:
                data = data[os.write(self._handle, data) :]
