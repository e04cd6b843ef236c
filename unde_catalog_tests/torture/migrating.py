"""Kills `unde-catalog migrate` while it migrates a database with rows from an older revision."""

import random
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg

from unde_catalog.stores.staging.migrate import STAGING
from unde_catalog_tests.support.servers import Server
from unde_catalog_tests.torture.trial_system import PROGRAM, environment_of, kill_group, pause
from unde_catalog_tests.torture.trials import Figures

_OLD = "0002"  # before due work, so that later revisions create a row for every product
_PRODUCTS = 30_000
_POLL_SECONDS = 0.002  # seconds
_FILL = """
INSERT INTO raw_products (source, external_id, brand, name, price, original_image_urls, scraped_at, image_status,
                          created_at, updated_at)
SELECT 'apify_zara', n, 'zara', 'SHIRT ' || n, n, '["https://static.zara.net/1.jpg"]', '2026-01-01+00',
       (ARRAY['pending', 'uploaded', 'collage_ready', 'error'])[mod(n, 4) + 1],
       '2026-01-01+00', '2026-01-01+00'
FROM generate_series(1, {}) AS n
"""
_STATE = {
    "columns": "SELECT table_name, column_name, data_type, column_default, is_nullable"
    " FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2",
    "indexes": "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1",
    "functions": "SELECT proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
    " ORDER BY oid::regprocedure::text",
    "triggers": "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1",
    "revision": "SELECT version_num FROM alembic_version",
    "products": "SELECT md5(string_agg(p::text, ',' ORDER BY id)) FROM raw_products p",
    "due work": "SELECT product_id, stage, due_at IS NULL, given_up, reason FROM due_work ORDER BY 1, 2",
    "prices": "SELECT product_id, price FROM price_history ORDER BY 1",
}


def kill_migrations(server: Server, folder: Path, seed: int, kills: int, figures: Figures) -> None:
    """Kill the migration of one database several times, complete it, and compare it with an undisturbed one."""
    chance = random.Random(f"{seed} migrate")
    began = time.monotonic()
    undisturbed, disturbed = (_old_database(server) for _ in range(2))
    try:
        takes, works = _duration(_migrate(undisturbed, folder), server.direct_url(undisturbed))
        for _ in range(kills):
            in_the_middle = chance.random() < 2 / 3
            seconds = chance.uniform(0, works if in_the_middle else takes)
            hit = _kill(_migrate(disturbed, folder), server.direct_url(disturbed), seconds, in_the_middle)
            if hit is not None:
                figures.kills["migrate"] += 1
                figures.phases["migrate", hit] += 1
        figures.restarts += 1
        if code := _migrate(disturbed, folder).wait():
            figures.wrong.append(f"migrate: exit code {code} after {kills} kills, see {folder / 'output'}")
        expected, found = (_state(server.direct_url(url)) for url in (undisturbed, disturbed))
        figures.wrong += [f"migrate: {name} differ" for name in _STATE if expected[name] != found[name]]
    finally:
        for url in (undisturbed, disturbed):
            server.drop(url)
    figures.seconds["migrate"] = time.monotonic() - began


def _migrate(url: str, folder: Path) -> subprocess.Popen[bytes]:
    with (folder / "output").open("ab") as output:
        environment = environment_of(url, folder)
        return subprocess.Popen(
            [PROGRAM, "migrate"], env=environment, cwd=folder, stdout=output, stderr=output, start_new_session=True
        )


def _duration(process: subprocess.Popen[bytes], url: str) -> tuple[float, float]:
    """The seconds that the process ran, and those in which its transaction was open."""
    began = time.monotonic()
    times = []
    with psycopg.connect(url, autocommit=True) as connection:
        while process.poll() is None:
            if _is_migrating(connection):
                times.append(time.monotonic())
            pause(_POLL_SECONDS)
    return time.monotonic() - began, times[-1] - times[0] if times else 0.0


def _kill(process: subprocess.Popen[bytes], url: str, seconds: float, in_the_middle: bool) -> str | None:
    """Kill the process after `seconds`, counted from the start of its work if `in_the_middle`.

    Returns the phase that the kill hit, or None if the process had ended.
    """
    deadline = time.monotonic() + seconds
    with psycopg.connect(url, autocommit=True) as connection:
        while in_the_middle and process.poll() is None and not _is_migrating(connection):
            pause(_POLL_SECONDS)
        if in_the_middle:
            deadline = time.monotonic() + seconds
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(deadline - time.monotonic(), 0))
        if process.poll() is not None:
            return None
        hit = "migrating" if _is_migrating(connection) else "starting or ending"
    kill_group(process)
    return hit


def _is_migrating(connection: psycopg.Connection[Any]) -> bool:
    row = connection.execute(
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        " AND xact_start IS NOT NULL AND backend_type = 'client backend'"
    ).fetchone()
    return row is not None


def _old_database(server: Server) -> str:
    url = server.new_database(migrated=False)
    STAGING.upgrade(server.direct_url(url), _OLD)
    with psycopg.connect(server.direct_url(url)) as connection:
        connection.execute(_FILL.format(_PRODUCTS).encode())
    return url


def _state(url: str) -> dict[str, list[Any]]:
    with psycopg.connect(url) as connection:
        return {name: connection.execute(sql.encode()).fetchall() for name, sql in _STATE.items()}
