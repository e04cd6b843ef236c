"""What every object store does, a directory or a bucket."""

import asyncio
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from unde_catalog.stores.objects.directory import directory_store
from unde_catalog.stores.objects.objects import ObjectMissing, ObjectStore
from unde_catalog.stores.objects.s3 import S3Store, s3_store
from unde_catalog_tests.support.s3_servers import bucket_at, running_moto, running_rclone

KEY = "originals/zara/495689099/1.jpg"
JPEG = "image/jpeg"


@pytest.fixture(scope="module", params=["directory", "rclone", "moto"])
def opened(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    folder = tmp_path_factory.mktemp("objects")
    if request.param == "directory":
        yield directory_store(folder)
    elif request.param == "rclone":
        with running_rclone(folder) as rclone:
            yield s3_store(bucket_at(rclone.url))
    else:
        with running_moto() as server:
            yield s3_store(bucket_at(server.url))


@pytest.fixture
def store(opened: ObjectStore) -> Iterator[ObjectStore]:
    yield opened
    opened.delete([info.key for info in opened.list("")])


def keys(store: ObjectStore, prefix: str) -> set[str]:
    return {info.key for info in store.list(prefix)}


def test_an_object_is_stored_read_and_replaced(store: ObjectStore):
    for data in (b"first" * 1000, b"", b"second"):
        store.put(KEY, data, JPEG)
        assert store.get(KEY) == data
        info = store.head(KEY)
        assert info and (info.key, info.size) == (KEY, len(data)) and store.exists(KEY)
        assert abs(info.modified - datetime.now(UTC)) < timedelta(minutes=1)


def test_the_async_methods_do_the_same_concurrently(store: ObjectStore):
    async def work() -> list[bytes]:
        names = [f"a/{number}.jpg" for number in range(20)]
        await asyncio.gather(*(store.put_async(name, name.encode(), JPEG) for name in names))
        with pytest.raises(ObjectMissing):
            await store.get_async("a/none.jpg")
        return await asyncio.gather(*map(store.get_async, names))

    assert asyncio.run(work()) == [f"a/{number}.jpg".encode() for number in range(20)]


@pytest.mark.parametrize("key", ["nothing.jpg", "originals/zara", "originals/zara/495689099/2.jpg"])
def test_a_missing_object_is_missing_and_a_folder_is_no_object(store: ObjectStore, key: str):
    store.put(KEY, b"x", JPEG)
    assert store.head(key) is None and not store.exists(key)
    with pytest.raises(ObjectMissing) as missing:
        store.get(key)
    assert missing.value.key == key


def test_deleting_missing_objects_also_deletes_the_others(store: ObjectStore):
    for number in range(4):
        store.put(f"a/{number}", b"x", JPEG)
    store.delete(["a/0", "a/none", "b/none", "a/2"])
    assert keys(store, "") == {"a/1", "a/3"}


def test_a_list_contains_one_folder_and_none_with_a_similar_name(store: ObjectStore):
    for key in ("originals/zara/1/1.jpg", "originals/zarahome/1/1.jpg", "collages/zara/1.jpg"):
        store.put(key, b"x", JPEG)
    assert keys(store, "originals/zara") == keys(store, "originals/zara/") == {"originals/zara/1/1.jpg"}
    assert len(keys(store, "")) == 3 and not keys(store, "nothing/here")


@pytest.mark.parametrize("key", ["a/Az09._=@+,:-", ".hidden/x", "a/-", "a/1.jpg.tmp", "a/...b"])
def test_every_allowed_key_reads_back_as_it_was_written(store: ObjectStore, key: str):
    store.put(key, b"x", JPEG)
    assert store.get(key) == b"x" and keys(store, "") == {key}


def test_folders_are_the_direct_subfolders(store: ObjectStore):
    for key in ("manifests/a/2026-10/1", "manifests/a/2026-11/1", "manifests/a/2026-11/2", "manifests/a/file", "b/c/d"):
        store.put(key, b"x", JPEG)
    assert sorted(store.folders("manifests/a")) == sorted(store.folders("manifests/a/")) == ["2026-10", "2026-11"]
    assert not store.folders("nothing/here")


BAD_KEYS = ["", "/a", "a/", "a//b", ".", "a/../b", "../b", "a\\b", "a b", "a%20b", "a#1", "a\0", "ü", "a\n", "x" * 201]


@pytest.mark.parametrize("key", BAD_KEYS)
def test_a_key_that_some_store_could_not_keep_is_a_value_error(store: ObjectStore, key: str):
    for use in (store.get, store.head, store.public_url, lambda k: store.put(k, b"", JPEG)):
        with pytest.raises(ValueError, match="key"):
            use(key)
    assert not keys(store, "")


def test_readers_see_whole_objects_while_writers_replace_them(store: ObjectStore):
    versions = {bytes([number]) * 200_000 for number in range(4)}
    store.put(KEY, next(iter(versions)), JPEG)

    def replace(data: bytes) -> None:
        for _ in range(15):
            store.put(KEY, data, JPEG)

    writers = [threading.Thread(target=replace, args=(data,)) for data in versions]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        try:
            assert store.get(KEY) in versions
        except ObjectMissing:
            # rclone first removes the old file; a real bucket and the directory always have one of the two.
            assert isinstance(store, S3Store)
    assert store.remove_leftovers(datetime.now(UTC) + timedelta(minutes=1)) == 0


@pytest.mark.slow
def test_lists_longer_than_a_page_are_complete(store: ObjectStore):
    names = {f"many/{number:04}" for number in range(1_010)}

    async def fill() -> None:
        await asyncio.gather(*(store.put_async(name, b"", JPEG) for name in names))

    asyncio.run(fill())
    assert keys(store, "many") == names
