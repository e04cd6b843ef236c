"""`unde-catalog objects copy`: everything is copied and verified, or the failures are reported."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from unde_catalog.stores.objects.copying import AT_ONCE, CopyReport, copy_objects
from unde_catalog.stores.objects.directory import directory_store
from unde_catalog.stores.objects.objects import ObjectInfo, ObjectStore, StorageUnavailable, is_usable
from unde_catalog.stores.objects.s3 import s3_store
from unde_catalog_tests.support.s3_servers import (
    ACCESS_KEY,
    BUCKET,
    SECRET_KEY,
    Rclone,
    bucket_at,
    error_response,
    fake_s3,
    running_moto,
    running_rclone,
    s3_environment,
)

JPEG = "image/jpeg"
OBJECTS = {f"originals/zara/{product}/{n}.jpg": f"{product}/{n}".encode() * 50 for product in range(30) for n in (1, 2)}
OBJECTS |= {"collages/zara/1.jpg": b"collage", "manifests/run.parquet": b"PAR1", "empty": b""}


@pytest.fixture
def source(tmp_path: Path) -> ObjectStore:
    store = directory_store(tmp_path / "source")
    for key, data in OBJECTS.items():
        store.put(key, data, JPEG)
    return store


@pytest.fixture
def target(tmp_path: Path) -> ObjectStore:
    return directory_store(tmp_path / "target")


@pytest.fixture
def rclone(tmp_path: Path) -> Iterator[Rclone]:
    with running_rclone(tmp_path / "rclone") as running:
        yield running


def contents(store: ObjectStore) -> dict[str, bytes]:
    return {info.key: store.get(info.key) for info in store.list("")}


def contents_of_ordinary(store: ObjectStore) -> dict[str, bytes]:
    return {info.key: store.get(info.key) for info in store.list("") if is_usable(info.key)}


def copied(count: int, **others: int) -> dict[str, int]:
    return {"copied": count, "present": 0, "vanished": 0, "failed": 0, **others}


def counts(report: CopyReport) -> dict[str, int]:
    return {name: getattr(report, name) for name in ("copied", "present", "vanished", "failed")}


def command(tmp_path: Path, *arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "UNDE_HOME": str(tmp_path / "home"), "COLUMNS": "200", **extra}
    program = [str(Path(sys.executable).parent / "unde-catalog"), "objects", "copy", *arguments]
    return subprocess.run(program, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("content", [True, False])
def test_a_copy_of_a_copy_is_the_same_as_the_source(
    source: ObjectStore, target: ObjectStore, rclone: Rclone, content: bool
):
    bucket = s3_store(bucket_at(rclone.url))
    report = copy_objects(source, bucket, content=content)
    assert counts(report) == copied(len(OBJECTS)) and report.complete
    assert report.bytes_copied == sum(map(len, OBJECTS.values()))
    assert copy_objects(bucket, target, content=content).complete
    assert contents(target) == contents(bucket) == OBJECTS


def test_objects_get_the_content_type_of_their_name(source: ObjectStore):
    with running_moto() as moto:
        assert copy_objects(source, s3_store(bucket_at(moto.url))).complete
        types = {key: moto.client.head_object(Bucket=BUCKET, Key=key)["ContentType"] for key in OBJECTS}
    assert {types[key] for key in OBJECTS if key.endswith(".jpg")} == {JPEG}
    assert types["manifests/run.parquet"] == "application/vnd.apache.parquet"
    assert types["empty"] == "application/octet-stream"


@pytest.mark.parametrize("content", [True, False])
def test_a_second_copy_writes_only_what_is_missing_or_different(
    source: ObjectStore, target: ObjectStore, content: bool
):
    assert copy_objects(source, target).complete
    target.delete(["empty"])
    target.put("collages/zara/1.jpg", b"too short", JPEG)
    report = copy_objects(source, target, content=content)
    assert counts(report) == copied(2, present=len(OBJECTS) - 2)
    assert contents(target) == OBJECTS


def test_same_size_but_different_content_is_found_by_reading(source: ObjectStore, target: ObjectStore):
    assert copy_objects(source, target).complete
    target.put("collages/zara/1.jpg", b"COLLAGE", JPEG)
    assert counts(copy_objects(source, target, content=False)) == copied(0, present=len(OBJECTS))
    assert counts(copy_objects(source, target)) == copied(1, present=len(OBJECTS) - 1)
    assert contents(target) == OBJECTS


def test_by_size_a_newer_source_is_copied_again(source: ObjectStore, target: ObjectStore, tmp_path: Path):
    assert copy_objects(source, target).complete
    later = (datetime.now(UTC) + timedelta(minutes=1)).timestamp()
    os.utime(tmp_path / "source" / "empty", (later, later))
    assert counts(copy_objects(source, target, content=False)) == copied(1, present=len(OBJECTS) - 1)


def test_a_prefix_is_a_folder(source: ObjectStore, target: ObjectStore):
    assert counts(copy_objects(source, target, "originals/zara/1")) == copied(2)
    assert set(contents(target)) == {"originals/zara/1/1.jpg", "originals/zara/1/2.jpg"}


def test_a_target_that_stores_something_else_is_detected(source: ObjectStore):
    with fake_s3() as fake:
        fake.garbled_key = "collages/zara/1.jpg"
        report = copy_objects(source, s3_store(bucket_at(fake.url)))
    assert counts(report) == copied(len(OBJECTS) - 1, failed=1) and not report.complete
    assert report.failures == ["collages/zara/1.jpg: the target does not have what was written"]


def test_one_bad_object_does_not_stop_the_others(source: ObjectStore, target: ObjectStore, tmp_path: Path):
    (tmp_path / "source" / "a bad name.jpg").write_bytes(b"x")
    (tmp_path / "target" / "empty").mkdir()  # where an object must be
    report = copy_objects(source, target)
    assert counts(report) == copied(len(OBJECTS) - 1, failed=2) and not report.stopped
    assert any("not an object key: 'a bad name.jpg'" in failure for failure in report.failures)
    assert any("there is a folder where an object must be" in failure for failure in report.failures)


def test_objects_with_foreign_keys_are_reported_and_the_others_copied(
    source: ObjectStore, target: ObjectStore, tmp_path: Path
):
    odd = ["originals/zara/1/a b.jpg", "originals/zara/1/tab\t.jpg", "originals/zara/1/50%.jpg", "originals/zara/1/x#1"]
    for key in odd:
        path = Path(source.where) / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"odd")
    before = len(contents_of_ordinary(source))
    report = copy_objects(source, target)
    assert (report.copied, report.failed) == (before, len(odd))
    assert sorted(report.failures) == sorted(f"not an object key: {key!r}" for key in odd)
    assert contents(target) == contents_of_ordinary(source)


def test_an_unavailable_target_stops_the_copy_and_it_can_be_resumed(target: ObjectStore, source: ObjectStore):
    for number in range(300):
        source.put(f"more/{number}", b"x", JPEG)
    with fake_s3() as fake:
        store = s3_store(bucket_at(fake.url))
        fake.responses = [error_response(403, "AccessDenied")] * 10_000
        report = copy_objects(source, store)
        assert report.stopped and not report.complete and report.failed < 100 and len(report.failures) == 20
        fake.responses.clear()
        assert copy_objects(source, store).complete
        assert len(fake.objects) == len(OBJECTS) + 300


def test_an_unavailable_source_is_reported(source: ObjectStore, target: ObjectStore, tmp_path: Path):
    (tmp_path / "source").rename(tmp_path / "elsewhere")
    with pytest.raises(StorageUnavailable, match="mounted"):
        copy_objects(source, target)


def test_an_object_deleted_from_the_source_meanwhile_is_no_failure(source: ObjectStore, target: ObjectStore):
    head = target.head

    def deleting_head(key: str):
        if key == "empty":
            source.delete([key])
        return head(key)

    target.head = deleting_head
    report = copy_objects(source, target)
    assert counts(report) == copied(len(OBJECTS) - 1, vanished=1) and report.complete


def test_listing_does_not_run_ahead_of_copying(source: ObjectStore, target: ObjectStore):
    listed, ahead, objects = [], [], source.list

    def counting(prefix: str) -> Iterator[ObjectInfo]:
        for info in objects(prefix):
            listed.append(info)
            yield info

    source.list = counting
    assert copy_objects(source, target, on_progress=lambda so_far: ahead.append(len(listed) - so_far.seen)).complete
    assert len(ahead) == len(OBJECTS) > 3 * AT_ONCE and max(ahead) < 2 * AT_ONCE


@pytest.mark.slow
def test_the_command_copies_to_a_bucket_and_on_to_another_store(tmp_path: Path, rclone: Rclone):
    store = directory_store(tmp_path / "home" / "objects")
    for key, data in OBJECTS.items():
        store.put(key, data, JPEG)
    expected = f"{len(OBJECTS)} copied"
    target = {f"COPY_TO_{name}": value for name, value in s3_environment(rclone.url).items()}
    run = command(tmp_path, "--to", f"s3://{BUCKET}", **target)
    assert run.returncode == 0 and expected in run.stdout, run.stderr
    run = command(tmp_path, "--from", f"s3://{BUCKET}", "--to", str(tmp_path / "back"), **s3_environment(rclone.url))
    assert run.returncode == 0 and expected in run.stdout, run.stderr
    assert contents(directory_store(tmp_path / "back")) == OBJECTS
    run = command(tmp_path, "--to", str(tmp_path / "back"), **s3_environment(rclone.url))
    assert run.returncode == 0 and f"{len(OBJECTS)} unchanged" in run.stdout
    (tmp_path / "back" / "collages" / "zara" / "1.jpg").unlink()
    (tmp_path / "back" / "collages" / "zara" / "1.jpg").mkdir()
    run = command(tmp_path, "--to", str(tmp_path / "back"), **s3_environment(rclone.url))
    assert run.returncode == 1 and "collages/zara/1.jpg: " in run.stdout and "1 failed" in run.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--to", "s3://other"), "S3_ENDPOINT or COPY_TO_S3_ENDPOINT: required for s3://other"),
        (("--to", "https://host/bucket"), "is no store: use configured, s3://bucket or a folder"),
        (("--to", "s3://bucket/folder"), "is no store"),
        (("--to", "configured"), "is source and target"),
        (("--to", "there", "--from", "nowhere"), "there is no folder nowhere"),
        (("--to", "there", "--prefix", "originals/zarra"), "has the prefix originals/zarra"),
    ],
)
def test_an_unusable_store_is_reported_in_one_sentence(tmp_path: Path, arguments: tuple[str, ...], message: str):
    run = command(tmp_path, *arguments)
    assert run.returncode == 1 and message in run.stderr and "Traceback" not in run.stderr


@pytest.mark.slow
def test_an_incomplete_second_store_names_what_is_missing(tmp_path: Path, rclone: Rclone):
    run = command(tmp_path, "--to", "s3://other", COPY_TO_S3_ENDPOINT=rclone.url, COPY_TO_S3_ACCESS_KEY=ACCESS_KEY)
    assert run.returncode == 1 and "COPY_TO_S3_SECRET_KEY: required with COPY_TO_S3_ENDPOINT" in run.stderr
    assert ACCESS_KEY not in run.stderr + run.stdout and SECRET_KEY not in run.stderr + run.stdout


@pytest.mark.slow
def test_a_killed_copy_can_be_resumed(tmp_path: Path, source: ObjectStore, rclone: Rclone):
    for number in range(1_000):
        source.put(f"more/{number}", b"x" * 1_000, JPEG)
    program = [str(Path(sys.executable).parent / "unde-catalog"), "objects", "copy", "--from", str(tmp_path / "source")]
    environment = {"PATH": os.environ["PATH"], "UNDE_HOME": str(tmp_path / "home"), **s3_environment(rclone.url)}
    killed = subprocess.Popen([*program, "--to", "configured"], env=environment, cwd=tmp_path, stdout=subprocess.PIPE)
    bucket = s3_store(bucket_at(rclone.url))
    while sum(1 for _ in bucket.list("")) < 50:
        assert killed.poll() is None
    killed.kill()
    killed.communicate()
    before = sum(1 for _ in bucket.list(""))
    report = copy_objects(source, bucket)
    assert report.complete and before < 1_000 and report.present >= before - 8
    assert len(contents(bucket)) == len(OBJECTS) + 1_000
