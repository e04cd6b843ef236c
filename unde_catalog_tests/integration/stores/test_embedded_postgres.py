"""The embedded PostgreSQL and the processes that share it. No server is left in its folder after a test."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import psycopg
import psycopg2
import pytest
import sqlalchemy

from unde_catalog.stores.embedded.binaries import Major
from unde_catalog.stores.embedded.locks import FileLock
from unde_catalog.stores.embedded.postgres import EmbeddedPostgres
from unde_catalog_tests.support.embedded_users import ServerFolder, store, stored, wait_for_end, wait_until

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("major", [16, 18])
def test_its_url_works_with_psycopg3_psycopg2_and_sqlalchemy(server_folder: ServerFolder, major: Major) -> None:
    with EmbeddedPostgres(server_folder.directory, major) as postgres:
        postgres.ensure_databases("staging")
        url = postgres.url("staging")
        with psycopg.connect(url) as connection:
            assert connection.info.server_version // 10_000 == major
            assert connection.info.dbname == "staging"
        psycopg2.connect(url).close()
        for driver in ("postgresql", "postgresql+psycopg"):
            engine = sqlalchemy.create_engine(url.replace("postgresql", driver, 1))
            with engine.connect() as connection:
                assert connection.scalar(sqlalchemy.text("SELECT current_database()")) == "staging"
            engine.dispose()
        with pytest.raises(ValueError, match="odd name"):
            postgres.url("odd name")


def test_it_listens_only_on_a_private_socket_and_never_on_tcp(server_folder: ServerFolder) -> None:
    with EmbeddedPostgres(server_folder.directory) as postgres:
        assert server_folder.layout.socket_folder() == server_folder.layout.directory / "socket"
        assert server_folder.layout.socket_folder().stat().st_mode & 0o777 == 0o700
        assert server_folder.layout.data.stat().st_mode & 0o777 == 0o700
        assert server_folder.layout.postmaster_pid.read_text().split("\n")[5] == "", "the address it listens on"
        with psycopg.connect(postgres.url("postgres")) as connection:
            rules = connection.execute("SELECT type, auth_method FROM pg_hba_file_rules").fetchall()
            assert {method for kind, method in rules if kind != "local"} == {"reject"}


def test_it_runs_with_the_settings_in_force(server_folder: ServerFolder) -> None:
    expected = {
        "synchronous_commit": "off",
        "fsync": "on",
        "TimeZone": "UTC",
        "server_encoding": "UTF8",
        "max_connections": "100",
        "shared_buffers": "64MB",
        "wal_level": "minimal",
    }
    with EmbeddedPostgres(server_folder.directory) as postgres, psycopg.connect(postgres.url("postgres")) as connection:
        found = {name: connection.execute("SELECT current_setting(%s)", [name]).fetchone() for name in expected}
        assert found == {name: (value,) for name, value in expected.items()}
        collation = connection.execute("SELECT datcollate FROM pg_database WHERE datname = 'template1'").fetchone()
        assert collation == ("C",)


def test_processes_share_one_server_and_the_last_one_stops_it(server_folder: ServerFolder) -> None:
    first, second = server_folder.user(), server_folder.user()
    server = server_folder.server()
    first.leave()
    with pytest.raises(psutil.TimeoutExpired):
        server.wait(1.0)  # four checks of the supervisor
    second.leave()
    wait_for_end(server)
    wait_until(server_folder.is_idle, "the supervisor ends too")
    assert not server_folder.layout.postmaster_pid.exists(), "it was shut down cleanly"


def test_killed_users_no_longer_count(server_folder: ServerFolder) -> None:
    starter, other = server_folder.user(), server_folder.user()
    server = server_folder.server()
    starter.kill()
    with pytest.raises(psutil.TimeoutExpired):
        server.wait(1.0)
    other.kill()
    wait_for_end(server)
    wait_until(server_folder.is_idle, "the supervisor ends too")


def test_eight_processes_that_start_at_once_share_one_server(server_folder: ServerFolder) -> None:
    users = [server_folder.user(begun=False) for _ in range(8)]
    for user in users:
        user.begin()
    for user in users:
        user.expect("ready")
    assert len(server_folder.supervisors()) == 1
    assert server_folder.layout.log.read_text().count("starting PostgreSQL") == 1
    for user in users:
        user.leave()


def test_a_user_who_arrives_while_the_server_stops_gets_a_new_one(server_folder: ServerFolder) -> None:
    server_folder.user().leave()  # so that the next start is not the first
    late = server_folder.user(begun=False)
    with EmbeddedPostgres(server_folder.directory):
        server = server_folder.server()
        server.suspend()  # so that stopping waits for resume()

    def is_stopping() -> bool:
        with FileLock(server_folder.layout.in_use_lock) as lock:
            return not lock.take(shared=True)

    wait_until(is_stopping, "the supervisor sees that no user is left")
    late.begin()
    wait_until(lambda: len(psutil.Process(late.process.pid).open_files()) > 0, "the late user waits at the lock")
    server.resume()
    late.expect("ready")
    assert server_folder.server() != server
    assert not server.is_running()


def test_databases_are_created_once_by_concurrent_callers(server_folder: ServerFolder) -> None:
    with EmbeddedPostgres(server_folder.directory) as postgres:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: postgres.ensure_databases("staging", "production"), range(8)))
        with psycopg.connect(postgres.url("postgres")) as connection:
            names = connection.execute("SELECT datname FROM pg_database ORDER BY 1").fetchall()
        assert names == [("postgres",), ("production",), ("staging",), ("template0",), ("template1",)]


def test_release_can_be_repeated_and_followed_by_acquire(server_folder: ServerFolder) -> None:
    postgres = EmbeddedPostgres(server_folder.directory)
    postgres.release()
    postgres.acquire()
    postgres.acquire()
    store(postgres, 1)
    postgres.release()
    postgres.release()
    wait_until(server_folder.is_idle, "one release is enough")
    with postgres:
        assert stored(postgres) == [1]


def test_two_folders_have_two_servers(home: Path) -> None:
    server_folders = [ServerFolder(home / name) for name in ("one", "two")]
    with EmbeddedPostgres(server_folders[0].directory) as one, EmbeddedPostgres(server_folders[1].directory) as two:
        store(one, 1)
        store(two, 2)
        assert (stored(one), stored(two)) == ([1], [2])
    for server_folder in server_folders:
        wait_until(server_folder.is_idle, "both stop")
