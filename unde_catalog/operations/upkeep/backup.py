"""Backups of the staging database and of the objects: each is a folder that is complete or does not exist.

They do not include the production database, which is published again from staging, and Dagster's own database.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from pydantic import BaseModel, ConfigDict, ValidationError

from unde_catalog.operations.upkeep.backup_folder import DUMP, MANIFEST, OBJECTS, backup_name
from unde_catalog.stores.db import postgres_tools
from unde_catalog.stores.db.postgres_tools import Direct, ToolFailed, direct
from unde_catalog.stores.embedded.locks import FileLock
from unde_catalog.stores.objects.copying import CopyReport, copy_objects
from unde_catalog.stores.objects.directory import directory_store
from unde_catalog.stores.objects.objects import ObjectStore
from unde_catalog.stores.staging.admin import dumps
from unde_catalog.text import first_line

_UNFINISHED, _LOCK = ".unfinished-", ".lock"
_LOCK_WAIT = "30s"

Progress = Callable[[CopyReport], None]


class BackupManifest(BaseModel):
    """What a backup contains. `rows` by table; `objects` and `object_bytes` are None where only rows were saved."""

    model_config = ConfigDict(frozen=True)

    made_at: datetime
    database: str
    role: str
    postgres: int
    migration: str | None
    rows: dict[str, int]
    roles: list[str]
    dump_sha256: str
    dump_bytes: int
    objects: int | None = None
    object_bytes: int | None = None


def backup(url: str, folder: Path, store: ObjectStore | None = None, progress: Progress = lambda report: None) -> Path:
    """Save the database at `url` and, with a `store`, its objects below `folder`. Returns the folder of the backup.

    Rows come first: an object that changes meanwhile is newer than its row, which `verify` repairs. All backups of the
    folder share the objects. New and changed objects are copied, and none is ever deleted there.
    """
    folder = folder.expanduser().absolute()
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        for leftover in folder.glob(f"{_UNFINISHED}*"):
            shutil.rmtree(leftover)
        made_at = datetime.now(UTC).replace(microsecond=0)
        target = folder / backup_name(made_at)
        if target.exists():
            raise ValueError(f"{target} exists already: two backups in one second; try again")
        unfinished = folder / f"{_UNFINISHED}{target.name}"
        unfinished.mkdir(mode=0o700)
        facts = _dump(url, unfinished / DUMP)
        count, size = _copy_objects(store, folder / OBJECTS, progress) if store else (None, None)
        manifest = BackupManifest(made_at=made_at, **facts, objects=count, object_bytes=size)
        _write(unfinished / MANIFEST, manifest.model_dump_json(indent=2) + "\n")
        _sync(unfinished)
        unfinished.rename(target)
        _sync(folder)
    return target


def read_manifest(backup: Path) -> BackupManifest:
    """The manifest of the backup in that folder; ValueError where it is no backup of this program."""
    try:
        return BackupManifest.model_validate_json((backup / MANIFEST).read_bytes())
    except FileNotFoundError:
        raise ValueError(f"{backup} is not a backup: it has no {MANIFEST}") from None
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise ValueError(f"{backup / MANIFEST} cannot be read: {where or 'it is not JSON'}") from None


def check_dump(backup: Path, manifest: BackupManifest) -> None:
    """ValueError unless the dump has the SHA-256 of the manifest."""
    try:
        sha256 = _sha256(backup / DUMP)
    except FileNotFoundError:
        raise ValueError(f"{backup / DUMP} is missing") from None
    if sha256 != manifest.dump_sha256:
        raise ValueError(f"{backup / DUMP} is damaged: its SHA-256 is {sha256}, not {manifest.dump_sha256}")


def copy_back(backup: Path, store: ObjectStore, progress: Progress = lambda report: None) -> CopyReport:
    """Copy the objects of a backup to a store and compare each of them byte by byte."""
    folder = backup.parent / OBJECTS
    if not folder.is_dir():
        raise ValueError(f"there are no objects in {folder}: the backup was made without --objects")
    return copy_objects(directory_store(folder), store, on_progress=progress)


def _dump(url: str, dump: Path) -> dict[str, Any]:
    """Write the dump. Returns the facts for the manifest, read in the same snapshot."""
    with direct(url, label="staging") as database:
        try:
            moment = dumps.snapshot(database.connection)
            facts = {
                "database": database.name,
                "role": database.role,
                "postgres": database.major,
                "migration": dumps.revision(database.connection),
                "rows": dumps.row_counts(database.connection),
                "roles": dumps.roles(database.connection),
            }
        except psycopg.errors.InsufficientPrivilege as error:
            raise ToolFailed(_may_not(database, first_line(error))) from error
        _run_pg_dump(database, moment, dump)
    return {**facts, "dump_sha256": _sha256(dump), "dump_bytes": dump.stat().st_size}


def _run_pg_dump(database: Direct, moment: str, dump: Path) -> None:
    scratch = [f"--exclude-table-data={name}" for name in dumps.SCRATCH]
    command = database.command(
        "pg_dump", "--format=custom", f"--file={dump}", f"--snapshot={moment}", "--no-owner",
        f"--lock-wait-timeout={_LOCK_WAIT}", *scratch,
    )  # fmt: skip
    try:
        postgres_tools.run(command, database.environment())
    except ToolFailed as error:
        if any(sign in str(error) for sign in ("permission denied", "row-level security", "lack SELECT privilege")):
            raise ToolFailed(_may_not(database, str(error))) from error
        raise


def _may_not(database: Direct, message: str) -> str:
    return (
        f"{message}: {database.role} may not read everything; set BACKUP_DB_URL to connect as the owner of the tables, "
        "the role that migrates"
    )


def _copy_objects(store: ObjectStore, folder: Path, progress: Progress) -> tuple[int, int]:
    if store.where == str(folder):
        raise ValueError(f"the object store itself is in {folder}: choose another folder for backups")
    target = directory_store(folder)
    report = copy_objects(store, target, content=False, on_progress=progress)
    if not report.complete:
        raise ValueError(
            f"{report.failed} objects could not be copied, so no backup was made: {'; '.join(report.failures[:3])}"
        )
    sizes = (info.size for info in target.list(""))
    count = total = 0
    for size in sizes:
        count, total = count + 1, total + size
    return count, total


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with FileLock(folder / _LOCK) as lock:
        if not lock.take():
            raise ValueError(f"another backup to {folder} is running: wait for it")
        yield


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(path: Path, text: str) -> None:
    with path.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
