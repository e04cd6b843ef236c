"""A brand's products and the host of their photos, with the command that copies them to files, for tests."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from psycopg.types.json import Jsonb

from unde_catalog.services.export.folder import CHECKPOINT
from unde_catalog.stores.db.database import Database
from unde_catalog_tests.support.upstream import Act, FarSide, far_side, hang, reply
from unde_catalog_tests.torture.house import pause
from unde_catalog_tests.unit.drawn_photos import plain, saved

PROGRAM = str(Path(sys.executable).parent / "unde-catalog")
RED, GREEN = saved(plain("red")), saved(plain("green"))
_LONGEST = 100.0  # seconds that a command may take


@dataclass(slots=True)
class Ran:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def figures(self) -> dict[str, Any]:
        """What it said with --json."""
        return json.loads(self.out)


@dataclass(slots=True)
class Market:
    """BakaiMarket's products in staging, its photos at a host, and copies of them below a folder."""

    db: Database
    host: FarSide
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[str] | None = None  # that was begun last
    strikes: tuple[int, signal.Signals] | None = None  # which request from now on that process does not outlive
    _served: int = 0

    @property
    def copy(self) -> Path:
        """The default copy."""
        return self.folder / "copy"

    def add(
        self, number: int | str, *photos: bytes, category: str | None = "electronics", brand: str = "bakai",
        external_id: str | None = None,
    ) -> list[str]:  # fmt: skip
        """A new product with these photos at the host; their URLs."""
        name = str(number)
        urls = [self.host.answer(f"/{name}/{n}", self._serving(photo)) for n, photo in enumerate(photos, start=1)]
        with self.db.transaction() as cursor:
            cursor.execute(
                "INSERT INTO raw_products (source, external_id, brand, category, original_image_urls, scraped_at)"
                " VALUES (%s, %s, %s, %s, %s, now())",
                (brand, f"{brand}_{name}" if external_id is None else external_id, brand, category, Jsonb(urls)),
            )
        return urls

    def now_is(self, number: int | str, photo: bytes) -> None:
        """The first photo of a product is another one from now on."""
        self.host.answer(f"/{number}/1", self._serving(photo))

    def export(self, *arguments: str, **extra: str) -> Ran:
        """Run the command to its end; into the default copy, if no other is named."""
        process = self.begin(*arguments, **extra)
        try:
            out, err = process.communicate(timeout=_LONGEST)
        finally:
            kill(process)
        return Ran(process.returncode, out, err)

    def struck(self, request: int, number: signal.Signals, *arguments: str, **extra: str) -> Ran:
        """The same, but its process group gets a signal when it asks for so many photos; that one has no answer."""
        self._served, self.strikes = 0, (request, number)
        try:
            return self.export(*arguments, **extra)
        finally:
            self.strikes = None

    def begin(self, *arguments: str, **extra: str) -> subprocess.Popen[str]:
        """Start the command as the leader of a process group of its own."""
        where = () if "--output" in arguments else ("--output", str(self.copy))
        self.process = subprocess.Popen(
            [PROGRAM, "export", *where, *arguments],
            env={**os.environ, **self.environment, **extra}, cwd=self.folder, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        return self.process

    def wait_until_asked(self) -> None:
        """Until the process that was begun last asks for a photo."""
        for _ in range(6_000):
            if self.host.asked:
                return
            pause(0.01)
        raise AssertionError("it asked for nothing")

    def asked(self) -> list[str]:
        """The paths asked for since the last time."""
        paths = self.host.paths()
        self.host.asked.clear()
        return sorted(paths)

    def _serving(self, photo: bytes) -> Act:
        answer = photo if photo.startswith(b"HTTP/") else reply(photo)

        async def act(writer: asyncio.StreamWriter) -> None:
            self._served += 1
            if self.strikes is not None and self._served >= self.strikes[0]:
                if self._served == self.strikes[0] and self.process is not None:
                    os.killpg(self.process.pid, self.strikes[1])
                await hang(writer)
            writer.write(answer)

        return act


def kill(process: subprocess.Popen[str]) -> None:
    """SIGKILL to all of its process group, if it is still there."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def files(copy: Path) -> Mapping[str, bytes]:
    """The images of a copy, by their path in it."""
    return {
        path.relative_to(copy).as_posix(): path.read_bytes()
        for path in copy.rglob("*")
        if path.is_file() and not path.relative_to(copy).as_posix().startswith(".")
    }


def checkpoint(copy: Path) -> tuple[Sequence[str], Sequence[str]]:
    """The ids downloaded and failed, by the checkpoint."""
    found = json.loads((copy / CHECKPOINT).read_text())
    assert list(found) == ["timestamp", "downloaded", "failed"]
    assert isinstance(found["timestamp"], float)
    return found["downloaded"], found["failed"]


@contextmanager
def market(db: Database, folder: Path) -> Iterator[Market]:
    """An empty one."""
    environment = {
        "STAGING_DB_URL": db.url,
        "UNDE_HOME": str(folder / "home"),
        "PHOTO_ALLOW_PRIVATE_HOSTS": "true",
    }
    with far_side() as host:
        yield Market(db, host, folder, environment)
