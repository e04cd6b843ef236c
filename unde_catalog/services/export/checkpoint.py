"""The checkpoint of a copy, as other tools know it: which products are there and which failed (spec 2).

`{"timestamp": 1700000000.0, "downloaded": ["bakai_123"], "failed": ["bakai_789"]}`, an id a line and in order, so that
it is read and written as a stream whatever its size. What is there is decided by the files alone, never by it.
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
from unde_catalog.services.export.journal import encoded

_HEAD = re.compile(rb'\{"timestamp": [0-9.]+, "downloaded": \[\n')
_MIDDLE, _END = b'], "failed": [\n', b"]}\n"
_SORTED_AT_ONCE = 20_000  # lines in memory
_LARGEST_OF_OTHERS = 500_000_000  # bytes


def adopt(folder: CopyFolder) -> str | None:
    """Bring the checkpoint of another tool into our order; a sentence where it can't be read and was set aside."""
    file = folder.read(CHECKPOINT)
    if file is None:
        return None
    with file:
        if _HEAD.fullmatch(file.readline(1_000)):
            return None
        file.seek(0)
        try:
            found = json.loads(file.read(_LARGEST_OF_OTHERS))
            lines = [line for sign, key in (("+", "downloaded"), ("-", "failed")) for line in _of(found, key, sign)]
            timestamp = float(found.get("timestamp") or 0)
        except (ValueError, TypeError, RecursionError):
            aside = folder.set_aside(CHECKPOINT)
            return f"{CHECKPOINT} could not be read and is now {aside}; what is there is told by the files"
    _write(folder, sorted(lines, key=_id), timestamp)
    return None


def save(folder: CopyFolder, lines: Iterable[bytes], timestamp: float) -> None:
    """Write the checkpoint: what it was, and these lines of the journal (oldest first), which count for more."""
    with ExitStack() as stack:
        sources: list[Iterator[bytes]] = []
        for sign in (b"+", b"-"):
            file = folder.read(CHECKPOINT)
            if file is not None:
                sources.append(_ids(stack.enter_context(file), sign))
        sources += _sorted(folder, lines, stack)
        _write(folder, heapq.merge(*sources, key=_id), timestamp)


def _of(found: object, key: str, sign: str) -> Iterator[bytes]:
    if not isinstance(found, dict):
        raise TypeError("not an object")
    for one in found.get(key) or ():
        if isinstance(one, str | int):
            yield sign.encode() + encoded(str(one))


def _id(line: bytes) -> bytes:
    return line[1:]


def _write(folder: CopyFolder, lines: Iterable[bytes], timestamp: float) -> None:
    """Write lines in the order of their ids; of several with one id the last counts."""
    with folder.scratch(CHECKPOINT) as (_, file), folder.scratch() as (_, failed):
        file.write(b'{"timestamp": ' + repr(timestamp).encode() + b', "downloaded": [\n')
        between = {file: b"", failed: b""}
        for line in _latest(lines):
            of = file if line[:1] == b"+" else failed
            of.write(between[of] + line[1:])
            between[of] = b",\n"
        file.write((b"\n" if between[file] else b"") + _MIDDLE)
        failed.seek(0)
        shutil.copyfileobj(failed, file)
        file.write((b"\n" if between[failed] else b"") + _END)


def _latest(lines: Iterable[bytes]) -> Iterator[bytes]:
    last = b""
    for line in lines:
        if last and line[1:] != last[1:]:
            yield last
        last = line
    if last:
        yield last


def _ids(file: BinaryIO, sign: bytes) -> Iterator[bytes]:
    """One of the two lists of a checkpoint in our order, each id with its sign."""
    wanted = sign == b"+"
    for line in islice(file, 1, None):
        if line == _MIDDLE:
            if wanted:
                return
            wanted = True
        elif line == _END:
            return
        elif wanted:
            yield sign + line.rstrip(b",\n")


def _sorted(folder: CopyFolder, lines: Iterable[bytes], stack: ExitStack) -> list[Iterator[bytes]]:
    """The lines in the order of their ids, and of one id in their own, as streams to merge; long ones lie in files."""
    left = iter(lines)
    streams: list[Iterator[bytes]] = []
    while part := sorted(islice(left, _SORTED_AT_ONCE), key=_id):
        if len(part) < _SORTED_AT_ONCE:
            return [*streams, iter(part)]
        _, file = stack.enter_context(folder.scratch())
        file.writelines(line + b"\n" for line in part)
        file.seek(0)
        streams.append(line.rstrip(b"\n") for line in file)
    return streams
