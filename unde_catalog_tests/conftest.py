"""Fixtures that several packages share. A server starts at most once per session."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from unde_catalog.backends import Backends
from unde_catalog.settings.environment import load_settings
from unde_catalog.stores.db.database import Database
from unde_catalog_tests.support import pgbouncer
from unde_catalog_tests.support.servers import (
    REAL_DATA,
    Sandbox,
    Server,
    debian_postgres_bin,
    debian_server,
    missing,
    running_sandbox,
    wheel_server,
)

# How long an example takes says nothing about the code: it is the machine's load.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


@pytest.fixture(scope="session", autouse=True)
def project_of_tests(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A project above the folders of all tests: none without UNDE_HOME finds the `.env` and state of the checkout."""
    (tmp_path_factory.getbasetemp() / ".unde").mkdir(exist_ok=True)


def pytest_report_header() -> str:
    return "" if pgbouncer.program() else pgbouncer.ABSENT


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """PostgreSQL 18 from the wheel, behind PgBouncer if that is installed."""
    program = pgbouncer.program()
    if program is None and os.environ.get("CI"):
        missing(pgbouncer.ABSENT)
    with wheel_server(18) as running, ExitStack() as stack:
        running.skip_durability()
        if program is not None:
            running.use_pgbouncer(stack.enter_context(pgbouncer.pgbouncer(program, running.admin_url)))
        yield running


@pytest.fixture(
    scope="session",
    params=["18", pytest.param("16", marks=pytest.mark.slow), pytest.param("debian", marks=pytest.mark.slow)],
)
def each_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Each supported PostgreSQL; `make test` uses the newest alone."""
    if request.param == "18":
        yield request.getfixturevalue("server")
        return
    if request.param == "16":
        with wheel_server(16) as running:
            running.skip_durability()
            yield running
        return
    programs = debian_postgres_bin()
    if programs is None:
        missing("Debian's PostgreSQL is not installed: apt-get install postgresql")
    with debian_server(programs) as running:
        running.skip_durability()
        yield running


@pytest.fixture
def database_url(server: Server) -> Iterator[str]:
    """A migrated database for this test. No session state may be left behind, where another client would find it."""
    url = server.new_database()
    yield url
    left = server.session_state(url)
    server.drop(url)
    assert left == []


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    with Database(database_url) as database:
        yield database


@pytest.fixture
def production_url(server: Server) -> Iterator[str]:
    """A migrated production database for this test."""
    url = server.new_production_database()
    yield url
    left = server.session_state(url)
    server.drop(url)
    assert left == []


@pytest.fixture
def production(production_url: str) -> Iterator[Database]:
    with Database(production_url) as database:
        yield database


@pytest.fixture
def start_sandbox(tmp_path: Path) -> Iterator[Callable[..., Sandbox]]:
    """Starts a sandbox with these arguments; it stops with the test."""
    with ExitStack() as stack:
        yield lambda *arguments: stack.enter_context(running_sandbox(tmp_path / "sandbox", *arguments))


@pytest.fixture
def sandbox(start_sandbox: Callable[..., Sandbox]) -> Sandbox:
    """The sandbox with its drawn catalogue and no faults."""
    return start_sandbox()


@pytest.fixture
def configured(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, str]]:
    """Points this process and its children at a sandbox, the test's database and a home folder of the test."""

    def configure(sandbox: Sandbox, **extra: str) -> dict[str, str]:
        monkeypatch.chdir(tmp_path)  # where there is no .env file
        environment = {
            **sandbox.environment, "UNDE_HOME": str(tmp_path / "home"), "STAGING_DB_URL": database_url, **extra,
        }  # fmt: skip
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return environment

    return configure


@pytest.fixture
def backends(sandbox: Sandbox, configured: Callable[..., dict[str, str]]) -> Iterator[Backends]:
    """The stores of a test, with the sandbox as the outside world."""
    configured(sandbox)
    with Backends(load_settings()) as backends:
        yield backends


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with real input, if it exists beside the project."""
    if not (REAL_DATA / "apify_items").is_dir():
        pytest.skip(f"there is no real input in {REAL_DATA}: this test needs apify_items/ and photos/ there")
    return REAL_DATA
