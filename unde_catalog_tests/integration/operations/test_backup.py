"""Recovery drills: data is lost or too new, a backup is restored, and the catalogue is complete again."""

import hashlib
import json
import logging
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from unde_catalog.backends import Backends
from unde_catalog.operations.upkeep.backup import backup, read_manifest
from unde_catalog.operations.upkeep.restore import restore
from unde_catalog.operations.upkeep.verify import verify
from unde_catalog.settings.environment import load_settings
from unde_catalog.stages.run import run_stage
from unde_catalog.stages.stage_run import StageRun
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.db.postgres_tools import ToolFailed
from unde_catalog.stores.embedded.locks import FileLock
from unde_catalog.stores.staging.migrate import STAGING
from unde_catalog.worker.report import RunOptions, StageReport
from unde_catalog_tests.support.due import BRAND, add_products, due_row, execute, finish, poll, take
from unde_catalog_tests.support.migrations import database_at
from unde_catalog_tests.support.roles import url_as
from unde_catalog_tests.support.servers import PROJECT, Sandbox, Server
from unde_catalog_tests.support.whole_databases import all_rows, schema

pytestmark = pytest.mark.slow

PROGRAM = str(Path(sys.executable).parent / "unde-catalog")
LOG = logging.getLogger("test")


def hashes(backends: Backends) -> dict[str, str]:
    return {info.key: hashlib.sha256(backends.store.get(info.key)).hexdigest() for info in backends.store.list("")}


def run(backends: Backends, stage: str, **options: Any) -> StageReport:
    root = uuid.uuid4().hex
    return run_stage(stage, StageRun(BRAND, backends, RunOptions(run_id=root, root_run=root, **options), LOG))


def run_all(backends: Backends, **options: Any) -> list[StageReport]:
    return [run(backends, "raw_products", **options), run(backends, "originals"), run(backends, "collages")]


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([PROGRAM, *arguments], env={**os.environ, **environment}, capture_output=True, text=True)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def test_a_backup_restores_everything_after_a_total_loss(
    backends: Backends,
    sandbox: Sandbox,
    direct: str,
    fresh: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_all(backends)
    rows, objects, shape = all_rows(direct), hashes(backends), schema(direct)
    saved = command("backup", "backups", "--objects", BACKUP_DB_URL=direct)
    assert saved.returncode == 0, saved.stderr
    (made,) = (tmp_path / "backups").glob("2*")
    assert f"{len(objects):,} objects" in saved.stdout
    manifest = read_manifest(made)
    assert manifest.migration == STAGING.newest_revision()
    assert manifest.rows["public.product_photos"] == len(rows["product_photos"]) > 20
    assert (made.stat().st_mode & 0o777, "not-a-secret" in (made / "manifest.json").read_text()) == (0o700, False)

    backends.close()
    shutil.rmtree(backends.store.where)
    there = {"STAGING_DB_URL": fresh, "BACKUP_DB_URL": fresh}
    restored = command("restore", str(made), "--objects", **there)
    assert restored.returncode == 0, restored.stderr
    assert "verify --hashes" in restored.stdout
    assert all_rows(fresh) == rows
    assert schema(fresh) == shape
    verified = command("verify", "--hashes", "--json", **there)
    assert json.loads(verified.stdout)["found"] == []
    assert json.loads(verified.stdout)["objects"] == len(objects)

    requests = len(sandbox.log("photo")), len(sandbox.log("apify.start"))
    monkeypatch.setenv("STAGING_DB_URL", fresh)
    with Backends(load_settings()) as again:
        assert [report.done for report in run_all(again)][1:] == [0, 0]
        assert hashes(again) == objects
    assert (len(sandbox.log("photo")), len(sandbox.log("apify.start"))) == requests


def test_privileges_are_restored_and_apply_to_later_tables(
    server: Server, direct: str, fresh: str, tmp_path: Path
) -> None:
    restore(fresh, backup(direct, tmp_path))
    with psycopg.connect(fresh) as connection:
        connection.execute("CREATE TABLE later (n int)")
    for role, table, may in [("scraper", "later", True), ("apify", "later", False), ("collage", "due_work", True)]:
        with psycopg.connect(url_as(server, fresh, role)) as connection:
            allowed = connection.execute("SELECT has_table_privilege(%s, 'SELECT')", (table,)).fetchone()
            assert allowed == (may,), (role, table)


def test_verify_repairs_an_older_dump_beside_newer_objects(
    backends: Backends, sandbox: Sandbox, direct: str, tmp_path: Path
) -> None:
    run(backends, "raw_products")
    ids = [row["external_id"] for row in execute(backends.db, "SELECT external_id FROM raw_products ORDER BY id")]
    execute(backends.db, "DELETE FROM raw_products WHERE external_id = %s", ids[0])  # the next scrape finds it again
    run(backends, "originals")
    run(backends, "collages")
    made = backup(direct, tmp_path / "backups")
    sandbox.control(brand=BRAND, photos={ids[1]: "v2", ids[2]: "v2"})
    run_all(backends, force=True)
    undisturbed, objects = catalogue(backends), hashes(backends)
    for info in list(backends.store.list("")):
        earlier = info.modified.timestamp() - 7200
        os.utime(Path(backends.store.where) / info.key, (earlier, earlier))

    restore(direct, made, replace=True)
    found = verify(backends.db, backends.store, hashes=True, repairs=True)
    wrong = sum(count for (kind, _), count in found.found.items() if kind in ("wrong_size", "wrong_hash"))
    changed = {row["key"] for row in undisturbed["objects"] if row["external_id"] in (ids[1], ids[2])}
    new = {row["key"] for row in undisturbed["objects"] if row["external_id"] == ids[0]}
    assert (wrong, found.found["orphan", "originals"], found.found["orphan", "collages"]) == (
        len(changed), len(new) - 1, 1,
    )  # fmt: skip
    assert found.left == 0
    assert not any(backends.store.exists(key) for key in new)

    run_all(backends, force=True)
    assert catalogue(backends) == undisturbed
    assert hashes(backends) == objects
    assert verify(backends.db, backends.store, hashes=True).found == {}


def catalogue(backends: Backends) -> dict[str, list[dict[str, Any]]]:
    """Products and their stored objects, without ids and times."""
    return {
        "products": execute(
            backends.db,
            "SELECT external_id, name, price, active, image_status, error_message, original_image_urls, image_urls,"
            " collage_url FROM raw_products ORDER BY external_id",
        ),
        "objects": execute(
            backends.db,
            "SELECT external_id, n, state, source_url, key, sha256, bytes FROM product_photos"
            " JOIN raw_products p ON p.id = product_id UNION ALL SELECT external_id, 0, '', '', key, sha256, bytes"
            " FROM product_collages JOIN raw_products p ON p.id = product_id ORDER BY 1, 2",
        ),
        "due": execute(backends.db, "SELECT product_id, stage FROM due_work WHERE due_at IS NOT NULL ORDER BY 1, 2"),
    }


def test_a_database_without_pgvector_fails_with_advice(server: Server, direct: str, fresh: str, tmp_path: Path) -> None:
    made = backup(direct, tmp_path)
    with psycopg.connect(server.direct_url(fresh), autocommit=True) as connection:
        connection.execute("DROP EXTENSION vector")
    with pytest.raises(ValueError, match="have a superuser run CREATE EXTENSION vector in it, and restore again"):
        restore(fresh, made)
    with psycopg.connect(fresh) as connection:
        assert connection.execute("SELECT to_regclass('raw_products')").fetchone() == (None,)


def test_leases_in_a_dump_are_void(db: Database, direct: str, fresh: str, tmp_path: Path) -> None:
    first, second = add_products(db, 2)
    leases = take(db, 1)
    restore(fresh, backup(direct, tmp_path))
    with Database(fresh) as restored:
        held = due_row(restored, leases[0].product_id)
        assert held is not None
        assert (held["lease_token"], held["leased_until"], held["due"]) == (None, None, True)
        assert finish(restored, leases) == {}, "a worker from before the backup wrote its outcome"
        assert sorted(lease.product_id for lease in take(restored)) == [first, second]


def test_a_dump_of_an_older_migration_is_migrated(server: Server, fresh: str, tmp_path: Path) -> None:
    old = server.direct_url(database_at(server, "0002"))
    with psycopg.connect(old) as connection:
        connection.execute(
            "INSERT INTO raw_products (source, external_id, brand, scraped_at)"
            " VALUES ('apify_zara', '1', 'zara', now())"
        )
    made = backup(old, tmp_path)
    server.drop(old)
    assert restore(fresh, made).migration == "0002"
    with Database(fresh) as restored:
        assert STAGING.revision(restored) == STAGING.newest_revision()
        assert len(take(restored)) == 1


def test_a_dump_restores_into_every_supported_postgresql(
    each_server: Server, each_url: str, each_db: Database, tmp_path: Path
) -> None:
    add_products(each_db, 3)
    url = each_server.direct_url(each_url)
    made = backup(url, tmp_path)
    before = all_rows(url)
    execute(each_db, "DELETE FROM raw_products")
    restore(url, made, replace=True)
    assert all_rows(url) == before


def test_a_killed_backup_leaves_no_backup(direct: str, backends: Backends, tmp_path: Path) -> None:
    backends.store.put("originals/zara/1/1.jpg", b"x", "image/jpeg")
    folder = tmp_path / "backups"
    code = (
        "import os, sys; from pathlib import Path; from unde_catalog.operations.upkeep.backup import backup\n"
        "from unde_catalog.stores.objects.directory import directory_store\n"
        "backup(sys.argv[1], Path(sys.argv[2]), directory_store(Path(sys.argv[3])), lambda r: os.kill(os.getpid(), 9))"
    )
    killed = [sys.executable, "-c", code, direct, str(folder), backends.store.where]
    assert subprocess.run(killed, cwd=PROJECT).returncode == -9
    assert list(folder.glob("2*")) == []
    assert len(list(folder.glob(".unfinished-*"))) == 1
    made = backup(direct, folder, backends.store)
    assert [path.name for path in folder.iterdir() if path.is_dir() and path.name != "objects"] == [made.name]
    manifest = read_manifest(made)
    assert (manifest.objects, manifest.object_bytes) == (1, 1)


def test_only_one_backup_runs_at_a_time(direct: str, tmp_path: Path) -> None:
    with FileLock(tmp_path / ".lock") as lock:
        assert lock.take()
        with pytest.raises(ValueError, match="another backup to .* is running"):
            backup(direct, tmp_path)


def test_a_role_that_may_not_read_everything_fails_with_advice(server: Server, direct: str, tmp_path: Path) -> None:
    for role in ("scraper", "collage"):
        with pytest.raises(
            ToolFailed, match=f"{role} may not read everything; set BACKUP_DB_URL to connect as the owner"
        ):
            backup(url_as(server, direct.replace("//unde@", "//x@"), role), tmp_path)
    assert list(tmp_path.glob("2*")) == []


def test_a_pooler_is_detected_and_no_argument_contains_the_password(
    server: Server, database_url: str, direct: str, configured: Callable[..., Any], sandbox: Sandbox, tmp_path: Path
) -> None:
    configured(sandbox)
    if server.pgbouncer is None:
        pytest.skip("PgBouncer is not installed: apt-get install pgbouncer")
    refused = command("backup", "backups")
    assert refused.returncode == 1
    assert "is a pooler, and this needs its own session" in refused.stderr
    assert "BACKUP_DB_URL" in refused.stderr
    assert "not-a-secret" not in refused.stderr
    known = direct.replace("//unde@", "//undeuser:not-a-secret@")
    with psycopg.connect(direct) as locking:
        locking.execute("LOCK TABLE stored_objects IN ACCESS EXCLUSIVE MODE")  # only pg_dump waits for this lock
        environment = {**os.environ, "BACKUP_DB_URL": known}
        with subprocess.Popen([PROGRAM, "backup", "waiting"], env=environment, stderr=subprocess.PIPE) as process:
            poll(direct, "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted")
            seen = [arguments for one in Path("/proc").glob("[0-9]*/cmdline") if (arguments := _read(one))]
            process.kill()
    dumping = [arguments for arguments in seen if b"pg_dump" in arguments and str(tmp_path).encode() in arguments]
    assert len(dumping) == 1
    assert b"not-a-secret" not in dumping[0]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, ProcessLookupError):  # the process has ended
        return b""
