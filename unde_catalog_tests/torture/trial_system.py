"""The system of one trial: a database, a folder of objects, a sandbox and a clock, and the command line run on them.

Which process is killed, and when, is decided elsewhere.
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
LONGER_THAN_LEASES = timedelta(minutes=15)  # longer than the lease of any stage
NEXT_SCRAPE = timedelta(hours=5)
_SCRAPE_INTERVAL_HOURS = "4"  # all three scrapes within the 24 hours in which a run of Apify may be adopted
_COMMAND_TIMEOUT = 120.0  # seconds that a command may take
_MAX_RUNS = 8  # of a stage until nothing of it is due
_pause = threading.Event()


STAGES = ("raw_products", "originals", "collages")  # the stages that write to other systems have their own tests


class TrialFailed(AssertionError):
    """The trial cannot continue. The message says why."""


@dataclass(slots=True)
class Invocation:
    """A run of a command: its start (seconds since the epoch) and the photos stored by then."""

    began: float
    stored: frozenset[tuple[str, str]]  # (product's folder, SHA-256)


@dataclass(slots=True)
class TrialSystem:
    """The stores of a trial. `folder` contains all its files; stored objects are read from the folder `objects`."""

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
        """The environment of every process under test."""
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
        """The file with the output of all commands."""
        return self.folder / "output"

    def advance(self, time: timedelta) -> None:
        """Move the database's clock, for connections opened from now on."""
        self._now += time
        self.server.set_now(self.database_url, self._now.isoformat())

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a command in its own process group."""
        self.record_stored_photos()
        with self.output.open("ab") as output:
            output.write(f"\n$ {' '.join(arguments)}\n".encode())
            return subprocess.Popen(
                [PROGRAM, *arguments],
                env=self.environment, cwd=self.folder, stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip

    def record_stored_photos(self) -> None:
        """Record which photos are stored; none of them may be downloaded again."""
        stored = frozenset(self.photos())
        self.invocations.append(Invocation(time.time(), stored))

    def wait_for_exit(self, process: subprocess.Popen[bytes]) -> int:
        """Wait for the exit code. A command that takes too long is killed and fails the trial."""
        try:
            return process.wait(_COMMAND_TIMEOUT)
        except subprocess.TimeoutExpired:
            kill_group(process)
            raise TrialFailed(f"a command did not end within {_COMMAND_TIMEOUT:g} s, see {self.output}") from None

    def run_until_done(self, stage: str) -> None:
        """Run a stage until none of its work is due; time passes between the runs."""
        code = None
        for _ in range(_MAX_RUNS):
            self.restarts += 1
            code = self.wait_for_exit(self.start("run", stage))
            if code == 0 and not self.count_open(stage):
                return
            self.advance(LONGER_THAN_LEASES)
        raise TrialFailed(f"{stage} has work left after {_MAX_RUNS} runs (exit code {code}), see {self.output}")

    def count_open(self, stage: str) -> int:
        """The number of scrapes or products that a stage has still to process."""
        if stage == STAGES[0]:
            open_scrapes = len(self.query("SELECT 1 FROM scrapes WHERE state IN ('intended', 'running')"))
            done = self.query("SELECT DISTINCT brand FROM scrapes WHERE state IN ('complete', 'partial')")
            return open_scrapes + len(BRANDS) - len(done)
        return len(self.query("SELECT 1 FROM due_work WHERE stage = %s AND due_at IS NOT NULL", stage))

    def query(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        """Run a query as the administrator, past any pooler."""
        with self.connect() as connection:
            cursor = connection.execute(sql.encode(), values or None)
            return cursor.fetchall() if cursor.description else []

    def connect(self) -> psycopg.Connection[DictRow]:
        """Connect as the administrator, past any pooler. Waits for a server that is starting."""
        url = self.server.direct_url(self.database_url)
        return wait_until_available(
            lambda: psycopg.Connection[DictRow].connect(url, autocommit=True, row_factory=dict_row)
        )

    def stored(self) -> dict[str, str]:
        """All objects: key -> SHA-256."""
        found = {}
        for path in self.objects.rglob("*"):
            key = path.relative_to(self.objects).as_posix()
            if not key.startswith("."):
                try:
                    if path.is_file():
                        found[key] = self.hash_of(path)
                except FileNotFoundError:  # deleted in the meantime
                    continue
        return found

    def photos(self) -> Iterator[tuple[str, str]]:
        """The product folder and SHA-256 of every stored photo, including copies set aside."""
        for key, digest in self.stored().items():
            if key.startswith("originals/"):
                yield key.removeprefix("originals/").rpartition("/")[0], digest

    def hash_of(self, path: Path) -> str:
        """The SHA-256 of a file. Raises FileNotFoundError."""
        status = path.stat()
        known = (str(path), status.st_ino, status.st_mtime_ns, status.st_size)
        if known not in self._hashes:
            self._hashes[known] = hashlib.sha256(path.read_bytes()).hexdigest()
        return self._hashes[known]


def environment_of(database_url: str, folder: Path) -> dict[str, str]:
    """The environment of a process that uses this database and keeps its files in `folder`."""
    home = str(folder / "home")
    return {
        "PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT), "STAGING_DB_URL": database_url, "UNDE_HOME": home,
    }  # fmt: skip


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Send SIGKILL to the process group."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def pause(seconds: float) -> None:
    """Wait between two polls."""
    _pause.wait(seconds)


def wait_until_available(connect: Any, seconds: float = 30) -> Any:
    """Connect to a server that is starting."""
    give_up_at = time.monotonic() + seconds
    while True:
        try:
            return connect()
        except psycopg.OperationalError:
            if time.monotonic() > give_up_at:
                raise
            pause(0.02)


@contextmanager
def running_system(
    server: Server, assortment: Assortment, folder: Path, objects: Path | None = None, extra: Mapping[str, str] = {}
) -> Iterator[TrialSystem]:
    """A new system. `objects` is the folder of a store other than the default directory."""
    folder.mkdir(parents=True)
    # Not from the template: at wal_level minimal a copied database loses its unlogged tables' indexes in a crash.
    url = server.new_database(migrated=False)
    STAGING.upgrade(url)
    arguments = ("--data", str(assortment.folder), "--run-seconds", "0.2")
    assortment.sell(0)
    with running_sandbox(folder / "sandbox", *arguments) as sandbox:
        objects_folder = objects or folder / "home" / "objects"
        system = TrialSystem(server, sandbox, assortment, folder, objects_folder, url, extra)
        system.advance(timedelta(0))
        yield system
    wait_until_available(lambda: server.drop(url))
