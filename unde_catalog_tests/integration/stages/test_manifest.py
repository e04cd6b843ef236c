import io
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from unde_catalog.stages.photos import manifest
from unde_catalog.stages.photos.manifest import ManifestWriter, manifest_key, newest_key
from unde_catalog.stores.objects.directory import directory_store
from unde_catalog.stores.objects.objects import ObjectInfo, ObjectStore, StorageUnavailable
from unde_catalog.stores.objects.s3 import s3_store
from unde_catalog.worker.handler import StoredObject
from unde_catalog_tests.support.s3_servers import bucket_at, running_moto
from unde_catalog_tests.support.servers import PROJECT

TYPES = {
    "external_id": "string", "n": "Int8", "key": "string", "sha256": "string", "width": "Int32", "height": "Int32",
    "bytes": "Int64", "source_url": "string",
}  # fmt: skip


@pytest.fixture(scope="module", params=["directory", "moto"])
def open_store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    if request.param == "directory":
        yield directory_store(tmp_path_factory.mktemp("objects"))
    else:
        with running_moto() as server:
            yield s3_store(bucket_at(server.url))


@pytest.fixture
def store(open_store: ObjectStore) -> Iterator[ObjectStore]:
    yield open_store
    open_store.delete([info.key for info in open_store.list("")])


def photo(number: int) -> StoredObject:
    key = f"originals/zara/{number}/1.jpg"
    return StoredObject(str(number), 1, key, f"{number:064x}", 1920, 2880, 300_000, f"https://cdn.example/{number}.jpg")


def write_manifest(store: ObjectStore, *objects: StoredObject, brand: str = "zara", run: str = "a-run") -> str:
    with ManifestWriter() as rows:
        rows.add(objects)
        return rows.store(store, "originals", brand, run)


def read(store: ObjectStore, key: str) -> pd.DataFrame:
    return pd.read_parquet(io.BytesIO(store.get(key)), dtype_backend="numpy_nullable")


def test_stored_rows_are_read_back_in_order(store: ObjectStore) -> None:
    collage = StoredObject("7", None, "collages/zara/7.jpg", "f" * 64, 65_500, 6_000, 3_000_000_000, None)
    key = write_manifest(store, photo(1), photo(2), collage)
    frame = read(store, key)
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == TYPES
    assert frame.iloc[0].to_dict() == {name: getattr(photo(1), name) for name in TYPES}
    assert frame["external_id"].tolist() == ["1", "2", "7"]
    assert frame.iloc[2]["bytes"] == 3_000_000_000
    assert frame["n"].isna().tolist() == frame["source_url"].isna().tolist() == [False, False, True]


def test_the_newest_manifest_of_a_brand_is_found(store: ObjectStore) -> None:
    keys = [
        write_manifest(store, photo(number), brand=brand)
        for number, brand in enumerate(("zara", "oysho", "zara", "zarahome"), 1)
    ]
    assert newest_key(store, "originals", "zara") == keys[2]
    assert newest_key(store, "collages", "zara") is None


def test_a_run_that_writes_twice_keeps_both_manifests(store: ObjectStore) -> None:
    first, second = write_manifest(store, photo(1)), write_manifest(store, photo(2))
    assert first < second and {info.key for info in store.list("manifests")} == {first, second}


def test_folders_are_the_direct_subfolders_of_manifests(store: ObjectStore) -> None:
    assert store.folders("nothing/here") == []
    for key in ("a/b/c/1", "a/b/d/e/2", "a/b/3", "a/bc/f/4"):
        store.put(key, b"", "text/plain")
    assert sorted(store.folders("a/b")) == sorted(store.folders("a/b/")) == ["c", "d"]
    assert "a" in store.folders("")


def test_keys_sort_by_time_with_a_folder_per_month() -> None:
    moments = [datetime(2025, 12, 31, 23, 59, 59, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)]
    keys = [manifest_key("originals", "zara", "run", moment) for moment in moments]
    assert keys == [
        "manifests/originals/zara/2025-12/20251231T235959.000000Z-run.parquet",
        "manifests/originals/zara/2026-01/20260101T000000.000000Z-run.parquet",
    ]


def test_finding_the_newest_lists_only_the_last_month(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = directory_store(tmp_path / "objects")
    for year in range(2020, 2027):
        for month in range(1, 13):
            store.put(manifest_key("originals", "zara", "run", datetime(year, month, 5, tzinfo=UTC)), b"", "x")
    store.put("manifests/originals/zara/2027-01/not-a-manifest.txt", b"", "text/plain")
    listed: list[str] = []
    original_list = ObjectStore.list

    def recording_list(self: ObjectStore, prefix: str) -> Iterator[ObjectInfo]:
        listed.append(prefix)
        return original_list(self, prefix)

    monkeypatch.setattr(ObjectStore, "list", recording_list)
    key = manifest.newest_key(store, "originals", "zara")
    assert key == "manifests/originals/zara/2026-12/20261205T000000.000000Z-run.parquet"
    assert listed == ["manifests/originals/zara/2027-01", "manifests/originals/zara/2026-12"]


def test_rows_are_written_in_groups_to_a_temporary_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    store = directory_store(tmp_path / "objects")
    with ManifestWriter(row_group=100) as rows:
        for number in range(1_050):
            rows.add([photo(number)])
        assert [path.name for path in tmp_path.iterdir()] == ["objects"]
        key = rows.store(store, "originals", "zara", "run")
    written = pq.ParquetFile(tmp_path / "objects" / key)
    assert written.metadata.num_row_groups == 11 and written.metadata.num_rows == rows.rows == 1_050


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_rows() -> None:
    with ManifestWriter(row_group=2_000) as rows:
        tracemalloc.start()
        try:
            for number in range(60_000):
                rows.add([photo(number)])
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 8_000_000, f"{peak / 1e6:.1f} MB; all rows in a list take more than 30"


def test_a_full_temporary_folder_does_not_stop_the_work_and_is_reported(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere/at/all")
    with ManifestWriter(row_group=2) as rows:
        for number in range(10):
            rows.add([photo(number)])
        with pytest.raises(StorageUnavailable, match="writing a temporary file in /nowhere/at/all failed"):
            rows.store(store, "originals", "zara", "run")
    assert list(store.list("manifests")) == []


def test_writing_a_manifest_does_not_import_pandas(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from unde_catalog.stores.objects.directory import directory_store\n"
        "from unde_catalog.worker.handler import StoredObject\n"
        "from unde_catalog.stages.photos.manifest import ManifestWriter\n"
        "with ManifestWriter() as rows:\n"
        "    rows.add([StoredObject('1', 1, 'originals/zara/1/1.jpg', 'f' * 64, 1, 2, 3, None)])\n"
        "    rows.store(directory_store(Path(sys.argv[1])), 'originals', 'zara', 'a-run')\n"
        "print('pandas' in sys.modules)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    result = subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, text=True)
    assert result.stdout == "False\n"
