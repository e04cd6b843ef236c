"""Restoring: what is replaced, what is rejected, and that a failure leaves the database unchanged."""

import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from unde_catalog.operations.upkeep.backup import backup, read_manifest
from unde_catalog.operations.upkeep.restore import restore
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.db.postgres_tools import ToolFailed
from unde_catalog_tests.support.due import add_products, execute, finish, poll, take
from unde_catalog_tests.support.servers import PROJECT
from unde_catalog_tests.support.whole_databases import all_rows, altered, schema

pytestmark = pytest.mark.slow


def test_replace_removes_everything_else(direct: str, db: Database, tmp_path: Path) -> None:
    add_products(db, 3)
    saved = backup(direct, tmp_path)
    before, shape = all_rows(direct), schema(direct)
    with psycopg.connect(direct) as connection:
        connection.execute(
            "CREATE TYPE mood AS ENUM ('good'); CREATE TABLE later (id bigint REFERENCES raw_products, m mood);"
            "CREATE SCHEMA other; CREATE VIEW other.seen AS SELECT * FROM raw_products; DELETE FROM raw_products;"
            "CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql AS 'SELECT 2 * n'; INSERT INTO later VALUES (NULL)"
        )
    with pytest.raises(ValueError, match=r"is not empty, it contains 1 later: --replace replaces all of it"):
        restore(direct, saved)
    restore(direct, saved, replace=True)
    assert all_rows(direct) == before
    assert schema(direct) == shape
    with psycopg.connect(direct) as connection:
        assert connection.execute("SELECT to_regclass('later'), to_regtype('mood'), to_regnamespace('other')").fetchone(
        ) == (None, None, None)  # fmt: skip


def _damage(saved: Path) -> None:
    dump = bytearray((saved / "staging.dump").read_bytes())
    dump[len(dump) // 2] ^= 1
    (saved / "staging.dump").write_bytes(dump)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_damage, "staging.dump is damaged: its SHA-256 is"),
        (lambda saved: (saved / "staging.dump").unlink(), "staging.dump is missing"),
        (lambda saved: (saved / "manifest.json").unlink(), "is not a backup: it has no manifest.json"),
        (lambda saved: (saved / "manifest.json").write_text('{"rows": 1}'), "manifest.json cannot be read"),
        (altered(migration="9999"), "was made at migration 9999; this program knows none later than .*: install"),
        (altered(postgres=99), "the backup is of PostgreSQL 99, and .* is 18: a dump needs the same version"),
    ],
)
def test_an_unusable_backup_is_rejected_before_anything_changes(
    direct: str, db: Database, tmp_path: Path, spoil: Callable[[Path], None], message: str
) -> None:
    saved = backup(direct, tmp_path)
    add_products(db, 1)
    before = all_rows(direct)
    spoil(saved)
    with pytest.raises(ValueError, match=message):
        restore(direct, saved, replace=True)
    assert all_rows(direct) == before


def test_nothing_is_replaced_while_workers_hold_leases(direct: str, db: Database, tmp_path: Path) -> None:
    saved = backup(direct, tmp_path)
    add_products(db, 2)
    leases = take(db)
    before = all_rows(direct)
    with pytest.raises(ToolFailed, match="workers have leased 2 products: stop the workers, or if none runs, wait"):
        restore(direct, saved, replace=True)
    assert all_rows(direct) == before
    finish(db, leases)
    restore(direct, saved, replace=True)
    assert all_rows(direct)["raw_products"] == []


def test_a_truncated_dump_changes_nothing(direct: str, db: Database, tmp_path: Path) -> None:
    add_products(db, 2_000)
    saved = backup(direct, tmp_path)
    dump = (saved / "staging.dump").read_bytes()[:-5_000]
    (saved / "staging.dump").write_bytes(dump)
    altered(dump_sha256=hashlib.sha256(dump).hexdigest())(saved)
    execute(db, "DELETE FROM raw_products WHERE id > 7")
    before = all_rows(direct)
    with pytest.raises(ToolFailed, match="pg_restore failed"):
        restore(direct, saved, replace=True)
    assert all_rows(direct) == before


def test_a_dump_with_other_rows_than_its_manifest_changes_nothing(direct: str, db: Database, tmp_path: Path) -> None:
    add_products(db, 2)
    saved = backup(direct, tmp_path)
    counts = read_manifest(saved)
    altered(rows={**counts.rows, "public.raw_products": 3})(saved)
    before = all_rows(direct)
    with pytest.raises(ToolFailed, match="the dump restored 2 rows of public.raw_products, expected 3"):
        restore(direct, saved, replace=True)
    assert all_rows(direct) == before


def test_a_killed_restore_changes_nothing(direct: str, db: Database, tmp_path: Path) -> None:
    execute(
        db,
        "INSERT INTO scraper_logs (scraper_name, status, started_at, error_message)"
        " SELECT 'many', 'success', now(), repeat(md5(n::text), 4) FROM generate_series(1, 300000) AS n",
    )
    saved = backup(direct, tmp_path)
    execute(db, "DELETE FROM scraper_logs WHERE id > 9")
    before = all_rows(direct)
    code = (
        "import sys; from pathlib import Path; from unde_catalog.operations.upkeep.restore import restore\n"
        "restore(sys.argv[1], Path(sys.argv[2]), replace=True)"
    )
    with subprocess.Popen([sys.executable, "-c", code, direct, str(saved)], cwd=PROJECT) as process:
        poll(direct, "SELECT count(*) > 0 FROM pg_stat_activity WHERE query LIKE 'COPY public.scraper_logs%'")
        process.kill()
    poll(direct, "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'psql'")
    assert all_rows(direct) == before
