"""The embedded PostgreSQL when servers, supervisors and their users are killed."""

import signal

import psutil
import psycopg
import pytest

from unde_catalog.stores.embedded.cluster import is_alive
from unde_catalog.stores.embedded.postgres import EmbeddedPostgres
from unde_catalog_tests.support.embedded_users import (
    ServerFolder,
    kill,
    spawn_as_server_account,
    store,
    stored,
    wait_for_end,
    wait_until,
    write_postmaster_pid,
)

pytestmark = pytest.mark.slow


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
