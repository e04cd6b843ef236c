"""Putting a backup back: all of it in one transaction, so that until its end the database is as it was."""

import contextlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from unde_catalog.operations.upkeep.backup import DUMP, BackupManifest, check_dump, read_manifest
from unde_catalog.stores.db import dumps
from unde_catalog.stores.db.postgres_tools import Direct, ToolFailed, direct, run, running
from unde_catalog.stores.staging.migrate import STAGING

_DEFAULT_RIGHTS = re.compile(r'^(ALTER DEFAULT PRIVILEGES FOR ROLE) (?:"(?:[^"]|"")*"|\S+) (.*;)$', re.MULTILINE)


def restore(url: str, backup: Path, *, replace: bool = False) -> BackupManifest:
    """Put the database's dump back and migrate it to the newest; what its manifest says.

    ValueError, before anything is touched, for a damaged dump, one that is newer than this program, a database
    that holds something (unless `replace`) or lacks an extension, or workers that have products in hand.
    `ToolFailed` and `DatabaseUnavailable` leave the database as it was. Leases in the dump are void. Objects are not
    touched.
    """
    manifest = read_manifest(backup)
    known = STAGING.revisions()
    if manifest.migration is not None and manifest.migration not in known:
        raise ValueError(
            f"{backup} was made at migration {manifest.migration}, this program knows none later than {known[-1]}: "
            "install the newer program"
        )
    check_dump(backup, manifest)
    with direct(url, label="staging") as database:
        _must_fit(database, manifest, replace)
        _pour(database, backup / DUMP, manifest)
    STAGING.upgrade(url)
    return manifest


def _must_fit(database: Direct, manifest: BackupManifest, replace: bool) -> None:
    if database.major < manifest.postgres:
        raise ValueError(
            f"the backup is of PostgreSQL {manifest.postgres}, and {database.name} is {database.major}: "
            "a dump goes to the same version or a newer one"
        )
    filled = dumps.filled(database.connection)
    if filled and not replace:
        listed = ", ".join(f"{count:,} {name.removeprefix('public.')}" for name, count in filled.items())
        raise ValueError(f"{database.name} is not empty, it holds {listed}: --replace puts the backup in its place")


def _pour(database: Direct, dump: Path, manifest: BackupManifest) -> None:
    """Everything in one transaction, which psql commits only when the last line has come."""
    connection = database.connection
    new_roles = dumps.missing_roles(connection, manifest.roles)
    contents = run(database.plain_command("pg_restore", "--list", str(dump)), database.environment())
    extensions = [line.split()[-1] for line in contents.splitlines() if " EXTENSION - " in line]
    if missing := dumps.missing_extensions(connection, extensions):
        raise ValueError(
            f"{database.name} lacks the extension {missing[0]}, which this role can't create: let a superuser run "
            f"CREATE EXTENSION {missing[0]} in it, and restore again"
        )
    rights = [line for line in contents.splitlines() if " DEFAULT ACL " in line]
    most = [line for line in contents.splitlines() if " DEFAULT ACL " not in line]
    before = dumps.before_restore(new_roles)
    after = dumps.after_restore(dumps.search_path(connection), manifest.rows)
    with _list_file(rights) as chosen:
        script = _script_command(database, dump, chosen)
        default_rights = _DEFAULT_RIGHTS.findall(run(script, database.environment())) if rights else []
    # They are of the role that makes tables, which is the one that restores now.
    own_rights = "".join(f"{alter} CURRENT_USER {what}\n" for alter, what in default_rights)
    psql = database.command("psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1")
    with (
        _list_file(most) as chosen,
        running(psql, database.environment(), stdin=subprocess.PIPE) as taking,
        running(_script_command(database, dump, chosen), database.environment(), stdout=subprocess.PIPE) as giving,
    ):
        stream, script_stream = taking.process.stdin, giving.process.stdout
        assert stream is not None and script_stream is not None  # they are pipes
        with contextlib.suppress(BrokenPipeError):  # psql says why
            stream.write(before.encode())
            shutil.copyfileobj(script_stream, stream)
            giving.must_succeed()
            stream.write((own_rights + after).encode())
            stream.close()
        try:
            taking.must_succeed()
        except ToolFailed as error:
            raise ToolFailed(f"{database.name} is as it was: {error}") from error


def _script_command(database: Direct, dump: Path, chosen: Path) -> list[str]:
    options = ("--no-owner", "--no-comments", f"--use-list={chosen}", "--file=-")
    return database.plain_command("pg_restore", *options, str(dump))


@contextlib.contextmanager
def _list_file(lines: list[str]) -> Iterator[Path]:
    """What of the dump's contents to restore, as pg_restore reads it."""
    with tempfile.NamedTemporaryFile("w", suffix=".list") as file:
        file.write("\n".join(lines) + "\n")
        file.flush()
        yield Path(file.name)
