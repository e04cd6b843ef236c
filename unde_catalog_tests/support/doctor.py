"""Every service that `unde-catalog doctor` checks, running and healthy, for tests that break one of them."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg
from dagster_postgres import DagsterPostgresStorage

from unde_catalog.backends import Backends
from unde_catalog.operations.doctor.result import Line
from unde_catalog.operations.doctor.run import SECONDS, Diagnosis, run_checks
from unde_catalog.operations.doctor.services import all_checks
from unde_catalog.settings.environment import load_settings, load_user_media_settings
from unde_catalog.settings.redaction import Secrets
from unde_catalog_tests.support.nats_servers import running_nats
from unde_catalog_tests.support.proxies import running_proxy
from unde_catalog_tests.support.redis_servers import running_redis
from unde_catalog_tests.support.s3_servers import BUCKET, running_rclone, s3_environment
from unde_catalog_tests.support.servers import PROJECT, Server, running_sandbox
from unde_catalog_tests.support.upstream import remote_host, reply
from unde_catalog_tests.support.user_media import PRIVATE_BUCKET, private_environment


@dataclass(frozen=True, slots=True)
class Services:
    """The environment with all services, and the URL of a photo behind the proxy."""

    environment: dict[str, str]
    photo_url: str


@contextmanager
def healthy_services(server: Server, folder: Path) -> Iterator[Services]:
    """All services except the staging database, because every test has its own."""
    with ExitStack() as stack:
        sandbox = stack.enter_context(running_sandbox(folder / "sandbox"))
        (folder / "s3" / PRIVATE_BUCKET).mkdir(parents=True)
        rclone = stack.enter_context(running_rclone(folder / "s3"))
        nats = stack.enter_context(running_nats(folder / "nats"))
        public = stack.enter_context(_public(folder / "s3" / BUCKET))
        proxy = stack.enter_context(running_proxy(folder / "proxy"))
        redis = stack.enter_context(running_redis(folder / "redis"))
        photos = stack.enter_context(remote_host())
        photos.respond("/", reply(b"a store", "403 Forbidden"))
        production = server.new_production_database()
        dagster = server.past_poolers(server.new_database(migrated=False))
        stack.callback(server.drop, production)
        stack.callback(server.drop, dagster)
        DagsterPostgresStorage(dagster)  # creates its tables
        home = folder / "dagster"
        home.mkdir()
        (home / "dagster.yaml").symlink_to(PROJECT / "dagster.yaml")
        environment = {
            **sandbox.environment, **s3_environment(rclone.url), "OBJECT_BASE_URL": public,
            "NATS_URL": nats.url, **private_environment(rclone.url),
            "PROXY_URL": proxy, "ZARA_USE_PROXY": "true", "ZARA_PHOTO_HOSTS": f"localhost:{photos.port}",
            "REDIS_URL": redis, "PRODUCTION_DB_URL": production, "DAGSTER_DB_URL": dagster,
            "DAGSTER_HOME": str(home), "NOTICE_WEBHOOK_URL": "http://127.0.0.1:1/notices",
            "UNDE_HOME": str(folder / "home"),
        }  # fmt: skip
        yield Services(environment, photos.url("/a.jpg", "localhost"))


def diagnose(seconds: float = SECONDS) -> Diagnosis:
    """Check the services in the environment."""
    settings, user_media = load_settings(), load_user_media_settings()
    with Backends(settings) as backends:
        return run_checks(all_checks(settings, user_media, backends), Secrets(settings, user_media), seconds)


def services_in_state(diagnosis: Diagnosis, state: str) -> set[str]:
    """The services in that state."""
    return {line.service for line in diagnosis.lines if line.state == state}


def line_of(diagnosis: Diagnosis, service: str) -> Line:
    return next(line for line in diagnosis.lines if line.service == service)


def as_json(diagnosis: Diagnosis) -> str:
    """All lines as JSON."""
    return json.dumps([line.as_dict() for line in diagnosis.lines], indent=1)


@contextmanager
def silent_port() -> Iterator[int]:
    """A port that accepts connections and never responds."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listening:
        yield listening.getsockname()[1]


def count_events(url: str) -> int:
    """The number of events in Dagster's database."""
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM event_logs").fetchone()
        assert row is not None
        return row[0]


@contextmanager
def _public(folder: Path) -> Iterator[str]:
    """A web server for a folder, as a CDN in front of a bucket."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{running.server_port}"
        finally:
            running.shutdown()
