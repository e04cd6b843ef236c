"""SIGKILL to what a running stage leans on: PostgreSQL, PgBouncer, the object store. Each is started again."""

import random
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil
import psycopg

from unde_catalog.stores.embedded.postgres import EmbeddedPostgres
from unde_catalog_tests.support.s3_servers import Rclone
from unde_catalog_tests.support.servers import Server
from unde_catalog_tests.torture.house import LEASES_RAN_OUT, House, until_it_answers
from unde_catalog_tests.torture.killing import aims, wait_for
from unde_catalog_tests.torture.phases import Window
from unde_catalog_tests.torture.trials import Disturb, Figures

Kill = Callable[[House], None]  # kills it; when it returns, it is there again


def killing(victim: str, kill: Kill, seed: int, kills: Mapping[str, int], figures: Figures) -> Disturb:
    """Kills something under each stage so many times in each round; the stage ends by itself, well or badly."""

    def disturb(house: House, number: int, stage: str) -> None:
        for aim in aims(stage, random.Random(f"{seed} {victim} {number} {stage}"), kills[stage]):
            process = house.begin("run", stage)
            with Window(house, stage) as window:
                wait_for(window, aim, lambda process=process: process.poll() is None)
                if process.poll() is None:
                    figures.phases.update((stage, phase) for phase in window.phases())
                    kill(house)
                    house.look()  # a lease that was lost with the server lets a photo be asked for again, once
                    figures.kills[victim] += 1
            house.ended(process)
            house.later(LEASES_RAN_OUT)

    return disturb


def lose_much(server: Server) -> None:
    """Let a crash of the server lose up to ten seconds of what was committed without waiting for the disk."""
    with psycopg.connect(server.admin_url, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET wal_writer_delay = '10s'")
        connection.execute("SELECT pg_reload_conf()")


def kill_postgres(house: House) -> None:
    """Kill the server with all its processes, so that what they had not written is lost; its supervisor restarts it."""
    folder = house.query("SHOW data_directory")[0]["data_directory"]
    postmaster = psutil.Process(int((Path(folder) / "postmaster.pid").read_text().split("\n", 1)[0]))
    for process in [postmaster, *postmaster.children(recursive=True)]:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs([postmaster], timeout=10)
    server = EmbeddedPostgres(Path(folder).parent)  # its supervisor gives up at the fifth death within a minute
    server.acquire()
    house.connect().close()
    server.release()


def kill_pgbouncer(house: House) -> None:
    """Kill the pooler and start it again; what the server does for it goes on to its end."""
    pooler = house.server.pgbouncer
    assert pooler is not None
    pooler.kill()
    pooler.start()
    until_it_answers(lambda: psycopg.connect(house.database_url)).close()


def kill_store(store: Rclone) -> Kill:
    """Kill the object store and start it again."""

    def kill(_: House) -> None:
        store.stop()
        store.start()

    return kill
