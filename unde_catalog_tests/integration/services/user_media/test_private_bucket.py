"""The private bucket for user media, on S3 servers that check signatures and in a folder."""

import asyncio
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from unde_catalog.services.user_media.bucket import WrongBucket
from unde_catalog.settings.environment import SettingsError, load_user_media_settings
from unde_catalog.stores.objects.objects import StorageUnavailable
from unde_catalog_tests.support.s3_servers import BUCKET, Moto, Rclone, running_moto, running_rclone, s3_environment
from unde_catalog_tests.support.user_media import PRIVATE_BUCKET, configured_bucket, nothing_set, private_environment

KEY = "1/2/avatar_a/photos/2/20260101T000000.000000Z/AgAD_-1.jpg"


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nothing_set(monkeypatch, tmp_path)


@pytest.fixture(scope="module")
def rclone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rclone]:
    folder = tmp_path_factory.mktemp("rclone")
    (folder / PRIVATE_BUCKET).mkdir()
    with running_rclone(folder) as server:
        yield server


@pytest.fixture(scope="module")
def moto() -> Iterator[Moto]:
    with running_moto() as server:
        server.client.create_bucket(Bucket=PRIVATE_BUCKET)
        yield server


def test_a_photo_is_stored_under_its_key_with_a_url_of_the_bucket(
    rclone: Rclone, monkeypatch: pytest.MonkeyPatch
) -> None:
    _set(monkeypatch, private_environment(rclone.url))
    bucket = configured_bucket()
    asyncio.run(bucket.put(KEY, b"photo", "image/jpeg", {"bot": "1", "user": "2"}))
    assert (rclone.folder / PRIVATE_BUCKET / KEY).read_bytes() == b"photo"
    assert bucket.url(KEY) == f"{rclone.url}/{PRIVATE_BUCKET}/{KEY}"
    asyncio.run(bucket.delete([KEY, KEY]))
    assert not (rclone.folder / PRIVATE_BUCKET / KEY).exists()


def test_an_object_carries_its_content_type_and_metadata(moto: Moto, monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, private_environment(moto.url))
    metadata = {"bot": "1", "user": "2", "avatar": "a", "file-id": "AgAD_-1", "batch": "пачка\r\n x", "none": ""}
    asyncio.run(configured_bucket().put(KEY, b"photo", "image/png", metadata))
    head = moto.client.head_object(Bucket=PRIVATE_BUCKET, Key=KEY)
    assert head["ContentType"] == "image/png"
    assert head["CacheControl"].startswith("private")
    assert head["Metadata"] == {
        "bot": "1", "user": "2", "avatar": "a", "file-id": "AgAD_-1",
        "batch": "%D0%BF%D0%B0%D1%87%D0%BA%D0%B0%0D%0A x",
    }  # fmt: skip


def test_a_link_reads_the_photo_without_credentials(moto: Moto, monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, private_environment(moto.url))
    bucket = configured_bucket()
    asyncio.run(bucket.put(KEY, b"photo", "image/jpeg", {}))
    link = bucket.link(KEY, timedelta(minutes=5))
    with urllib.request.urlopen(link, timeout=20) as response:
        assert response.read() == b"photo"
    with pytest.raises(ValueError, match="seven days"):
        bucket.link(KEY, timedelta(days=8))


def test_a_server_that_checks_signatures_refuses_a_changed_link(
    rclone: Rclone, monkeypatch: pytest.MonkeyPatch
) -> None:
    _set(monkeypatch, private_environment(rclone.url))
    bucket = configured_bucket()
    asyncio.run(bucket.put("1/2/a/mine.jpg", b"mine", "image/jpeg", {}))
    asyncio.run(bucket.put("1/3/a/other.jpg", b"other", "image/jpeg", {}))
    link = bucket.link("1/2/a/mine.jpg", timedelta(minutes=5))
    with urllib.request.urlopen(link, timeout=20) as response:
        assert response.read() == b"mine"
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(link.replace("1/2/a/mine", "1/3/a/other"), timeout=20)


def test_the_catalogues_bucket_is_refused(rclone: Rclone, monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, s3_environment(rclone.url) | private_environment(rclone.url, BUCKET))
    with pytest.raises(WrongBucket, match="is the catalogue's bucket.*set S3_BUCKET_NAME"):
        configured_bucket()


def test_a_bucket_that_contains_a_catalogue_is_refused(rclone: Rclone, monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, private_environment(rclone.url))
    bucket = configured_bucket()
    bucket.refuse_catalogue()
    bucket.store.put("originals/zara/1/1.jpg", b"x", "image/jpeg")
    with pytest.raises(WrongBucket, match="contains a catalogue's originals"):
        bucket.refuse_catalogue()
    bucket.store.delete(["originals/zara/1/1.jpg"])


def test_errors_name_the_settings_of_this_service(rclone: Rclone, monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, private_environment(rclone.url, "no-such-bucket"))
    with pytest.raises(StorageUnavailable, match="create it, or set S3_BUCKET_NAME"):
        asyncio.run(configured_bucket().put(KEY, b"photo", "image/jpeg", {}))
    _set(monkeypatch, private_environment(rclone.url) | {"S3_SECRET_ACCESS_KEY": "planted-wrong"})
    with pytest.raises(StorageUnavailable, match="S3_SECRET_ACCESS_KEY") as refused:
        asyncio.run(configured_bucket().put(KEY, b"photo", "image/jpeg", {}))
    assert "planted" not in str(refused.value)


def test_without_a_bucket_photos_are_stored_in_their_own_folder(tmp_path: Path) -> None:
    bucket = configured_bucket()
    asyncio.run(bucket.put(KEY, b"photo", "image/jpeg", {"bot": "1"}))
    assert (tmp_path / "people" / KEY).read_bytes() == b"photo"
    assert bucket.url(KEY) == (tmp_path / "people" / KEY).as_uri()
    with pytest.raises(ValueError, match="only an S3 bucket has signed links"):
        bucket.link(KEY, timedelta(minutes=5))


def test_an_incomplete_bucket_names_the_missing_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, {"S3_BUCKET_NAME": PRIVATE_BUCKET, "S3_ACCESS_KEY_ID": "planted"})
    with pytest.raises(SettingsError, match="S3_ENDPOINT_URL, S3_SECRET_ACCESS_KEY") as refused:
        load_user_media_settings()
    assert "planted" not in str(refused.value)


def _set(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
