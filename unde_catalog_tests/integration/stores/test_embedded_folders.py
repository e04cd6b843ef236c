"""The folders, sockets and accounts of the embedded PostgreSQL."""

import resource
import shutil
from pathlib import Path

import psycopg
import pytest
import sqlalchemy

from unde_catalog.stores.embedded import privileges
from unde_catalog.stores.embedded.binaries import find_programs
from unde_catalog.stores.embedded.layout import Layout
from unde_catalog.stores.embedded.postgres import EmbeddedPostgres, EmbeddedPostgresError
from unde_catalog.stores.embedded.privileges import launcher_for
from unde_catalog_tests.support.embedded_users import IS_ROOT, ServerFolder, store, stored, wait_for_end, wait_until

pytestmark = pytest.mark.slow


def test_a_removed_folder_stops_its_server_and_acquire_makes_a_new_one(server_folder: ServerFolder) -> None:
    with EmbeddedPostgres(server_folder.directory) as postgres:
        server = server_folder.server()
        server_folder.directory.rename(
            server_folder.directory.with_name("removed")
        )  # rmtree would race with the server's own files
        wait_for_end(server)
        postgres.acquire()
        store(postgres, 1)


def test_a_folder_removed_and_used_again_gets_a_server_that_stays(server_folder: ServerFolder) -> None:
    with EmbeddedPostgres(server_folder.directory):
        old = server_folder.server()
        server_folder.directory.rename(server_folder.directory.with_name("removed"))
        with EmbeddedPostgres(server_folder.directory) as postgres:
            wait_for_end(old)
            postgres.acquire()
            store(postgres, 1)


def test_a_removed_socket_is_restored(server_folder: ServerFolder) -> None:
    with EmbeddedPostgres(server_folder.directory) as postgres:
        shutil.rmtree(server_folder.layout.socket_folder())
        postgres.acquire()
        store(postgres, 1)


def test_data_of_another_major_version_are_left_alone(stopped: ServerFolder) -> None:
    with pytest.raises(EmbeddedPostgresError, match="made by PostgreSQL 18 and this is 16: use major=18"):
        EmbeddedPostgres(stopped.directory, 16).acquire()
    with EmbeddedPostgres(stopped.directory) as postgres:
        assert stored(postgres) == [1]


@pytest.mark.parametrize("name", ["long" * 30, "with, comma: and space"])
def test_a_path_too_long_for_a_socket_gets_a_short_one(home: Path, name: str) -> None:
    server_folder = ServerFolder(home / name)
    with EmbeddedPostgres(server_folder.directory) as postgres:
        store(postgres, 1)
        folder = server_folder.layout.socket_folder()
        assert folder.parent == Path("/tmp")
        assert folder.stat().st_mode & 0o777 == 0o700
        engine = sqlalchemy.create_engine(postgres.url("postgres"))
        engine.connect().close()
        engine.dispose()
    wait_until(server_folder.is_idle, "the server stops")
    assert not folder.exists(), "nothing is left in /tmp"


def test_a_socket_folder_open_to_others_is_refused(home: Path) -> None:
    server_folder = ServerFolder(home / ("long" * 30))
    server_folder.directory.mkdir()
    folder = server_folder.layout.socket_folder()
    folder.mkdir()
    folder.chmod(0o755)
    try:
        with pytest.raises(EmbeddedPostgresError, match="with mode 700"):
            EmbeddedPostgres(server_folder.directory).acquire()
    finally:
        folder.rmdir()
    wait_until(server_folder.is_idle, "the supervisor gives up too")


def test_the_log_stays_short(server_folder: ServerFolder) -> None:
    with EmbeddedPostgres(server_folder.directory) as postgres:
        with server_folder.layout.log.open("ab") as log:
            log.write(b"x" * 5_000_000)
        wait_until(lambda: server_folder.layout.log.stat().st_size < 1_000_000, "the supervisor shortens it")
        with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
            connection.execute("DO $$ BEGIN RAISE WARNING 'a later line'; END $$")
        wait_until(
            lambda: b"a later line" in server_folder.layout.log.read_bytes()[-2000:], "the server continues to write"
        )


def test_a_folder_that_cannot_be_created_is_named(home: Path) -> None:
    (home / "file").touch()
    with pytest.raises(EmbeddedPostgresError, match="cannot be started.*file"):
        EmbeddedPostgres(home / "file" / "postgres").acquire()


def test_a_full_disk_is_reported_with_the_message_of_initdb(server_folder: ServerFolder) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, before[1]))  # the supervisor and initdb inherit it
    try:
        with pytest.raises(EmbeddedPostgresError, match="(?s)File too large.*initdb failed"):
            EmbeddedPostgres(server_folder.directory).acquire()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(server_folder.directory.glob("initdb-*")) == []
    with EmbeddedPostgres(server_folder.directory) as postgres:
        store(postgres, 1)


@pytest.mark.skipif(not IS_ROOT, reason="only root has folders that the server's account cannot pass")
def test_root_runs_it_as_another_user_even_below_a_folder_of_mode_700(home: Path) -> None:
    (home / "private").mkdir(mode=0o700)
    server_folder = ServerFolder(home / "private" / "postgres")
    with EmbeddedPostgres(server_folder.directory) as postgres:
        store(postgres, 1)
        assert server_folder.server().uids().real != 0
    wait_until(server_folder.is_idle, "the server stops")


@pytest.mark.skipif(not IS_ROOT, reason="only root has folders that the server's account cannot pass")
def test_root_runs_it_from_a_wheel_below_a_folder_of_mode_700(home: Path) -> None:
    packages = home / "private"
    packages.mkdir(mode=0o700)
    wheel = find_programs(18).parents[1]
    for part in (wheel, wheel.with_name(f"{wheel.name}.libs")):
        shutil.copytree(part, packages / part.name, ignore=shutil.ignore_patterns("include", "pginstall", "*.a"))
    server_folder = ServerFolder(packages / "postgres")
    user = server_folder.user(packages=packages)
    assert Path(server_folder.server().cmdline()[0]).is_relative_to(packages.resolve())
    user.leave()
    wait_until(server_folder.is_idle, "the server stops")


@pytest.mark.skipif(not IS_ROOT, reason="only root needs another account")
def test_root_without_access_gets_advice(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "private").mkdir(mode=0o700)
    monkeypatch.setattr(privileges.shutil, "which", lambda *_, **__: None)
    with pytest.raises(EmbeddedPostgresError, match="Run as an ordinary user, or set STAGING_DB_URL"):
        launcher_for(Layout(home / "private"), find_programs(18))


@pytest.mark.skipif(IS_ROOT, reason="root may enter any folder")
def test_a_folder_of_another_user_is_refused_with_advice(home: Path) -> None:
    (home / "postgres").mkdir(mode=0o500)
    with pytest.raises(EmbeddedPostgresError, match="no permission.*set UNDE_HOME"):
        EmbeddedPostgres(home / "postgres").acquire()
