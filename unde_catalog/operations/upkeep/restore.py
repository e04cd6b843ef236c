"""Restores a backup in one transaction: until it commits, the database stays as it was.

The backup's folder is described in `backup_folder.py`; objects are copied by `backup.copy_back`.
"""

import contextlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from unde_catalog.operations.upkeep.backup import BackupManifest, check_dump, read_manifest
from unde_catalog.operations.upkeep.backup_folder import DUMP
from unde_catalog.stores.db.postgres_tools import Direct, ToolFailed, direct, run, running
from unde_catalog.stores.staging.admin import dumps
from unde_catalog.stores.staging.migrate import STAGING

_DEFAULT_PRIVILEGES = re.compile(r'^(ALTER DEFAULT PRIVILEGES FOR ROLE) (?:"(?:[^"]|"")*"|\S+) (.*;)$', re.MULTILINE)


def restore(url: str, backup: Path, *, replace: bool = False) -> BackupManifest:
    """Restore the dump and migrate the database to the newest version. Returns the manifest.

    ValueError, before anything changes, for a damaged dump, a dump newer than this program, a database that is not
    empty (unless `replace`) or lacks an extension, or workers that hold leases. `ToolFailed` and `DatabaseUnavailable`
    leave the database as it was. Leases in the dump are void. Objects do not change.
    """
    manifest = read_manifest(backup)
    known = STAGING.revisions()
    if manifest.migration is not None and manifest.migration not in known:
        raise ValueError(
            f"{backup} was made at migration {manifest.migration}; this program knows none later than {known[-1]}: "
            "install the newer version"
        )
    check_dump(backup, manifest)
    with direct(url, label="staging") as database:
        _check_target(database, manifest, replace)
        _restore(database, backup / DUMP, manifest)
    STAGING.upgrade(url)
    return manifest


def _check_target(database: Direct, manifest: BackupManifest, replace: bool) -> None:
    if database.major < manifest.postgres:
        raise ValueError(
            f"the backup is of PostgreSQL {manifest.postgres}, and {database.name} is {database.major}: "
            "a dump needs the same version or a newer one"
        )
    filled = dumps.filled(database.connection)
    if filled and not replace:
        listed = ", ".join(f"{count:,} {name.removeprefix('public.')}" for name, count in filled.items())
        raise ValueError(f"{database.name} is not empty, it contains {listed}: --replace replaces all of it")


def _restore(database: Direct, dump: Path, manifest: BackupManifest) -> None:
    """Run everything in one transaction, which psql commits only after the last line."""
    connection = database.connection
    new_roles = dumps.missing_roles(connection, manifest.roles)
    contents = run(database.plain_command("pg_restore", "--list", str(dump)), database.environment())
    extensions = [line.split()[-1] for line in contents.splitlines() if " EXTENSION - " in line]
    if missing := dumps.missing_extensions(connection, extensions):
        raise ValueError(
            f"{database.name} lacks the extension {missing[0]}, which this role cannot create: have a superuser run "
            f"CREATE EXTENSION {missing[0]} in it, and restore again"
        )
    privileges = [line for line in contents.splitlines() if " DEFAULT ACL " in line]
    others = [line for line in contents.splitlines() if " DEFAULT ACL " not in line]
    before = dumps.before_restore(new_roles)
    after = dumps.after_restore(dumps.search_path(connection), manifest.rows)
    with _list_file(privileges) as selection:
        script = _script_command(database, dump, selection)
        defaults = _DEFAULT_PRIVILEGES.findall(run(script, database.environment())) if privileges else []
    # Default privileges belong to the role that creates tables, which is now the restoring role.
    default_privileges = "".join(f"{alter} CURRENT_USER {what}\n" for alter, what in defaults)
    psql = database.command("psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1")
    with (
        _list_file(others) as selection,
        running(psql, database.environment(), stdin=subprocess.PIPE) as restoring,
        running(_script_command(database, dump, selection), database.environment(), stdout=subprocess.PIPE) as reading,
    ):
        stream, script_stream = restoring.process.stdin, reading.process.stdout
        assert stream is not None and script_stream is not None  # they are pipes
        with contextlib.suppress(BrokenPipeError):  # psql reports the cause below
            stream.write(before.encode())
            shutil.copyfileobj(script_stream, stream)
            reading.must_succeed()
            stream.write((default_privileges + after).encode())
            stream.close()
        try:
            restoring.must_succeed()
        except ToolFailed as error:
            raise ToolFailed(f"{database.name} is unchanged: {error}") from error


def _script_command(database: Direct, dump: Path, selection: Path) -> list[str]:
    options = ("--no-owner", "--no-comments", f"--use-list={selection}", "--file=-")
    return database.plain_command("pg_restore", *options, str(dump))


@contextlib.contextmanager
def _list_file(lines: list[str]) -> Iterator[Path]:
    """A file with the entries of the dump to restore, in pg_restore's format."""
    with tempfile.NamedTemporaryFile("w", suffix=".list") as file:
        file.write("\n".join(lines) + "\n")
        file.flush()
        yield Path(file.name)
