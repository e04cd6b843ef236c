"""Backups of the staging database, and of the objects beside it: a folder that is there whole or not at all.

Not in it: the production database, which is published anew from staging, and Dagster's own, its memory of runs.
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

from unde_catalog.stores.db import dumps, postgres_tools
from unde_catalog.stores.db.postgres_tools import Direct, ToolFailed, direct
from unde_catalog.stores.embedded.locks import FileLock
from unde_catalog.stores.objects.copying import CopyReport, copy_objects
from unde_catalog.stores.objects.directory import directory_store
from unde_catalog.stores.objects.objects import ObjectStore
from unde_catalog.text import first_line

DUMP, MANIFEST, OBJECTS = "staging.dump", "manifest.json", "objects"
_UNFINISHED, _LOCK = ".unfinished-", ".lock"
_LOCK_WAIT = "30s"

Tell = Callable[[CopyReport], None]


class BackupManifest(BaseModel):
    """What a backup holds. `rows` by table; `objects` and `object_bytes` are None where only rows were saved."""

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


def backup(url: str, folder: Path, store: ObjectStore | None = None, tell: Tell = lambda report: None) -> Path:
    """Save the database at `url` and, with a `store`, its objects below `folder`; the new backup's own folder.

    Rows come first, so that an object that changes meanwhile is newer than its row, which `verify` mends. Objects
    are shared by all backups of the folder and copied where they are new or changed; none is ever deleted there.
    """
    folder = folder.expanduser().absolute()
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        for leftover in folder.glob(f"{_UNFINISHED}*"):
            shutil.rmtree(leftover)
        made_at = datetime.now(UTC).replace(microsecond=0)
        target = folder / made_at.strftime("%Y%m%dT%H%M%SZ")
        if target.exists():
            raise ValueError(f"{target} is there already: two backups in one second; try again")
        unfinished = folder / f"{_UNFINISHED}{target.name}"
        unfinished.mkdir(mode=0o700)
        known = _dump(url, unfinished / DUMP)
        count, size = _copy_objects(store, folder / OBJECTS, tell) if store else (None, None)
        manifest = BackupManifest(made_at=made_at, **known, objects=count, object_bytes=size)
        _write(unfinished / MANIFEST, manifest.model_dump_json(indent=2) + "\n")
        _sync(unfinished)
        unfinished.rename(target)
        _sync(folder)
    return target


def read_manifest(backup: Path) -> BackupManifest:
    """What the backup in that folder says of itself; ValueError where it is none, or none of ours."""
    try:
        return BackupManifest.model_validate_json((backup / MANIFEST).read_bytes())
    except FileNotFoundError:
        raise ValueError(f"{backup} is no backup: it has no {MANIFEST}") from None
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise ValueError(f"{backup / MANIFEST} can't be read: {where or 'it is no JSON'}") from None


def check_dump(backup: Path, manifest: BackupManifest) -> None:
    """ValueError unless the dump is, byte for byte, what was written."""
    try:
        is_it = _sha256(backup / DUMP)
    except FileNotFoundError:
        raise ValueError(f"{backup / DUMP} is missing") from None
    if is_it != manifest.dump_sha256:
        raise ValueError(f"{backup / DUMP} is damaged: its SHA-256 is {is_it}, not {manifest.dump_sha256}")


def copy_back(backup: Path, store: ObjectStore, tell: Tell = lambda report: None) -> CopyReport:
    """Copy the objects that lie beside a backup to a store, each compared byte for byte."""
    folder = backup.parent / OBJECTS
    if not folder.is_dir():
        raise ValueError(f"there are no objects in {folder}: the backup was made without --objects")
    return copy_objects(directory_store(folder), store, tell=tell)


def _dump(url: str, dump: Path) -> dict[str, Any]:
    """Write the dump; the manifest's facts of the same moment."""
    with direct(url, label="staging") as database:
        try:
            moment = dumps.snapshot(database.connection)
            known = {
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
    return {**known, "dump_sha256": _sha256(dump), "dump_bytes": dump.stat().st_size}


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


def _may_not(database: Direct, said: str) -> str:
    return (
        f"{said}: {database.role} may not read all of it; set BACKUP_DB_URL to connect as the owner of the tables, "
        "which is who migrates"
    )


def _copy_objects(store: ObjectStore, folder: Path, tell: Tell) -> tuple[int, int]:
    if store.where == str(folder):
        raise ValueError(f"the objects lie in {folder} themselves: name another folder for backups")
    target = directory_store(folder)
    report = copy_objects(store, target, content=False, tell=tell)
    if not report.complete:
        raise ValueError(
            f"{report.failed} objects could not be copied, so there is no backup: {'; '.join(report.failures[:3])}"
        )
    sizes = (info.size for info in target.list(""))
    count = total = 0
    for size in sizes:
        count, total = count + 1, total + size
    return count, total


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
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
