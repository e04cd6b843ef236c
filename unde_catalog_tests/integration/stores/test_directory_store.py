"""What only the directory store does: atomic and durable writes, and errors of the disk."""

import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from unde_catalog.stores.objects.directory import directory_store
from unde_catalog.stores.objects.objects import ObjectStore, StorageUnavailable

KEY = "originals/zara/495689099/1.jpg"
JPEG = "image/jpeg"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "objects"


@pytest.fixture
def store(root: Path) -> ObjectStore:
    return directory_store(root)


def keys(store: ObjectStore, prefix: str) -> set[str]:
    return {info.key for info in store.list(prefix)}


def later() -> datetime:
    return datetime.now(UTC) + timedelta(minutes=1)


def test_a_list_is_read_page_by_page(store: ObjectStore, root: Path):
    (root / "many").mkdir()
    for number in range(2_500):
        (root / "many" / str(number)).touch()
    listed = store.list("many")
    assert isinstance(listed, Iterator)
    next(listed)
    shutil.rmtree(root / "many")
    assert sum(1 for _ in listed) < 2_499  # the later pages had not been read


def test_public_urls(root: Path):
    assert directory_store(root).public_url(KEY) == f"file://{root}/{KEY}"
    for base in ("https://cdn.example/media", "https://cdn.example/media/"):
        assert directory_store(root, base).public_url(KEY) == f"https://cdn.example/media/{KEY}"
    assert directory_store(root, "https://a").public_url("a/b=1+1.jpg") == "https://a/a/b%3D1%2B1.jpg"


_KILLED = """
import os, signal, sys
from pathlib import Path
from unde_catalog.stores.objects.directory import directory_store
store = directory_store(Path(sys.argv[1]))
setattr(os, sys.argv[2], lambda *_: os.kill(os.getpid(), signal.SIGKILL))
store.put(sys.argv[3], b"half", "image/jpeg")
"""


@pytest.mark.parametrize("dies_at", ["fsync", "replace"])
def test_a_killed_writer_leaves_no_partial_object_and_no_files_for_long(store: ObjectStore, root: Path, dies_at: str):
    store.put(KEY, b"whole", JPEG)
    for key in (KEY, "collages/1.jpg"):
        (root / key).parent.mkdir(exist_ok=True)  # otherwise the first fsync is that of a folder
        run = subprocess.run([sys.executable, "-c", _KILLED, str(root), dies_at, key])
        assert run.returncode == -signal.SIGKILL
    assert store.get(KEY) == b"whole"
    assert keys(store, "") == {KEY}
    assert store.remove_leftovers(datetime.now(UTC) - timedelta(days=1)) == 0  # their writer may still run
    assert store.remove_leftovers(later()) == 2 and store.remove_leftovers(later()) == 0
    assert store.get(KEY) == b"whole"


def test_an_object_is_on_disk_before_it_is_named_and_put_returns(
    store: ObjectStore, root: Path, monkeypatch: pytest.MonkeyPatch
):
    events: list[str] = []
    fsync, replace = os.fsync, os.replace

    def recording_fsync(handle: int) -> None:
        target = Path(os.readlink(f"/proc/self/fd/{handle}"))
        events.append(str(target.relative_to(root)) if target.is_dir() else "data")
        fsync(handle)

    def recording_replace(source: Path, target: Path) -> None:
        events.append("rename")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", recording_fsync)
    monkeypatch.setattr(os, "replace", recording_replace)
    store.put("a/b/1.jpg", b"x", JPEG)
    assert events == [".", "a", "data", "rename", "a/b"]  # new folders are entries of their parents


@pytest.mark.parametrize(
    ("number", "advice"),
    [(errno.ENOSPC, "free space"), (errno.EROFS, "read-only"), (errno.EIO, "kernel log"), (errno.EDQUOT, "quota")],
)
def test_a_failing_disk_is_reported_with_its_path_and_advice(
    store: ObjectStore, root: Path, monkeypatch: pytest.MonkeyPatch, number: int, advice: str
):
    def failing(_: int) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", failing)
        with pytest.raises(StorageUnavailable, match=advice) as down:
            store.put("1.jpg", b"x", JPEG)
    assert str(root / "1.jpg") in str(down.value)
    assert not keys(store, "") and store.remove_leftovers(later()) == 0


def test_a_full_disk_leaves_nothing_behind(store: ObjectStore):
    store.put(KEY, b"old", JPEG)
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, limit[1]))
        with pytest.raises(StorageUnavailable, match="ulimit -f"):
            store.put(KEY, b"x" * 5_000, JPEG)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, handler)
    assert store.get(KEY) == b"old" and store.remove_leftovers(later()) == 0


def test_a_directory_of_another_user_is_reported(store: ObjectStore, root: Path):
    store.put(KEY, b"x", JPEG)
    (root / ".unfinished").chmod(0o500)
    me = os.geteuid()
    try:
        if me == 0:  # root ignores permissions
            os.seteuid(65_534)
        with pytest.raises(StorageUnavailable, match="permissions"):
            store.put(KEY, b"y", JPEG)
    finally:
        os.seteuid(me)
        (root / ".unfinished").chmod(0o700)
    assert store.get(KEY) == b"x"


def test_a_file_in_place_of_a_folder_is_reported(store: ObjectStore, root: Path):
    (root / "originals").write_bytes(b"")
    for use in (lambda: store.put(KEY, b"x", JPEG), lambda: store.get(KEY), lambda: store.head(KEY)):
        with pytest.raises(StorageUnavailable, match="there is a file where a folder must be"):
            use()
    with pytest.raises(StorageUnavailable, match="there is a file"):
        directory_store(root / "originals" / "below")


def test_a_folder_in_place_of_an_object_is_reported(store: ObjectStore):
    store.put("a/b/c", b"x", JPEG)
    with pytest.raises(StorageUnavailable, match="there is a folder"):
        store.put("a/b", b"x", JPEG)
    assert store.remove_leftovers(later()) == 0


def test_an_unmounted_disk_does_not_look_like_missing_objects(store: ObjectStore, root: Path):
    store.put(KEY, b"x", JPEG)
    root.rename(root.with_name("elsewhere"))
    uses = [
        lambda: store.get(KEY),
        lambda: store.head(KEY),
        lambda: store.delete([KEY]),
        lambda: store.put(KEY, b"x", JPEG),
        lambda: list(store.list("")),
    ]
    for use in uses:
        with pytest.raises(StorageUnavailable, match="mounted"):
            use()
    assert not root.exists()
