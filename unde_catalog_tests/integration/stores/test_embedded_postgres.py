"""The embedded PostgreSQL, with processes that are killed.

Where its death matters, a user is a separate process. After every test no server is left in its folder.
"""

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import psycopg
import psycopg2
import pytest
import sqlalchemy

from unde_catalog.stores.embedded import privileges
from unde_catalog.stores.embedded.binaries import Major, find_programs
from unde_catalog.stores.embedded.cluster import is_alive
from unde_catalog.stores.embedded.layout import SOCKET, Layout
from unde_catalog.stores.embedded.locks import FileLock
from unde_catalog.stores.embedded.postgres import EmbeddedPostgres, EmbeddedPostgresError
from unde_catalog.stores.embedded.privileges import launcher_for, make_private_folder, server_account
from unde_catalog_tests.support.servers import PROJECT

pytestmark = pytest.mark.slow

SOURCE_ROOT = PROJECT
IS_ROOT = os.geteuid() == 0
LIMIT = 20.0  # seconds to wait for something to happen

# Prints a word when it runs, acquires the server after a line of input, and stays until its input ends.
USER = """
import sys
from pathlib import Path
from unde_catalog.stores.embedded.postgres import EmbeddedPostgres
print("running", flush=True)
sys.stdin.readline()
with EmbeddedPostgres(Path(sys.argv[1])):
    print("ready", flush=True)
    sys.stdin.read()
"""


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline, f"not within {LIMIT:.0f} s: {what}"
        threading.Event().wait(0.01)


class User:
    """Another process that uses the server of a folder."""

    def __init__(self, directory: Path, packages: Path | None = None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", USER, str(directory)],
            cwd=SOURCE_ROOT,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(packages), *sys.path])} if packages else None,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.expect("running")

    def expect(self, word: str) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline().strip() == word

    def begin(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def leave(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        assert self.process.wait(LIMIT) == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(LIMIT)


class ServerFolder:
    """A folder for one server, and the processes that use it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.layout = Layout(directory.resolve())
        self.users: list[User] = []

    def user(self, *, begun: bool = True, packages: Path | None = None) -> User:
        user = User(self.directory, packages)
        self.users.append(user)
        if begun:
            user.begin()
            user.expect("ready")
        return user

    def server(self) -> psutil.Process:
        return psutil.Process(int(self.layout.postmaster_pid.read_text().split("\n")[0]))

    def supervisors(self) -> list[psutil.Process]:
        arguments = ["unde_catalog.stores.embedded.supervisor", str(self.layout.directory)]
        return [
            process
            for process in psutil.process_iter(["cmdline", "status"])
            if process.info["status"] != psutil.STATUS_ZOMBIE and (process.info["cmdline"] or [])[2:4] == arguments
        ]

    def is_idle(self) -> bool:
        """Whether there is neither a supervisor nor any process of a server."""
        for path in (self.layout.supervisor_lock, self.layout.server_lock):
            if path.exists():
                with FileLock(path) as lock:
                    if not lock.take():
                        return False
        return True


@pytest.fixture
def home() -> Iterator[Path]:
    """A short path that every account can reach: sockets need the first, root's other account the second."""
    folder = Path(tempfile.mkdtemp(prefix="unde-", dir="/tmp"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def server_folder(home: Path) -> Iterator[ServerFolder]:
    server_folder = ServerFolder(home / "postgres")
    yield server_folder
    for user in server_folder.users:
        user.kill()
    wait_until(server_folder.is_idle, "the server stops after the test")


def kill(process: psutil.Process, number: signal.Signals = signal.SIGKILL) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def wait_for_end(process: psutil.Process) -> None:
    """It may stay a zombie for a while if orphans are not reaped at once."""
    wait_until(lambda: not is_alive(process), f"{process} ends")


def store(postgres: EmbeddedPostgres, value: int) -> None:
    with psycopg.connect(postgres.url("postgres")) as connection:
        connection.execute("SET synchronous_commit = on")
        connection.execute("CREATE TABLE IF NOT EXISTS kept (value int)")
        connection.execute("INSERT INTO kept VALUES (%s)", [value])


def stored(postgres: EmbeddedPostgres) -> list[int]:
    with psycopg.connect(postgres.url("postgres")) as connection:
        return [value for (value,) in connection.execute("SELECT value FROM kept ORDER BY value")]


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


def test_a_killed_server_restarts_with_everything_that_was_committed(server_folder: ServerFolder) -> None:
    with EmbeddedPostgres(server_folder.directory) as postgres:
        store(postgres, 1)
        kill(server_folder.server())

        def is_back() -> bool:
            try:
                return stored(postgres) == [1]
            except psycopg.OperationalError:
                return False

        wait_until(is_back, "the server is back for the remaining user")


def test_a_killed_server_is_running_again_when_acquire_returns(server_folder: ServerFolder) -> None:
    with EmbeddedPostgres(server_folder.directory) as postgres, EmbeddedPostgres(server_folder.directory) as other:
        store(postgres, 1)
        killed = server_folder.server()
        kill(killed)
        wait_for_end(killed)
        with EmbeddedPostgres(server_folder.directory) as newcomer:
            assert stored(newcomer) == [1]
        other.acquire()
        assert stored(other) == [1]


def test_a_busy_backend_of_a_killed_server_does_not_prevent_a_restart(server_folder: ServerFolder) -> None:
    with EmbeddedPostgres(server_folder.directory) as postgres:
        busy = psycopg.connect(postgres.url("postgres"), autocommit=True)
        backend = psutil.Process(busy.info.backend_pid)
        busy.pgconn.send_query(b"SELECT count(*) FROM generate_series(1, 1000000000000)")
        kill(server_folder.server())
        postgres.acquire()
        assert not is_alive(backend), "it was stopped"
        busy.close()


def test_a_killed_supervisor_is_replaced_by_one_that_adopts_the_server(server_folder: ServerFolder) -> None:
    with EmbeddedPostgres(server_folder.directory):
        (supervisor,) = server_folder.supervisors()
        server = server_folder.server()
        kill(supervisor)
        wait_for_end(supervisor)
        with EmbeddedPostgres(server_folder.directory):
            assert server_folder.server() == server
            wait_until(lambda: "took over the server" in server_folder.layout.log.read_text(), "it is adopted")
            (successor,) = server_folder.supervisors()
            assert successor != supervisor
    wait_for_end(server)
    assert "received fast shutdown request" in server_folder.layout.log.read_text(), "it was stopped cleanly"


def test_server_and_supervisor_killed_together_are_replaced(server_folder: ServerFolder) -> None:
    with EmbeddedPostgres(server_folder.directory) as postgres:
        store(postgres, 1)
        (supervisor,) = server_folder.supervisors()
        for process in (supervisor, server_folder.server()):
            kill(process)
        postgres.acquire()
        assert stored(postgres) == [1]


def test_a_server_that_keeps_dying_is_given_up_until_the_next_acquire(server_folder: ServerFolder) -> None:
    with EmbeddedPostgres(server_folder.directory) as postgres:
        (supervisor,) = server_folder.supervisors()
        killed: set[psutil.Process] = set()

        def has_given_up() -> bool:
            if not is_alive(supervisor):
                return True
            try:
                server = server_folder.server()
                if server not in killed:
                    kill(server)
                    killed.add(server)
            except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
                pass
            return False

        wait_until(has_given_up, "the supervisor gives up")
        assert len(killed) == 5
        postgres.acquire()
        store(postgres, 1)


@pytest.fixture
def stopped(server_folder: ServerFolder) -> ServerFolder:
    """A folder whose server has been used and stopped."""
    with EmbeddedPostgres(server_folder.directory) as postgres:
        store(postgres, 1)
    wait_until(server_folder.is_idle, "the server stops")
    return server_folder


def write_postmaster_pid(server_folder: ServerFolder, pid: int) -> None:
    """As a killed server leaves it, and as PostgreSQL itself believes it: with the pid of a process it may signal."""
    account = server_account(server_folder.layout)
    make_private_folder(server_folder.layout.socket_folder(), account)
    for path in (server_folder.layout.postmaster_pid, server_folder.layout.socket_folder() / f"{SOCKET}.lock"):
        path.write_text(f"{pid}\n{server_folder.layout.data}\n1700000000\n5432\n\n\n0 0\nready   \n")
        os.chown(path, account.uid, account.gid)


def spawn_as_server_account(server_folder: ServerFolder, *command: str) -> subprocess.Popen[bytes]:
    account = server_account(server_folder.layout)
    if not IS_ROOT:
        return subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return subprocess.Popen(
        command, cwd="/", stdin=subprocess.PIPE, user=account.uid, group=account.gid, extra_groups=[]
    )


def test_a_reused_process_id_is_ignored_and_its_process_left_alone(stopped: ServerFolder) -> None:
    stranger = spawn_as_server_account(stopped, "cat", "-", str(stopped.layout.data))
    write_postmaster_pid(stopped, stranger.pid)
    with EmbeddedPostgres(stopped.directory) as postgres:
        assert stored(postgres) == [1]
    wait_until(stopped.is_idle, "the server stops")
    assert stranger.poll() is None
    stranger.kill()
    stranger.communicate()


def test_a_zombie_is_not_taken_for_a_server(stopped: ServerFolder) -> None:
    zombie = spawn_as_server_account(stopped, "true")
    wait_until(lambda: psutil.Process(zombie.pid).status() == psutil.STATUS_ZOMBIE, "it has ended, not reaped")
    write_postmaster_pid(stopped, zombie.pid)
    with EmbeddedPostgres(stopped.directory) as postgres:
        assert stored(postgres) == [1]
    zombie.communicate()


def test_a_killed_server_leaves_no_zombie(server_folder: ServerFolder) -> None:
    with EmbeddedPostgres(server_folder.directory) as postgres:
        server = server_folder.server()
        family = [server, *server.children()]
        kill(server)
        postgres.acquire()
        wait_until(lambda: not any(process.is_running() for process in family), "the supervisor reaps them all")


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


@pytest.mark.parametrize("with_initdb", [False, True], ids=["supervisor", "supervisor and initdb"])
def test_a_kill_during_initdb_is_harmless(server_folder: ServerFolder, with_initdb: bool) -> None:
    user = server_folder.user(begun=False)
    user.begin()
    wait_until(lambda: any(server_folder.directory.glob("initdb-*/base")), "initdb runs")
    (supervisor,) = server_folder.supervisors()
    family = supervisor.children(recursive=True)
    for process in family:
        kill(process, signal.SIGSTOP)
    try:
        user.kill()
        kill(supervisor)
        wait_for_end(supervisor)
        assert not server_folder.layout.data.exists(), "initdb had not finished"
        assert not server_folder.is_idle(), "initdb without its supervisor is still noticed"
    finally:
        for process in family:
            kill(process, signal.SIGKILL if with_initdb else signal.SIGCONT)
    with EmbeddedPostgres(server_folder.directory) as postgres:
        store(postgres, 1)
        assert list(server_folder.directory.glob("initdb-*")) == []


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
