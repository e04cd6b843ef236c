"""Kills a server that a running stage uses (PostgreSQL, PgBouncer, the object store) and starts it again."""

import random
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil
import psycopg

from unde_catalog.stores.embedded.postgres import EmbeddedPostgres
from unde_catalog_tests.support.s3_servers import Rclone
from unde_catalog_tests.support.servers import Server
from unde_catalog_tests.torture.killing import aims, wait_for
from unde_catalog_tests.torture.phases import Window
from unde_catalog_tests.torture.trial_system import LONGER_THAN_LEASES, TrialSystem, wait_until_available
from unde_catalog_tests.torture.trials import Disturb, Figures

Kill = Callable[[TrialSystem], None]  # kills the server and returns when it is available again


def killing(victim: str, kill: Kill, seed: int, kills: Mapping[str, int], figures: Figures) -> Disturb:
    """Kill a server during each stage, `kills` times in each round. The stage ends by itself, successfully or not."""

    def disturb(system: TrialSystem, number: int, stage: str) -> None:
        for aim in aims(stage, random.Random(f"{seed} {victim} {number} {stage}"), kills[stage]):
            process = system.start("run", stage)
            with Window(system, stage) as window:
                wait_for(window, aim, lambda process=process: process.poll() is None)
                if process.poll() is None:
                    figures.phases.update((stage, phase) for phase in window.phases())
                    kill(system)
                    system.record_stored_photos()  # a lost lease allows one more download of a photo
                    figures.kills[victim] += 1
            system.wait_for_exit(process)
            system.advance(LONGER_THAN_LEASES)

    return disturb


def lose_recent_commits(server: Server) -> None:
    """Let a crash of the server lose up to ten seconds of asynchronous commits."""
    with psycopg.connect(server.admin_url, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET wal_writer_delay = '10s'")
        connection.execute("SELECT pg_reload_conf()")


def kill_postgres(system: TrialSystem) -> None:
    """Kill all processes of the server, so that unwritten data is lost. Its supervisor restarts it."""
    folder = system.query("SHOW data_directory")[0]["data_directory"]
    postmaster = psutil.Process(int((Path(folder) / "postmaster.pid").read_text().split("\n", 1)[0]))
    for process in [postmaster, *postmaster.children(recursive=True)]:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs([postmaster], timeout=10)
    server = EmbeddedPostgres(Path(folder).parent)  # its supervisor gives up at the fifth crash within a minute
    server.acquire()
    system.connect().close()
    server.release()


def kill_pgbouncer(system: TrialSystem) -> None:
    """Kill the pooler and start it again. Statements that the server is executing for it continue."""
    pooler = system.server.pgbouncer
    assert pooler is not None
    pooler.kill()
    pooler.start()
    wait_until_available(lambda: psycopg.connect(system.database_url)).close()


def kill_store(store: Rclone) -> Kill:
    """Kill the object store and start it again."""

    def kill(_: TrialSystem) -> None:
        store.stop()
        store.start()

    return kill
