"""`unde-catalog user-media` from a terminal: what it prints, and what it refuses to start with."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from unde_catalog.services.user_media.subjects import BATCH_RESULT, TRAIN
from unde_catalog_tests.support.s3_servers import ACCESS_KEY, BUCKET, SECRET_KEY, running_rclone, s3_environment
from unde_catalog_tests.support.user_media_service import ANSWERS, TAKING, Media, answers, send, train

PROGRAM = str(Path(sys.executable).parent / "unde-catalog")


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command; its standard output and errors."""
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


def test_the_messages_are_printed_as_schemas_and_written_as_files(tmp_path: Path):
    printed = json.loads(run("schema").stdout)
    assert set(printed) == {"photo_upload_train", "photo_upload_inf", *ANSWERS}
    assert set(printed[TRAIN]["required"]) == {"header", "photos", "bot_id", "user_id", "avatar_id"}
    done = run("schema", "--out", str(tmp_path / "schemas"))
    files = {Path(line).stem: json.loads(Path(line).read_text()) for line in done.stdout.split()}
    assert files == printed


def test_the_service_is_described_as_asyncapi():
    described = json.loads(run("asyncapi").stdout)
    assert described["asyncapi"] == "3.0.0"
    assert {channel["address"] for channel in described["channels"].values()} == {
        "photo_upload_train", "photo_upload_inf", *ANSWERS,
    }  # fmt: skip
    shapes = described["components"]["schemas"]
    assert {"TrainRequest", "InferenceRequest", "BatchResult", "InferenceResult", "UploadError"} <= set(shapes)


def test_without_a_token_or_with_the_catalogue_s_bucket_nothing_is_served():
    refused = run("serve", TELEGRAM_BOT_TOKEN="")
    assert refused.returncode == 1 and "TELEGRAM_BOT_TOKEN: wanted" in refused.stderr
    ours = {**s3_environment("http://127.0.0.1:9"), **private("http://127.0.0.1:9", BUCKET)}
    refused = run("serve", TELEGRAM_BOT_TOKEN="1:token", **ours)
    assert refused.returncode == 1 and "is the catalogue's bucket, which anyone may read" in refused.stderr


def test_with_a_private_bucket_photos_lie_there_and_the_answer_says_where(media: Media, tmp_path: Path):
    with running_rclone(tmp_path / "buckets") as store:
        (store.folder / "people").mkdir()
        with media.service(**private(store.url)) as service:
            service.wait_for(TAKING)
            send(media.nats.url, TRAIN, train("A1"))
            (answer,) = answers(media.nats.url, 1, BATCH_RESULT)
            assert service.end() == 0
        (upload,) = answer.json["successful_uploads"]
        assert upload["s3_url"] == f"{store.url}/people/{upload['s3_key']}"
        assert (store.folder / "people" / upload["s3_key"]).stat().st_size == upload["file_size"]
        assert SECRET_KEY not in service.rest()
