"""People's photos from end to end: a real NATS server, the sandbox's Bot API, PostgreSQL, and the service's process."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from unde_catalog.user_media.subjects import BATCH_RESULT, INFERENCE, INFERENCE_RESULT, TRAIN
from unde_catalog_tests.due import poll
from unde_catalog_tests.nats_servers import NatsServer, running_nats
from unde_catalog_tests.people import TAKING, answers, running_service, send, single, train
from unde_catalog_tests.servers import Sandbox


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[NatsServer]:
    with running_nats(tmp_path / "nats") as server:
        yield server


@pytest.fixture
def environment(sandbox: Sandbox, configured: Any, nats: NatsServer) -> dict[str, str]:
    """Photos lie in a folder of the test's home."""
    return {**configured(sandbox), "NATS_URL": nats.url}


def photos(environment: dict[str, str]) -> dict[str, str]:
    """What lies in the private folder: key -> SHA-256."""
    folder = Path(environment["UNDE_HOME"]) / "people"
    return {
        file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.rglob("*")
        if file.is_file() and not file.name.startswith(".")
    }


def test_a_batch_and_a_single_photo_are_stored_and_answered(environment, nats, db):
    with running_service(environment) as service:
        service.wait_for(TAKING)
        send(nats.url, TRAIN, train("AgAC-one", "AgAC-two"))
        send(nats.url, INFERENCE, single("AgAC-three"))
        batch, one = (said.json for said in answers(nats.url, 2, BATCH_RESULT, INFERENCE_RESULT))
        poll(db.url, "SELECT count(*) = 2 FROM user_media_requests WHERE state = 'answered'")
        assert service.end() == 0
    assert batch["message"] == "Batch processing completed: 2/2 files successful"
    assert one["message"] == "Photo uploaded successfully"
