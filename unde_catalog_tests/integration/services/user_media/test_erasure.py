"""`user-media forget` erases everything of one user, in every layout, and nothing of anyone else."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from unde_catalog.cli.app import app
from unde_catalog.services.user_media import erasure
from unde_catalog.services.user_media.bucket import PrivateBucket
from unde_catalog.services.user_media.erasure import ErasureResult
from unde_catalog.services.user_media.object_keys import inference_key, train_key
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.user_media import media_days, media_requests
from unde_catalog.stores.staging.user_media.media_requests import (
    RequestKey,
    RequestSubject,
    SettledRequest,
    StoredUserPhoto,
)
from unde_catalog_tests.support.s3_servers import Rclone, running_rclone
from unde_catalog_tests.support.user_media import PRIVATE_BUCKET, configured_bucket, nothing_set, private_environment

AT = datetime(2026, 1, 1, tzinfo=UTC)
ERASED = [
    train_key(1, 77, "a", None, file_id="AgAD1", at=AT, extension="jpg"),
    train_key(1, 77, "b", "custom1.jpg", file_id="AgAD2", at=AT, extension="jpg"),
    train_key(2, 77, "a", None, file_id="AgAD3", at=AT, extension="jpg"),
    inference_key(1, 77, "a", None, file_id="AgAD4", at=AT, extension="jpg"),
    inference_key(3, 77, "a", "look.png", file_id="AgAD5", at=AT, extension="png"),
    "77/photos/p1/original.jpg",
    "77/photos/p1/thumb.jpg",
    "77/tryon/t1/result.jpg",
    "77/saved/o1/original.jpg",
]
KEPT = [
    train_key(1, 777, "a", None, file_id="AgAD1", at=AT, extension="jpg"),
    train_key(77, 5, "a", "photo.jpg", file_id="AgAD1", at=AT, extension="jpg"),  # 77 is a bot here
    inference_key(1, 7, "77", None, file_id="AgAD1", at=AT, extension="jpg"),
    inference_key(77, 5, "a", None, file_id="AgAD1", at=AT, extension="jpg"),
    "770/photos/77/original.jpg",
    "5/saved/77/thumb.jpg",
]


@pytest.fixture(scope="module")
def rclone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rclone]:
    folder = tmp_path_factory.mktemp("rclone")
    (folder / PRIVATE_BUCKET).mkdir()
    with running_rclone(folder) as server:
        yield server


@pytest.fixture(params=["folder", "s3"])
def bucket(
    request: pytest.FixtureRequest, rclone: Rclone, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> PrivateBucket:
    """A bucket with photos of user 77 and of others."""
    nothing_set(monkeypatch, tmp_path)
    if request.param == "s3":
        for name, value in private_environment(rclone.url).items():
            monkeypatch.setenv(name, value)
    bucket = configured_bucket()
    bucket.store.delete([info.key for info in bucket.store.list("")])
    for key in ERASED + KEPT:
        bucket.store.put(key, b"photo", "image/jpeg")
    return bucket


def test_all_photos_of_a_user_are_deleted_and_no_others(bucket: PrivateBucket, db: Database) -> None:
    assert erasure.erase(bucket, db, 77) == ErasureResult(training=3, inference=2, app=4, bytes=45)
    assert _keys(bucket) == sorted(KEPT)
    assert erasure.erase(bucket, db, 77) == ErasureResult()


def test_with_a_bot_only_its_photos_are_deleted(bucket: PrivateBucket, db: Database) -> None:
    assert erasure.erase(bucket, db, 77, 1) == ErasureResult(training=2, inference=1, bytes=15)
    assert _keys(bucket) == sorted(ERASED[2:3] + ERASED[4:] + KEPT)


def test_rows_and_results_lose_the_user_and_days_keep_their_counts(bucket: PrivateBucket, db: Database) -> None:
    _record(db, 1, bot=1, user=77, key=ERASED[0])
    _record(db, 2, bot=2, user=77, key=ERASED[2])
    _record(db, 3, bot=1, user=777, key=KEPT[0])
    before = db.run(media_days.days, 3)
    result = erasure.erase(bucket, db, 77)
    assert (result.requests, result.rows) == (2, 2)
    assert db.run(media_days.days, 3) == before
    with db.transaction() as cursor:
        cursor.execute("SELECT user_id, answer FROM user_media_requests ORDER BY sequence")
        assert [(row["user_id"], row["answer"]) for row in cursor.fetchall()] == [
            (None, None), (None, None), (777, b"result 3"),
        ]  # fmt: skip
        cursor.execute("SELECT user_id FROM user_media_photos")
        assert [row["user_id"] for row in cursor.fetchall()] == [777]


def test_a_photo_that_arrives_meanwhile_is_deleted_and_counted(bucket: PrivateBucket, db: Database) -> None:
    late = train_key(9, 77, "a", None, file_id="AgAD9", at=AT, extension="jpg")
    calls: list[ErasureResult] = []

    def store_late(so_far: ErasureResult) -> None:
        if not calls:
            bucket.store.put(late, b"late", "image/jpeg")
        calls.append(so_far)

    result = erasure.erase(bucket, db, 77, progress=store_late)
    assert (result.training, result.arrived, result.left) == (4, 1, 0)
    assert _keys(bucket) == sorted(KEPT)


def test_photos_that_keep_arriving_are_counted_as_left(bucket: PrivateBucket, db: Database) -> None:
    result = erasure.erase(bucket, db, 77, progress=lambda _: bucket.store.put(ERASED[0], b"again", "image/jpeg"))
    assert (result.arrived, result.left) == (1, 1)
    assert erasure.erase(bucket, db, 77) == ErasureResult(training=1, bytes=5)


def test_a_second_run_finishes_an_erasure_that_was_killed(
    bucket: PrivateBucket, db: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _record(db, 1, bot=1, user=77, key=ERASED[0])
    monkeypatch.setenv("STAGING_DB_URL", database_url)
    killed = subprocess.run([sys.executable, "-c", _KILLED_AFTER_THREE], check=False, capture_output=True, text=True)
    assert killed.returncode == -9, killed.stderr
    assert len(_keys(bucket)) < len(ERASED + KEPT)
    result = erasure.erase(bucket, db, 77)
    assert 0 < result.training + result.inference + result.app < len(ERASED)
    assert _keys(bucket) == sorted(KEPT)


def test_no_folder_keeps_the_users_id_as_its_name(bucket: PrivateBucket, db: Database, tmp_path: Path) -> None:
    erasure.erase(bucket, db, 77)
    left = {path.relative_to(tmp_path).as_posix() for path in (tmp_path / "people").rglob("*")}
    assert not any(path.startswith("people/77/photos") or path.endswith("/77") for path in left - _parents(KEPT))


def test_the_command_asks_for_confirmation_and_prints_what_it_deleted(
    bucket: PrivateBucket, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAGING_DB_URL", database_url)
    command = ["user-media", "forget", "77"]
    refused = CliRunner().invoke(app, command, input="n\n")
    assert refused.exit_code == 1
    assert "3 training photos, 2 search photos, 4 objects of the app (45 bytes)" in refused.output
    assert len(_keys(bucket)) == len(ERASED + KEPT)
    done = CliRunner().invoke(app, [*command, "--yes"])
    assert done.exit_code == 0, done.output
    assert "Erased user 77: 3 training photos, 2 search photos, 4 objects of the app (45 bytes)" in done.output
    assert _keys(bucket) == sorted(KEPT)


def test_the_link_command_needs_an_existing_photo_in_s3(bucket: PrivateBucket, request: pytest.FixtureRequest) -> None:
    linked = CliRunner().invoke(app, ["user-media", "link", ERASED[0]])
    if "s3" in request.node.callspec.id:
        assert linked.output.startswith(bucket.url(ERASED[0]) + "?X-Amz-")
    else:
        assert "only an S3 bucket has signed links" in str(linked.exception)
    missing = CliRunner().invoke(app, ["user-media", "link", "1/2/a/none.jpg"])
    assert "there is no photo 1/2/a/none.jpg" in str(missing.exception)


_KILLED_AFTER_THREE = """
import os, signal, threading
from unde_catalog.settings.environment import load_settings
from unde_catalog.stores.objects.objects import ObjectStore
from unde_catalog.services.user_media import erasure
from unde_catalog.backends import Backends
from unde_catalog_tests.support.user_media import configured_bucket

bucket, deleted = configured_bucket(), []
delete, one_at_a_time = bucket.store.delete, threading.Lock()
def delete_until_killed(keys):
    with one_at_a_time:
        if len(deleted) == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        delete(keys)
        deleted.append(keys)
bucket.store.delete = delete_until_killed
with Backends(load_settings()) as backends:
    erasure.erase(bucket, backends.db, 77)
"""


def _keys(bucket: PrivateBucket) -> list[str]:
    return sorted(info.key for info in bucket.store.list(""))


def _parents(keys: list[str]) -> set[str]:
    return {f"people/{'/'.join(key.split('/')[:n])}" for key in keys for n in range(1, key.count("/") + 2)}


def _record(db: Database, sequence: int, *, bot: int, user: int, key: str) -> None:
    """Record a request with one stored photo and its result."""
    request = RequestKey("PHOTO_REQUESTS", sequence, AT)
    db.run(media_requests.claim, request, RequestSubject("train", bot, user, "a", "batch", 5, 1))
    db.run(
        media_requests.record_photo,
        request,
        StoredUserPhoto(0, "AgAD1", "unique", key, 5, "ab" * 32, "image/jpeg", 0.1),
    )
    body = f"result {sequence}".encode()
    db.run(
        media_requests.settle,
        request,
        SettledRequest("answered", "photo_upload_result", body, stored=1, bytes=5, seconds=0.2),
    )
