"""Works on all brands with several hosts: `python -m unde_catalog_tests.several_hosts` as root.

PostgreSQL with PgBouncer, Redis, S3, the sandbox, Dagster and workers are hosts of their own (`network_hosts.py`).
`proof` kills a worker, adds two and cuts one off for a minute, then counts from outside: the sandbox's request log and
rows. `throughput` measures 1, 2 and 4 workers. `--only` runs one of the two.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from dagster_graphql import DagsterGraphQLClient

from unde_catalog.brands import BRANDS
from unde_catalog.sandbox.own import environment
from unde_catalog.stage_specs import QUEUES
from unde_catalog_tests.support.network_hosts import ABSENT, Host, Network, can_have_hosts, running_network
from unde_catalog_tests.support.pgbouncer import ordinary_user
from unde_catalog_tests.support.s3_servers import ACCESS_KEY, BUCKET, SECRET_KEY, s3_environment
from unde_catalog_tests.support.servers import PROJECT, debian_postgres_bin

_BIN = Path(sys.executable).parent
_DATABASES = ("unde_staging", "unde_main", "dagster")
_REDELIVERY_SECONDS = 60  # three hours in a deployment
_CUT_SECONDS = 60
_LATENCY = "0.5"  # seconds between two requests for photos: what a brand's host asks for, and no work for a CPU
_MEASURED = ("zara", "bershka", "pullandbear", "oysho")  # a run for each of at most four workers
_PATIENCE = 1_200  # seconds for all brands


@dataclass(frozen=True, slots=True)
class Result:
    """What the proof counted. `repeated`: photos that were requested more than once, which were in hand at a kill."""

    products: int
    whole: int
    scrapes: Counter[str]
    inserted: int
    inserted_twice: int
    photos: int
    repeated: int
    seconds: float


class System:
    """All hosts but the workers."""

    def __init__(self, network: Network, folder: Path) -> None:
        self._network, self._folder = network, folder
        names = ("database", "redis", "objects", "services", "dagster")
        self._database, redis, objects, services, self._dagster = map(network.host, names)
        self._workers = 0
        pooled, direct = (f"postgresql://unde@{self._database.address}:{port}" for port in (6432, 5432))
        self._direct = direct
        self.sandbox = f"http://{services.address}:8790"
        home = folder / "dagster"
        home.mkdir()
        (home / "dagster.yaml").symlink_to(PROJECT / "dagster.yaml")
        self.environment: Mapping[str, str] = {
            **{name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")},
            **environment(8790, services.address), "ZARA_INDEX_SCOPE": "pilot",
            **s3_environment(f"http://{objects.address}:9000"), "S3_REGION": "us-east-1",
            "COMPUTE_LOGS_BUCKET": "unde-logs", "EXECUTOR": "celery", "REDIS_URL": f"redis://{redis.address}:6379/0",
            "STAGING_DB_URL": f"{pooled}/unde_staging", "PRODUCTION_DB_URL": f"{pooled}/unde_main",
            "DAGSTER_DB_URL": f"{direct}/dagster", "BACKUP_DB_URL": f"{direct}/unde_staging",
            "DAGSTER_HOME": str(home), "UNDE_HOME": str(folder / "state"), "PYTHONPATH": str(PROJECT),
            "DOWNLOAD_DELAY_MIN": _LATENCY, "DOWNLOAD_DELAY_MAX": _LATENCY, "CONCURRENT_DOWNLOADS": "2",
            "PRODUCT_TIMEOUT": "90",  # longer than the cut, which is no fault of a product
            "OBJECT_BASE_URL": f"http://{objects.address}:8080/{BUCKET}",
        }  # fmt: skip
        self._start_database()
        (folder / "redis").mkdir()
        redis.start("redis-server", "--bind", redis.address, "--protected-mode", "no", "--save", "", "--dir",
                    folder / "redis")  # fmt: skip
        for bucket in (BUCKET, "unde-logs"):
            (folder / "s3" / bucket).mkdir(parents=True)
        objects.start(_BIN / "rclone", "serve", "s3", "--addr", f"{objects.address}:9000", "--auth-key",
                      f"{ACCESS_KEY},{SECRET_KEY}", "--config", "/dev/null", folder / "s3")  # fmt: skip
        objects.start(sys.executable, "-m", "http.server", "8080", "-d", folder / "s3")  # for readers, such as Ximilar
        services.start(sys.executable, "-m", "unde_catalog.sandbox", "--host", services.address, "--port", "8790",
                       "--state-dir", folder / "sandbox", environment=self.environment)  # fmt: skip
        self.command("migrate")
        for program, *arguments in (("dagster-webserver", "-h", self._dagster.address), ("dagster-daemon", "run")):
            self._dagster.start(_BIN / program, *arguments, "-w", PROJECT / "workspace.yaml",
                                environment=self.environment, folder=folder)  # fmt: skip
        _wait_for(lambda: urllib.request.urlopen(f"http://{self._dagster.address}:3000/server_info").close(), OSError)

    def _start_database(self) -> None:
        programs, account = debian_postgres_bin(), ordinary_user()
        if programs is None:
            sys.exit("PostgreSQL is not installed: apt-get install postgresql")
        data, pooler = self._folder / "data", self._folder / "pgbouncer.ini"
        data.mkdir()
        os.chown(data, account["user"], account["group"])
        initdb = [programs / "initdb", "-D", data, "-U", "unde", "--no-locale", "-E", "UTF8", "-A", "trust", "-N"]
        subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, **account)
        with (data / "pg_hba.conf").open("a") as rules:
            rules.write("host all all samenet trust\n")
        address = self._database.address
        self._database.start(programs / "postgres", "-D", data, "-c", f"listen_addresses={address}", "-c",
                             "unix_socket_directories=", "-c", "max_connections=200", account=account)  # fmt: skip
        pooler.write_text(
            f"[databases]\n* = host={address} port=5432 user=unde\n[pgbouncer]\nlisten_addr = {address}\n"
            "unix_socket_dir =\nauth_type = any\npool_mode = transaction\nmax_client_conn = 400\n"
        )
        _wait_for(lambda: psycopg.connect(f"{self._direct}/postgres", connect_timeout=2).close())
        with psycopg.connect(f"{self._direct}/postgres", autocommit=True) as connection:
            for name in _DATABASES:
                connection.execute(f"CREATE DATABASE {name}".encode())
        self._database.start("/usr/sbin/pgbouncer", "-q", pooler, account=account)

    def command(self, *arguments: str) -> None:
        """Run `unde-catalog` on this machine."""
        command = [str(_BIN / "unde-catalog"), *arguments]
        subprocess.run(
            command,
            check=True,
            env=dict(self.environment),
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def worker(self) -> Host:
        """Add a host with a worker of all queues that executes one step at a time."""
        self._workers += 1
        host = self._network.host(f"worker{self._workers}")
        host.start(sys.executable, "-m", "unde_catalog_tests.support.celery_worker", str(_REDELIVERY_SECONDS),
                   "-Q", ",".join(QUEUES), "-c", "1", "-n", f"{host.name}@%h", "--without-gossip", "--without-mingle",
                   environment=self.environment, folder=self._folder)  # fmt: skip
        return host

    def request(self, job: str, *brands: str) -> None:
        """Request a run of the job for each brand."""
        dagster = DagsterGraphQLClient(self._dagster.address, port_number=3000)
        for brand in brands:
            dagster.submit_job_execution(job, tags={"dagster/partition": brand})

    def query(self, database: str, statement: str) -> list[tuple[Any, ...]]:
        """Rows of a database."""
        with psycopg.connect(f"{self._direct}/{database}", autocommit=True) as connection:
            return connection.execute(statement.encode()).fetchall()

    def requests(self, kind: str) -> list[dict[str, Any]]:
        """The sandbox's log."""
        with urllib.request.urlopen(f"{self.sandbox}/_log?kind={kind}", timeout=30) as response:
            return json.load(response)["requests"]

    def stored(self) -> int:
        """The photos that are stored."""
        return self.query("unde_staging", "SELECT count(*) FROM product_photos WHERE sha256 IS NOT NULL")[0][0]

    def runs_in_flight(self) -> set[str]:
        """The brands of runs that have not ended."""
        rows = self.query("dagster", "SELECT t.value FROM runs r JOIN run_tags t USING (run_id) WHERE t.key = 'brand'"
                          " AND r.status NOT IN ('SUCCESS', 'FAILURE', 'CANCELED')")  # fmt: skip
        return {brand for (brand,) in rows}

    def incomplete(self) -> dict[str, int]:
        """Brands with products that are not whole, and how many; a brand that has not been collected has one."""
        rows = self.query("unde_staging", "SELECT brand, count(*) FILTER (WHERE image_status <> 'collage_ready')"
                          " FROM raw_products WHERE active GROUP BY brand")  # fmt: skip
        open_products = {brand: 1 for brand in BRANDS} | dict(rows)
        return {brand: count for brand, count in open_products.items() if count}


@contextmanager
def running_system() -> Iterator[System]:
    """The system in a folder of its own, which is removed."""
    with tempfile.TemporaryDirectory(prefix="unde-hosts-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        with running_network(folder) as network:
            yield System(network, folder)


def proof() -> Result:
    """Take all brands through the pipeline while workers come and go."""
    with running_system() as system:
        first, second = system.worker(), system.worker()
        started = time.monotonic()
        system.request("update_catalog", *BRANDS)
        _wait_for(lambda: _require(system.stored() > 20), AssertionError, _PATIENCE)
        first.kill()
        _say(started, f"killed a worker at {system.stored()} photos, and added two")
        for _ in range(2):
            system.worker()
        _wait_for(lambda: _require(system.stored() > 150), AssertionError, _PATIENCE)
        second.cut()
        _say(started, f"cut another one off at {system.stored()} photos")
        time.sleep(_CUT_SECONDS)
        second.reconnect()
        _say(started, f"reconnected it at {system.stored()} photos")
        while incomplete := system.incomplete():
            if time.monotonic() - started > _PATIENCE:
                raise AssertionError(f"not whole after {_PATIENCE} s: {incomplete}; see {system.runs_in_flight()}")
            # As a sensor would: another run for what is due and in no run.
            if again := incomplete.keys() - system.runs_in_flight():
                system.request("update_catalog", *again)
            time.sleep(10)
        seconds = time.monotonic() - started
        _say(started, "all brands are whole")
        photos = Counter(one["path"] for one in system.requests("photo"))
        inserted = Counter(record for one in system.requests("ximilar.insert") for record in one["inserted"])
        ((products, whole),) = system.query(
            "unde_staging", "SELECT count(*), count(*) FILTER (WHERE collage_url IS NOT NULL) FROM raw_products"
        )
        return Result(
            products, whole, Counter(one["path"] for one in system.requests("apify.start")),
            len(inserted), sum(count > 1 for count in inserted.values()), len(photos),
            sum(count > 1 for count in photos.values()), seconds,
        )  # fmt: skip


def throughput(workers: int) -> float:
    """Photos a second with so many workers, of four brands, from the requests of the runs on."""
    with running_system() as system:
        for brand in _MEASURED:
            system.command("run", "raw_products", "--brand", brand)
        for _ in range(workers):
            system.worker()
        time.sleep(15)  # they connect, and Dagster loads the definitions
        started = time.monotonic()
        system.request("download_originals", *_MEASURED)
        done = "SELECT count(*) FROM due_work WHERE stage = 'originals' AND due_at IS NOT NULL"
        _wait_for(lambda: _require(system.query("unde_staging", done)[0][0] == 0), AssertionError, _PATIENCE)
        return system.stored() / (time.monotonic() - started)


def _wait_for(attempt: Any, errors: Any = psycopg.OperationalError, seconds: float = 120) -> Any:
    deadline = time.monotonic() + seconds
    while True:
        try:
            return attempt()
        except errors:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def _require(holds: bool) -> None:
    assert holds


def _say(started: float, what: str) -> None:
    print(f"{time.monotonic() - started:5.0f} s: {what}", flush=True)


def main() -> int:
    """Print what was counted; 1 if something was lost or done twice."""
    parser = argparse.ArgumentParser("python -m unde_catalog_tests.several_hosts", description=__doc__)
    parser.add_argument("--only", choices=["proof", "throughput"])
    only = parser.parse_args().only
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the hosts are removed
    if not can_have_hosts():
        sys.exit(ABSENT)
    wrong = False
    if only != "throughput":
        result = proof()
        print(result, flush=True)
        twice = max(result.scrapes.values()) > 1 or result.inserted_twice > 0
        wrong = twice or result.whole < result.products
    if only != "proof":
        for workers in (1, 2, 4):
            print(f"{workers} workers: {throughput(workers):.1f} photos a second", flush=True)
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
