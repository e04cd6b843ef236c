"""Manifests: a Parquet object for each run, with one row for each object that the run stored.

They are for audit and lineage; no stage reads them. pyarrow is imported where it is used, because that is slow.
"""

import contextlib
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any

from unde_catalog.stores.objects.objects import ObjectStore, StorageUnavailable, explain
from unde_catalog.worker.handler import StoredObject

if TYPE_CHECKING:
    import pyarrow as pa

ROW_GROUP = 10_000  # rows in memory before they are written to the temporary file: about 5 MB
CONTENT_TYPE = "application/vnd.apache.parquet"


class ManifestWriter:
    """Collects the rows of a manifest in an anonymous temporary file, which disappears with the process.

    `rows` is their number. Close it, or use it as a context manager.
    """

    def __init__(self, row_group: int = ROW_GROUP) -> None:
        self.rows = 0
        self._row_group = row_group
        self._buffer: list[StoredObject] = []
        self._file: IO[bytes] | None = None
        self._writer: Any = None
        self._error: OSError | None = None

    def add(self, stored: Sequence[StoredObject]) -> None:
        """Add objects. If the temporary file can't be written, `store` raises the error, so that the stage goes on."""
        if self._error is not None:
            return
        self.rows += len(stored)
        self._buffer += stored
        if len(self._buffer) >= self._row_group:
            try:
                self._flush()
            except OSError as error:
                self._error = error
                self._buffer.clear()

    def store(self, store: ObjectStore, asset: str, brand: str, run_id: str) -> str:
        """Put the manifest into the object store and return its key; raises `StorageUnavailable`."""
        try:
            data = self._finished()
        except OSError as error:
            raise StorageUnavailable(explain(error, "writing a temporary file in", tempfile.gettempdir())) from error
        key = manifest_key(asset, brand, run_id, datetime.now(UTC))
        store.put(key, data, CONTENT_TYPE)
        return key

    def close(self) -> None:
        """Delete the temporary file."""
        if self._file is not None:
            with contextlib.suppress(OSError):  # `store` has raised it already
                self._writer.close()
            self._file.close()

    def __enter__(self) -> "ManifestWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _flush(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema = _schema()
        if self._writer is None:
            self._file = tempfile.TemporaryFile(prefix="unde-manifest-")  # noqa: SIM115  closed by close()
            self._writer = pq.ParquetWriter(self._file, schema, compression="zstd")
        columns = [_column([getattr(one, field.name) for one in self._buffer], field.type) for field in schema]
        self._writer.write_table(pa.Table.from_arrays(columns, schema=schema), row_group_size=self._row_group)
        self._buffer.clear()

    def _finished(self) -> bytes:
        if self._error is None:
            self._flush()
            self._writer.close()
            assert self._file is not None  # made with the writer
            self._file.seek(0)
            return self._file.read()
        raise self._error


def manifest_key(asset: str, brand: str, run_id: str, at: datetime) -> str:
    """`manifests/<asset>/<brand>/<YYYY-MM>/<UTC time>-<run id>.parquet`: in chronological order, a folder a month."""
    return f"{_folder(asset, brand)}/{at:%Y-%m}/{at:%Y%m%dT%H%M%S.%fZ}-{run_id}.parquet"


def newest_key(store: ObjectStore, asset: str, brand: str) -> str | None:
    """The key of the newest manifest, None if there is none. Lists the objects of one month only."""
    folder = _folder(asset, brand)
    for month in sorted(store.folders(folder), reverse=True):
        found = max((one.key for one in store.list(f"{folder}/{month}") if one.key.endswith(".parquet")), default=None)
        if found is not None:
            return found
    return None


def _folder(asset: str, brand: str) -> str:
    return f"manifests/{asset}/{brand}"


def _column(values: Sequence[object], type: "pa.DataType") -> "pa.Array":
    """An array of values by way of strings, because `pa.array` would import pandas, which takes 50 MB."""
    from pyarrow.lib import StringBuilder  # pyright: ignore[reportAttributeAccessIssue]  not in its stubs

    builder = StringBuilder()
    for value in values:
        builder.append(None if value is None else str(value))
    return builder.finish().cast(type)


def _schema() -> "pa.Schema":
    import pyarrow as pa

    return pa.schema(
        [
            pa.field("external_id", pa.string(), nullable=False),
            pa.field("n", pa.int8()),  # NULL for a collage
            pa.field("key", pa.string(), nullable=False),
            pa.field("sha256", pa.string(), nullable=False),
            pa.field("width", pa.int32(), nullable=False),
            pa.field("height", pa.int32(), nullable=False),
            pa.field("bytes", pa.int64(), nullable=False),
            pa.field("source_url", pa.string()),  # NULL for a collage
        ]
    )
