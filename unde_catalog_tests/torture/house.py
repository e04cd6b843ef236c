"""One trial's world: a database, a folder of objects, a sandbox, a clock; and the command line run in it.

Who is killed, and when, is not decided here.
"""

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import DictRow, dict_row

from unde_catalog.brands import BRANDS as ALL_BRANDS
from unde_catalog.stores.staging.migrate import STAGING
from unde_catalog_tests.support.servers import PROJECT, Sandbox, Server, running_sandbox
from unde_catalog_tests.torture.assortment import BRANDS, Assortment

PROGRAM = str(Path(sys.executable).parent / "unde-catalog")
_OBJECT_URL = "http://objects.test"  # the same in every trial, so that rows can be compared
LEASES_RAN_OUT = timedelta(minutes=15)  # longer than the lease of any stage
NEXT_SCRAPE = timedelta(hours=5)
_SCRAPE_INTERVAL_HOURS = "4"  # all three scrapes within the 24 hours in which a run of Apify may be adopted
_LONGEST = 120.0  # seconds that a command may take
_MOST_RUNS = 8  # of a stage until nothing of it is due
_pause = threading.Event()


STAGES = ("raw_products", "originals", "collages")  # what goes outward is killed in tests of its own


class Broken(AssertionError):
    """Something did not come to a good end; the sentence says what."""


@dataclass(slots=True)
class Invocation:
    """A run of a command: when it began (seconds since the epoch) and which photos lay in the store then."""

    began: float
    stored: frozenset[tuple[str, str]]  # (product's folder, SHA-256)


@dataclass(slots=True)
class House:
    """A trial's stores. `folder` holds all of its files; objects are read below `objects`, whoever serves them."""

    server: Server
    sandbox: Sandbox
    assortment: Assortment
    folder: Path
    objects: Path
    database_url: str
    extra: Mapping[str, str] = field(default_factory=dict)
    invocations: list[Invocation] = field(default_factory=list)
    restarts: int = 0
    _now: datetime = field(default_factory=lambda: datetime.now(UTC))
    _hashes: dict[tuple[str, int, int, int], str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """Of every process of ours."""
        return {
            **environment_of(self.database_url, self.folder),
            **self.sandbox.environment,
            **{f"APIFY_TASK_{name.upper()}": "" for name in ALL_BRANDS if name not in BRANDS},
            "BAKAI_CDN_SECRET_KEY": "",
            "SCRAPE_INTERVAL_HOURS": _SCRAPE_INTERVAL_HOURS,
            "OBJECT_BASE_URL": _OBJECT_URL,
            **self.extra,
        }

    @property
    def output(self) -> Path:
        """What all commands said."""
        return self.folder / "output"

    def later(self, time: timedelta) -> None:
        """Let time pass for whoever connects from now on."""
        self._now += time
        self.server.set_now(self.database_url, self._now.isoformat())

    def begin(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a command as the leader of a process group of its own."""
        self.look()
        with self.output.open("ab") as output:
            output.write(f"\n$ {' '.join(arguments)}\n".encode())
            return subprocess.Popen(
                [PROGRAM, *arguments],
                env=self.environment, cwd=self.folder, stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip

    def look(self) -> None:
        """Note what is stored: what is there from now on must not be asked for again."""
        stored = frozenset(self.photos())
        self.invocations.append(Invocation(time.time(), stored))

    def ended(self, process: subprocess.Popen[bytes]) -> int:
        """Its exit code; killed and `Broken` when it takes too long."""
        try:
            return process.wait(_LONGEST)
        except subprocess.TimeoutExpired:
            kill_group(process)
            raise Broken(f"a command did not end within {_LONGEST:g} s, see {self.output}") from None

    def to_the_end(self, stage: str) -> None:
        """Run a stage, with time between, until it is through with all that was due."""
        code = None
        for _ in range(_MOST_RUNS):
            self.restarts += 1
            code = self.ended(self.begin("run", stage))
            if code == 0 and not self.still_open(stage):
                return
            self.later(LEASES_RAN_OUT)
        raise Broken(f"{stage} has work left after {_MOST_RUNS} runs (exit code {code}), see {self.output}")

    def still_open(self, stage: str) -> int:
        """How much of a stage is still to be done: scrapes, or products."""
        if stage == STAGES[0]:
            wanted = len(self.query("SELECT 1 FROM scrapes WHERE state IN ('intended', 'running')"))
            done = self.query("SELECT DISTINCT brand FROM scrapes WHERE state = 'complete'")
            return wanted + len(BRANDS) - len(done)
        return len(self.query("SELECT 1 FROM due_work WHERE stage = %s AND due_at IS NOT NULL", stage))

    def query(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        """Rows, as the administrator sees them, past any pooler."""
        with self.connect() as connection:
            cursor = connection.execute(sql.encode(), values or None)
            return cursor.fetchall() if cursor.description else []

    def connect(self) -> psycopg.Connection[DictRow]:
        """As the administrator, past any pooler; waits for a server that is coming up."""
        url = self.server.direct_url(self.database_url)
        return until_it_answers(lambda: psycopg.Connection[DictRow].connect(url, autocommit=True, row_factory=dict_row))

    def stored(self) -> dict[str, str]:
        """All objects: key -> SHA-256."""
        found = {}
        for path in self.objects.rglob("*"):
            key = path.relative_to(self.objects).as_posix()
            if not key.startswith("."):
                try:
                    if path.is_file():
                        found[key] = self.hash_of(path)
                except FileNotFoundError:  # deleted while we look
                    continue
        return found

    def photos(self) -> Iterator[tuple[str, str]]:
        """Of every stored photo its product's folder and its SHA-256, also of copies aside."""
        for key, digest in self.stored().items():
            if key.startswith("originals/"):
                yield key.removeprefix("originals/").rpartition("/")[0], digest

    def hash_of(self, path: Path) -> str:
        """Of a file; FileNotFoundError."""
        status = path.stat()
        known = (str(path), status.st_ino, status.st_mtime_ns, status.st_size)
        if known not in self._hashes:
            self._hashes[known] = hashlib.sha256(path.read_bytes()).hexdigest()
        return self._hashes[known]


def environment_of(database_url: str, folder: Path) -> dict[str, str]:
    """Of a process that works with a database and keeps what it keeps below `folder`."""
    home = str(folder / "home")
    return {
        "PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT), "STAGING_DB_URL": database_url, "UNDE_HOME": home,
    }  # fmt: skip


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL to all of its process group."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def pause(seconds: float) -> None:
    """Between two looks from outside."""
    _pause.wait(seconds)


def until_it_answers(connect: Any, seconds: float = 30) -> Any:
    """The connection to a server that is coming up."""
    give_up_at = time.monotonic() + seconds
    while True:
        try:
            return connect()
        except psycopg.OperationalError:
            if time.monotonic() > give_up_at:
                raise
            pause(0.02)


@contextmanager
def house(
    server: Server, assortment: Assortment, folder: Path, objects: Path | None = None, extra: Mapping[str, str] = {}
) -> Iterator[House]:
    """A fresh one; `objects`: where another store than a folder keeps them."""
    folder.mkdir(parents=True)
    # Not from the template: at wal_level minimal a copied database loses its unlogged tables' indexes in a crash.
    url = server.new_database(migrated=False)
    STAGING.upgrade(url)
    arguments = ("--data", str(assortment.folder), "--run-seconds", "0.2")
    assortment.sell(0)
    with running_sandbox(folder / "sandbox", *arguments) as sandbox:
        kept = objects or folder / "home" / "objects"
        made = House(server, sandbox, assortment, folder, kept, url, extra)
        made.later(timedelta(0))
        yield made
    until_it_answers(lambda: server.drop(url))
