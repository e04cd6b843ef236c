"""Restoring: what is replaced, what is refused, and that whatever goes wrong leaves the database as it was."""

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


def test_replace_takes_away_whatever_is_there(direct: str, db: Database, tmp_path: Path) -> None:
    add_products(db, 3)
    made = backup(direct, tmp_path)
    before, shape = all_rows(direct), schema(direct)
    with psycopg.connect(direct) as connection:
        connection.execute(
            "CREATE TYPE mood AS ENUM ('good'); CREATE TABLE later (id bigint REFERENCES raw_products, m mood);"
            "CREATE SCHEMA other; CREATE VIEW other.seen AS SELECT * FROM raw_products; DELETE FROM raw_products;"
            "CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql AS 'SELECT 2 * n'; INSERT INTO later VALUES (NULL)"
        )
    with pytest.raises(ValueError, match=r"is not empty, it holds 1 later: --replace puts the backup in its place"):
        restore(direct, made)
    restore(direct, made, replace=True)
    assert all_rows(direct) == before
    assert schema(direct) == shape
    with psycopg.connect(direct) as connection:
        assert connection.execute("SELECT to_regclass('later'), to_regtype('mood'), to_regnamespace('other')").fetchone(
        ) == (None, None, None)  # fmt: skip


def _damage(made: Path) -> None:
    dump = bytearray((made / "staging.dump").read_bytes())
    dump[len(dump) // 2] ^= 1
    (made / "staging.dump").write_bytes(dump)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (_damage, "staging.dump is damaged: its SHA-256 is"),
        (lambda made: (made / "staging.dump").unlink(), "staging.dump is missing"),
        (lambda made: (made / "manifest.json").unlink(), "is no backup: it has no manifest.json"),
        (lambda made: (made / "manifest.json").write_text('{"rows": 1}'), "manifest.json can't be read"),
        (altered(migration="9999"), "was made at migration 9999, this program knows none later than .*: install"),
        (altered(postgres=99), "the backup is of PostgreSQL 99, and .* is 18: a dump goes to the same version"),
    ],
)
def test_what_can_not_be_restored_is_refused_before_anything_is_touched(
    direct: str, db: Database, tmp_path: Path, spoil: Callable[[Path], None], told: str
) -> None:
    made = backup(direct, tmp_path)
    add_products(db, 1)
    before = all_rows(direct)
    spoil(made)
    with pytest.raises(ValueError, match=told):
        restore(direct, made, replace=True)
    assert all_rows(direct) == before


def test_nothing_is_replaced_while_workers_have_products_in_hand(direct: str, db: Database, tmp_path: Path) -> None:
    made = backup(direct, tmp_path)
    add_products(db, 2)
    leases = take(db)
    before = all_rows(direct)
    with pytest.raises(ToolFailed, match="workers have 2 products in hand: stop them, or where none is left wait"):
        restore(direct, made, replace=True)
    assert all_rows(direct) == before
    finish(db, leases)
    restore(direct, made, replace=True)
    assert all_rows(direct)["raw_products"] == []


def test_a_dump_that_ends_too_early_leaves_all_as_it_was(direct: str, db: Database, tmp_path: Path) -> None:
    add_products(db, 2_000)
    made = backup(direct, tmp_path)
    dump = (made / "staging.dump").read_bytes()[:-5_000]
    (made / "staging.dump").write_bytes(dump)
    altered(dump_sha256=hashlib.sha256(dump).hexdigest())(made)
    execute(db, "DELETE FROM raw_products WHERE id > 7")
    before = all_rows(direct)
    with pytest.raises(ToolFailed, match="pg_restore failed"):
        restore(direct, made, replace=True)
    assert all_rows(direct) == before


def test_a_dump_with_other_rows_than_its_manifest_leaves_all_as_it_was(
    direct: str, db: Database, tmp_path: Path
) -> None:
    add_products(db, 2)
    made = backup(direct, tmp_path)
    counts = read_manifest(made)
    altered(rows={**counts.rows, "public.raw_products": 3})(made)
    before = all_rows(direct)
    with pytest.raises(ToolFailed, match="the dump brought 2 rows of public.raw_products, and had 3"):
        restore(direct, made, replace=True)
    assert all_rows(direct) == before


def test_a_restore_that_is_killed_leaves_all_as_it_was(direct: str, db: Database, tmp_path: Path) -> None:
    execute(
        db,
        "INSERT INTO scraper_logs (scraper_name, status, started_at, error_message)"
        " SELECT 'many', 'success', now(), repeat(md5(n::text), 4) FROM generate_series(1, 300000) AS n",
    )
    made = backup(direct, tmp_path)
    execute(db, "DELETE FROM scraper_logs WHERE id > 9")
    before = all_rows(direct)
    code = (
        "import sys; from pathlib import Path; from unde_catalog.operations.upkeep.restore import restore\n"
        "restore(sys.argv[1], Path(sys.argv[2]), replace=True)"
    )
    with subprocess.Popen([sys.executable, "-c", code, direct, str(made)], cwd=PROJECT) as process:
        poll(direct, "SELECT count(*) > 0 FROM pg_stat_activity WHERE query LIKE 'COPY public.scraper_logs%'")
        process.kill()
    poll(direct, "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'psql'")
    assert all_rows(direct) == before
