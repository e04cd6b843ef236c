"""`unde-catalog user-media` from a terminal: what it prints, and which settings it refuses."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from unde_catalog.services.user_media.subjects import BATCH_RESULT, TRAIN
from unde_catalog_tests.support.s3_servers import ACCESS_KEY, BUCKET, SECRET_KEY, running_rclone, s3_environment
from unde_catalog_tests.support.user_media_service import READY, RESULT_SUBJECTS, Media, send, train, wait_for_results

PROGRAM = str(Path(sys.executable).parent / "unde-catalog")


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command and capture its output."""
    return subprocess.run(
        [PROGRAM, "user-media", *arguments], env={**os.environ, **environment}, capture_output=True, text=True
    )


def private(endpoint: str, bucket: str = "people") -> Mapping[str, str]:
    return {
        "S3_ENDPOINT_URL": endpoint, "S3_ACCESS_KEY_ID": ACCESS_KEY, "S3_SECRET_ACCESS_KEY": SECRET_KEY,
        "S3_BUCKET_NAME": bucket,
    }  # fmt: skip


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UNDE_HOME", str(tmp_path / "home"))


def test_the_schema_command_prints_the_schemas_or_writes_files(tmp_path: Path):
    printed = json.loads(run("schema").stdout)
    assert set(printed) == {"photo_upload_train", "photo_upload_inf", *RESULT_SUBJECTS}
    assert set(printed[TRAIN]["required"]) == {"header", "photos", "bot_id", "user_id", "avatar_id"}
    done = run("schema", "--out", str(tmp_path / "schemas"))
    files = {Path(line).stem: json.loads(Path(line).read_text()) for line in done.stdout.split()}
    assert files == printed


def test_the_asyncapi_command_describes_every_channel_and_message():
    document = json.loads(run("asyncapi").stdout)
    assert document["asyncapi"] == "3.0.0"
    assert {channel["address"] for channel in document["channels"].values()} == {
        "photo_upload_train", "photo_upload_inf", *RESULT_SUBJECTS,
    }  # fmt: skip
    actions = {name: operation["action"] for name, operation in document["operations"].items()}
    assert actions == dict.fromkeys(["photo_upload_train", "photo_upload_inf"], "receive") | dict.fromkeys(
        RESULT_SUBJECTS, "send"
    )
    schemas = document["components"]["schemas"]
    assert {"TrainRequest", "InferenceRequest", "BatchResult", "InferenceResult", "UploadError"} <= set(schemas)
    for reference in references(document):
        target = document
        for part in reference.removeprefix("#/").split("/"):
            target = target[part]


def references(value: Any) -> Iterator[str]:
    """All `$ref`s in a JSON value."""
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from references(one)


def test_serve_refuses_a_missing_token_and_the_catalogue_s_bucket():
    refused = run("serve", TELEGRAM_BOT_TOKEN="")
    assert refused.returncode == 1 and "TELEGRAM_BOT_TOKEN" in refused.stderr
    same = {**s3_environment("http://127.0.0.1:9"), **private("http://127.0.0.1:9", BUCKET)}
    refused = run("serve", TELEGRAM_BOT_TOKEN="1:token", **same)
    assert refused.returncode == 1 and "is the catalogue's bucket, which is public" in refused.stderr


def test_photos_are_stored_in_the_private_bucket_that_is_set(media: Media, tmp_path: Path):
    with running_rclone(tmp_path / "buckets") as store:
        (store.folder / "people").mkdir()
        with media.service(**private(store.url)) as service:
            service.wait_for(READY)
            send(media.nats.url, TRAIN, train("A1"))
            (result,) = wait_for_results(media.nats.url, 1, BATCH_RESULT)
            assert service.end() == 0
        (upload,) = result.json["successful_uploads"]
        assert upload["s3_url"] == f"{store.url}/people/{upload['s3_key']}"
        assert (store.folder / "people" / upload["s3_key"]).stat().st_size == upload["file_size"]
        assert SECRET_KEY not in service.rest()
