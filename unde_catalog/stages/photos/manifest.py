"""Manifests: what a run stored, a row an object, as one Parquet object under a key of the run's own.

For audit and lineage; no stage decides by a manifest. pyarrow is imported where it is used: that takes a while.
"""

import contextlib
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any

from unde_catalog.stores.objects.objects import ObjectMissing, ObjectStore, StorageUnavailable, explain
from unde_catalog.worker.handler import StoredObject

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

ROW_GROUP = 10_000  # rows in memory before they go to the temporary file: about 5 MB
CONTENT_TYPE = "application/vnd.apache.parquet"


class ManifestWriter:
    """The rows of a manifest on their way: in a temporary file without a name, which no death leaves behind.

    `rows`: how many there are. Close it, or use it as a context manager.
    """

    def __init__(self, row_group: int = ROW_GROUP) -> None:
        self.rows = 0
        self._row_group = row_group
        self._waiting: list[StoredObject] = []
        self._file: IO[bytes] | None = None
        self._writer: Any = None
        self._fault: OSError | None = None

    def keep(self, stored: Sequence[StoredObject]) -> None:
        """Add objects. A temporary file that can't be written is told by `store`: the work itself goes on."""
        if self._fault is not None:
            return
        self.rows += len(stored)
        self._waiting += stored
        if len(self._waiting) >= self._row_group:
            try:
                self._flush()
            except OSError as error:
                self._fault = error
                self._waiting.clear()

    def store(self, store: ObjectStore, asset: str, brand: str, run_id: str) -> str:
        """Put the manifest into the store; its key. `StorageUnavailable` when that can't be done."""
        try:
            data = self._finished()
        except OSError as error:
            raise StorageUnavailable(explain(error, "writing a temporary file in", tempfile.gettempdir())) from error
        key = manifest_key(asset, brand, run_id, datetime.now(UTC))
        store.put(key, data, CONTENT_TYPE)
        return key

    def close(self) -> None:
        """Drop the temporary file."""
        if self._file is not None:
            with contextlib.suppress(OSError):  # a full disk was told by `store`
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
        columns = [_column([getattr(one, field.name) for one in self._waiting], field.type) for field in schema]
        self._writer.write_table(pa.Table.from_arrays(columns, schema=schema), row_group_size=self._row_group)
        self._waiting.clear()

    def _finished(self) -> bytes:
        if self._fault is None:
            self._flush()
            self._writer.close()
            assert self._file is not None  # made with the writer
            self._file.seek(0)
            return self._file.read()
        raise self._fault


def manifest_key(asset: str, brand: str, run_id: str, at: datetime) -> str:
    """`manifests/<asset>/<brand>/<YYYY-MM>/<UTC time>-<run id>.parquet`: in the order of time, a folder a month."""
    return f"{_folder(asset, brand)}/{at:%Y-%m}/{at:%Y%m%dT%H%M%S.%fZ}-{run_id}.parquet"


def newest_key(store: ObjectStore, asset: str, brand: str) -> str | None:
    """The key of the newest manifest, None where there is none; lists one month, however many years there are."""
    folder = _folder(asset, brand)
    for month in sorted(store.folders(folder), reverse=True):
        found = max((one.key for one in store.list(f"{folder}/{month}") if one.key.endswith(".parquet")), default=None)
        if found is not None:
            return found
    return None


def newest(store: ObjectStore, asset: str, brands: Sequence[str]) -> "pd.DataFrame":
    """What the last run of each of these brands stored, one row an object; without rows, but typed, where none ran."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables = [_schema().empty_table()]
    for brand in brands:
        key = newest_key(store, asset, brand)
        try:
            tables += [] if key is None else [pq.read_table(pa.BufferReader(store.get(key)), schema=_schema())]
        except ObjectMissing:  # removed since it was listed
            continue
    nullable = {pa.int8(): pd.Int8Dtype(), pa.int32(): pd.Int32Dtype(), pa.int64(): pd.Int64Dtype()}
    return pa.concat_tables(tables).to_pandas(types_mapper=nullable.get)


def _folder(asset: str, brand: str) -> str:
    return f"manifests/{asset}/{brand}"


def _column(values: Sequence[object], type: "pa.DataType") -> "pa.Array":
    """An array by way of texts: pa.array looks whether a list is pandas', and imports that to know, 50 MB a run."""
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
