"""The checkpoint of a copy: the external ids of the products whose images were downloaded or failed.

Other tools read and write this file:
`{"timestamp": 1700000000.0, "downloaded": ["bakai_123"], "failed": ["bakai_789"]}`. It is written with one id a line,
sorted, so that it can be read and merged as a stream of any size. Only the files in the folder decide what to
download.
"""

import heapq
import json
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import islice
from typing import BinaryIO

from unde_catalog.services.export.folder import CHECKPOINT, CopyFolder
from unde_catalog.services.export.journal import encode_id

_HEADER = re.compile(rb'\{"timestamp": [0-9.]+, "downloaded": \[\n')
_MIDDLE, _END = b'], "failed": [\n', b"]}\n"
_MAX_SORTED = 20_000  # lines sorted in memory
_MAX_FOREIGN_BYTES = 500_000_000  # of another tool's checkpoint

# A line is an external id as JSON with a sign in front: `+` downloaded, `-` failed.


def convert_foreign(folder: CopyFolder) -> str | None:
    """Sort the checkpoint of another tool. If it is unreadable, rename it and return a message."""
    file = folder.open(CHECKPOINT)
    if file is None:
        return None
    with file:
        if _HEADER.fullmatch(file.readline(1_000)):
            return None
        file.seek(0)
        try:
            content = json.loads(file.read(_MAX_FOREIGN_BYTES))
            lines = [
                line for sign, key in (("+", "downloaded"), ("-", "failed")) for line in _lines(content, key, sign)
            ]
            timestamp = float(content.get("timestamp") or 0)
        except (ValueError, TypeError, RecursionError):
            renamed = folder.rename_aside(CHECKPOINT)
            return f"{CHECKPOINT} is unreadable and was renamed to {renamed}. Existing files are still detected."
    _write(folder, sorted(lines, key=_id), timestamp)
    return None


def save(folder: CopyFolder, lines: Iterable[bytes], timestamp: float) -> None:
    """Merge journal lines (oldest first) into the checkpoint. They override what it has."""
    with ExitStack() as stack:
        streams: list[Iterator[bytes]] = []
        for sign in (b"+", b"-"):
            file = folder.open(CHECKPOINT)
            if file is not None:
                streams.append(_read(stack.enter_context(file), sign))
        streams += _sorted(folder, lines, stack)
        _write(folder, heapq.merge(*streams, key=_id), timestamp)


def _lines(content: object, key: str, sign: str) -> Iterator[bytes]:
    if not isinstance(content, dict):
        raise TypeError("not an object")
    for external_id in content.get(key) or ():
        if isinstance(external_id, str | int):
            yield sign.encode() + encode_id(str(external_id))


def _id(line: bytes) -> bytes:
    return line[1:]


def _write(folder: CopyFolder, lines: Iterable[bytes], timestamp: float) -> None:
    """Write lines that are sorted by id. Of several lines with one id, the last counts."""
    with folder.temporary_file(CHECKPOINT) as (_, file), folder.temporary_file() as (_, failed):
        file.write(b'{"timestamp": ' + repr(timestamp).encode() + b', "downloaded": [\n')
        separator = {file: b"", failed: b""}
        for line in _last_of_each_id(lines):
            target = file if line[:1] == b"+" else failed
            target.write(separator[target] + line[1:])
            separator[target] = b",\n"
        file.write((b"\n" if separator[file] else b"") + _MIDDLE)
        failed.seek(0)
        shutil.copyfileobj(failed, file)
        file.write((b"\n" if separator[failed] else b"") + _END)


def _last_of_each_id(lines: Iterable[bytes]) -> Iterator[bytes]:
    last = b""
    for line in lines:
        if last and line[1:] != last[1:]:
            yield last
        last = line
    if last:
        yield last


def _read(file: BinaryIO, sign: bytes) -> Iterator[bytes]:
    """The lines of one of the checkpoint's two lists, sorted by id."""
    in_list = sign == b"+"
    for line in islice(file, 1, None):
        if line == _MIDDLE:
            if in_list:
                return
            in_list = True
        elif line == _END:
            return
        elif in_list:
            yield sign + line.rstrip(b",\n")


def _sorted(folder: CopyFolder, lines: Iterable[bytes], stack: ExitStack) -> list[Iterator[bytes]]:
    """Sorted streams of the lines, to be merged. Lines with one id keep their order. Long streams are in files."""
    remaining = iter(lines)
    streams: list[Iterator[bytes]] = []
    while part := sorted(islice(remaining, _MAX_SORTED), key=_id):
        if len(part) < _MAX_SORTED:
            return [*streams, iter(part)]
        _, file = stack.enter_context(folder.temporary_file())
        file.writelines(line + b"\n" for line in part)
        file.seek(0)
        streams.append(line.rstrip(b"\n") for line in file)
    return streams
