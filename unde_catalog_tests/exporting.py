"""A brand's products and the host of their photos, with the command that copies them to files, for tests."""

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

from unde_catalog.export.folder import CHECKPOINT
from unde_catalog.staging.database import Database
from unde_catalog_tests.far_side import FarSide, far_side, reply
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
        urls = [
            self.host.answer(f"/{name}/{n}", photo if photo.startswith(b"HTTP/") else reply(photo))
            for n, photo in enumerate(photos, start=1)
        ]
        with self.db.transaction() as cursor:
            cursor.execute(
                "INSERT INTO raw_products (source, external_id, brand, category, original_image_urls, scraped_at)"
                " VALUES (%s, %s, %s, %s, %s, now())",
                (brand, external_id or f"{brand}_{name}", brand, category, Jsonb(urls)),
            )
        return urls

    def export(self, *arguments: str, **extra: str) -> Ran:
        """Run the command to its end; into the default copy, if no other is named."""
        process = self.begin(*arguments, **extra)
        try:
            out, err = process.communicate(timeout=_LONGEST)
        finally:
            kill(process)
        return Ran(process.returncode, out, err)

    def begin(self, *arguments: str, **extra: str) -> subprocess.Popen[str]:
        """Start the command as the leader of a process group of its own."""
        where = () if "--output" in arguments else ("--output", str(self.copy))
        return subprocess.Popen(
            [PROGRAM, "export", *where, *arguments],
            env={**os.environ, **self.environment, **extra}, cwd=self.folder, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip

    def asked(self) -> list[str]:
        """The paths asked for since the last time."""
        paths = self.host.paths()
        self.host.asked.clear()
        return sorted(paths)


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
