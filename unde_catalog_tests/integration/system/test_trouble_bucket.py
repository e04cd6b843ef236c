"""The bucket in trouble in the middle of a run: its server gone, keys revoked, no space, the bucket deleted."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest

from unde_catalog.definitions import build_definitions
from unde_catalog.settings.environment import load_settings
from unde_catalog.stores.objects import s3
from unde_catalog_tests.support.outages import BRAND, Line, Undisturbed, collected
from unde_catalog_tests.support.s3_servers import (
    ACCESS_KEY,
    BUCKET,
    SECRET_KEY,
    OddS3,
    Rclone,
    odd_s3,
    refusal,
    running_rclone,
    s3_environment,
)

pytestmark = pytest.mark.slow

AT = 5  # the put at which it begins
STAGES = ("originals", "collages")


@pytest.fixture(autouse=True)
def a_tenth_of_the_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_TRY", "_RETRY_FOR", "_FIRST_WAIT", "_LONGEST_WAIT"):
        monkeypatch.setattr(s3, name, getattr(s3, name) / 10)
    monkeypatch.setattr(s3, "_ALIVE_SECONDS", 0.0)


@pytest.fixture
def rclone(tmp_path: Path) -> Iterator[Rclone]:
    with running_rclone(tmp_path / "s3") as running:
        yield running


@pytest.fixture
def line(rclone: Rclone, open_line: Callable[..., Line]) -> Line:
    """A line whose objects are in a bucket there."""
    return open_line(objects=rclone.folder / BUCKET, **s3_environment(rclone.url))


def revoke(rclone: Rclone) -> None:
    rclone.stop()
    rclone.accept("planted-another", "planted-new")
    rclone.start()


def admit(rclone: Rclone) -> None:
    rclone.stop()
    rclone.accept(ACCESS_KEY, SECRET_KEY)
    rclone.start()


TROUBLE = {
    "server gone": (
        Rclone.stop,
        Rclone.start,
        "nothing accepts connections there: start the store, or set S3_ENDPOINT",
    ),
    "keys revoked": (revoke, admit, "the store does not know the access key: set S3_ACCESS_KEY"),
}


@pytest.mark.parametrize("cause", TROUBLE)
def test_a_bucket_in_trouble_stops_the_stages_and_the_same_commands_finish_when_it_is_well(
    line: Line, rclone: Rclone, undisturbed: Undisturbed, cause: str
) -> None:
    begins, ends, said = TROUBLE[cause]
    collected(line)
    for stage in STAGES:
        line.at_put(AT, lambda: begins(rclone))
        line.stopped(stage, rclone.url, said)
        line.nothing_is_leased()
        line.nothing_was_tried()
        line.reconnect()
        ends(rclone)
        line.run(stage)
    line.is_as(undisturbed)


def test_a_server_that_comes_back_within_the_run_is_waited_for(
    line: Line, rclone: Rclone, undisturbed: Undisturbed
) -> None:
    def gone_for_a_while() -> None:
        rclone.stop()
        threading.Thread(target=rclone.start).start()

    collected(line)
    for stage in STAGES:
        line.at_put(AT, gone_for_a_while)
        assert line.run(stage).released == 0
        line.reconnect()
    line.is_as(undisturbed)


@pytest.fixture
def odd() -> Iterator[OddS3]:
    with odd_s3() as running:
        yield running


REFUSALS = [
    ((507, "InsufficientStorage"), "the store or its quota is full: free space or raise it"),
    ((404, "NoSuchBucket"), "there is no bucket unde-images: create it, or set S3_BUCKET"),
]


@pytest.mark.parametrize(("answer", "said"), REFUSALS)
def test_a_store_that_says_no_stops_the_stages_and_is_tried_again_by_the_same_commands(
    odd: OddS3, open_line: Callable[..., Line], undisturbed: Undisturbed, tmp_path: Path,
    answer: tuple[int, str], said: str, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(s3, "_RETRY_FOR", s3._RETRY_FOR / 10)
    line = collected(open_line(objects=tmp_path / "seen", **s3_environment(odd.url)))

    def says_no() -> None:
        odd.answers = [refusal(*answer)] * 1000

    def look() -> None:
        for key, body in odd.objects.items():
            path = tmp_path / "seen" / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)

    for stage in STAGES:
        line.at_put(AT, says_no)
        line.stopped(stage, odd.url, said)
        line.nothing_is_leased()
        line.nothing_was_tried()
        odd.answers = []
        look()
        line.reconnect()
        line.run(stage)
    look()
    line.is_as(undisturbed)


def test_dagster_says_it_once_and_the_same_materialization_finishes(
    line: Line, rclone: Rclone, undisturbed: Undisturbed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "_RETRY_FOR", s3._RETRY_FOR / 10)

    def materialize() -> dg.ExecuteInProcessResult:
        line.house.look()
        job = build_definitions(load_settings()).resolve_implicit_global_asset_job_def()
        return job.execute_in_process(
            asset_selection=[dg.AssetKey("originals")], partition_key=BRAND, instance=instance, raise_on_error=False
        )

    collected(line)
    with dg.instance_for_test() as instance:
        rclone.stop()
        (event,) = [event for event in materialize().all_events if event.is_step_failure]
        told = str(event.step_failure_data.error.message)  # type: ignore[union-attr]
        assert f"Failure: originals of {BRAND} stopped: writing {rclone.url}" in told
        assert told.count("nothing accepts connections there: start the store, or set S3_ENDPOINT") == 1, told
        assert "planted" not in str(event)
        line.nothing_is_leased()
        line.nothing_was_tried()
        rclone.start()
        assert materialize().success
    for manifest in (rclone.folder / BUCKET / "manifests").rglob("*.parquet"):  # an undisturbed line here has none
        manifest.unlink()
    line.run("collages")
    line.is_as(undisturbed)
