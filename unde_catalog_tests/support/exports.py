"""Products in staging, a host with their photos, and the `export` command as a process, for tests."""

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
from unde_catalog_tests.support.upstream import Act, RemoteHost, hang, remote_host, reply
from unde_catalog_tests.torture.trial_system import pause
from unde_catalog_tests.unit.drawn_photos import plain, saved

PROGRAM = str(Path(sys.executable).parent / "unde-catalog")
RED, GREEN = saved(plain("red")), saved(plain("green"))
_TIMEOUT = 100.0  # seconds for a command


@dataclass(slots=True)
class CommandResult:
    """The exit code and output of a command."""

    code: int
    out: str
    err: str

    @property
    def totals(self) -> dict[str, Any]:
        """The output of --json."""
        return json.loads(self.out)


@dataclass(slots=True)
class Marketplace:
    """BakaiMarket's products in staging, a host with its photos, and a folder for copies."""

    db: Database
    host: RemoteHost
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[str] | None = None  # the last one started
    signal_at: tuple[int, signal.Signals] | None = None  # the photo request that sends a signal to the process
    _requests: int = 0

    @property
    def copy(self) -> Path:
        """The default output folder."""
        return self.folder / "copy"

    def add(
        self, number: int | str, *photos: bytes, category: str | None = "electronics", brand: str = "bakai",
        external_id: str | None = None,
    ) -> list[str]:  # fmt: skip
        """Add a product and its photos. Returns their URLs."""
        name = str(number)
        urls = [self.host.respond(f"/{name}/{n}", self._serve(photo)) for n, photo in enumerate(photos, start=1)]
        with self.db.transaction() as cursor:
            cursor.execute(
                "INSERT INTO raw_products (source, external_id, brand, category, original_image_urls, scraped_at)"
                " VALUES (%s, %s, %s, %s, %s, now())",
                (brand, f"{brand}_{name}" if external_id is None else external_id, brand, category, Jsonb(urls)),
            )
        return urls

    def replace_photo(self, number: int | str, photo: bytes) -> None:
        """Replace the first photo of a product."""
        self.host.respond(f"/{number}/1", self._serve(photo))

    def export(self, *arguments: str, **extra: str) -> CommandResult:
        """Run the command to its end. Without --output, into the default folder."""
        process = self.start(*arguments, **extra)
        try:
            out, err = process.communicate(timeout=_TIMEOUT)
        finally:
            kill(process)
        return CommandResult(process.returncode, out, err)

    def export_with_signal(self, request: int, number: signal.Signals, *arguments: str, **extra: str) -> CommandResult:
        """Like `export`, but signals the process group at this photo request (from 1) and does not answer any more."""
        self._requests, self.signal_at = 0, (request, number)
        try:
            return self.export(*arguments, **extra)
        finally:
            self.signal_at = None

    def start(self, *arguments: str, **extra: str) -> subprocess.Popen[str]:
        """Start the command in its own process group."""
        output = () if "--output" in arguments else ("--output", str(self.copy))
        self.process = subprocess.Popen(
            [PROGRAM, "export", *output, *arguments],
            env={**os.environ, **self.environment, **extra}, cwd=self.folder, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        return self.process

    def wait_for_request(self) -> None:
        """Wait until the process requests a photo."""
        for _ in range(6_000):
            if self.host.requests:
                return
            pause(0.01)
        raise AssertionError("the process sent no request")

    def requested(self) -> list[str]:
        """The paths requested since the last call."""
        paths = self.host.paths()
        self.host.requests.clear()
        return sorted(paths)

    def _serve(self, photo: bytes) -> Act:
        response = photo if photo.startswith(b"HTTP/") else reply(photo)

        async def act(writer: asyncio.StreamWriter) -> None:
            self._requests += 1
            if self.signal_at is not None and self._requests >= self.signal_at[0]:
                if self._requests == self.signal_at[0] and self.process is not None:
                    os.killpg(self.process.pid, self.signal_at[1])
                await hang(writer)
            writer.write(response)

        return act


def kill(process: subprocess.Popen[str]) -> None:
    """Send SIGKILL to the process group, if it still exists."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def files(copy: Path) -> Mapping[str, bytes]:
    """The images of a copy, by relative path."""
    return {
        path.relative_to(copy).as_posix(): path.read_bytes()
        for path in copy.rglob("*")
        if path.is_file() and not path.relative_to(copy).as_posix().startswith(".")
    }


def checkpoint(copy: Path) -> tuple[Sequence[str], Sequence[str]]:
    """The downloaded and failed ids of the checkpoint."""
    content = json.loads((copy / CHECKPOINT).read_text())
    assert list(content) == ["timestamp", "downloaded", "failed"]
    assert isinstance(content["timestamp"], float)
    return content["downloaded"], content["failed"]


@contextmanager
def open_marketplace(db: Database, folder: Path) -> Iterator[Marketplace]:
    """An empty marketplace."""
    environment = {
        "STAGING_DB_URL": db.url,
        "UNDE_HOME": str(folder / "home"),
        "PHOTO_ALLOW_PRIVATE_HOSTS": "true",
    }
    with remote_host() as host:
        yield Marketplace(db, host, folder, environment)
