"""Failures of the bucket during a run: server stopped, keys revoked, no space, bucket deleted."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest

from unde_catalog.definitions import build_definitions
from unde_catalog.settings.environment import load_settings
from unde_catalog.stores.objects import s3
from unde_catalog_tests.support.outages import BRAND, Baseline, Pipeline, run_stages
from unde_catalog_tests.support.s3_servers import (
    ACCESS_KEY,
    BUCKET,
    SECRET_KEY,
    FakeS3,
    Rclone,
    error_response,
    fake_s3,
    running_rclone,
    s3_environment,
)

pytestmark = pytest.mark.slow

AT = 5  # the put at which the failure begins
STAGES = ("originals", "collages")


@pytest.fixture(autouse=True)
def short_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TRY", "_RETRY_FOR", "_FIRST_WAIT", "_LONGEST_WAIT"):
        monkeypatch.setattr(s3, name, getattr(s3, name) / 10)
    monkeypatch.setattr(s3, "_PRESENT_SECONDS", 0.0)


@pytest.fixture
def rclone(tmp_path: Path) -> Iterator[Rclone]:
    with running_rclone(tmp_path / "s3") as running:
        yield running


@pytest.fixture
def pipeline(rclone: Rclone, open_pipeline: Callable[..., Pipeline]) -> Pipeline:
    """A pipeline with its objects in a bucket of rclone."""
    return open_pipeline(objects=rclone.folder / BUCKET, **s3_environment(rclone.url))


def revoke_keys(rclone: Rclone) -> None:
    rclone.stop()
    rclone.set_keys("planted-another", "planted-new")
    rclone.start()


def restore_keys(rclone: Rclone) -> None:
    rclone.stop()
    rclone.set_keys(ACCESS_KEY, SECRET_KEY)
    rclone.start()


TROUBLE = {
    "server gone": (
        Rclone.stop,
        Rclone.start,
        "nothing accepts connections there: start the store, or set S3_ENDPOINT",
    ),
    "keys revoked": (revoke_keys, restore_keys, "the store does not know the access key: set S3_ACCESS_KEY"),
}


@pytest.mark.parametrize("cause", TROUBLE)
def test_a_failing_bucket_stops_the_stages_until_it_is_repaired(
    pipeline: Pipeline, rclone: Rclone, baseline: Baseline, cause: str
) -> None:
    break_store, repair_store, message = TROUBLE[cause]
    run_stages(pipeline)
    for stage in STAGES:
        pipeline.at_put(AT, lambda: break_store(rclone))
        pipeline.expect_stop(stage, rclone.url, message)
        pipeline.assert_nothing_leased()
        pipeline.assert_no_attempts()
        pipeline.reconnect()
        repair_store(rclone)
        pipeline.run(stage)
    pipeline.assert_equals(baseline)


def test_a_server_that_restarts_during_the_run_is_waited_for(
    pipeline: Pipeline, rclone: Rclone, baseline: Baseline
) -> None:
    def restart_later() -> None:
        rclone.stop()
        threading.Thread(target=rclone.start).start()

    run_stages(pipeline)
    for stage in STAGES:
        pipeline.at_put(AT, restart_later)
        assert pipeline.run(stage).released == 0
        pipeline.reconnect()
    pipeline.assert_equals(baseline)


@pytest.fixture
def fake() -> Iterator[FakeS3]:
    with fake_s3() as running:
        yield running


REFUSALS = [
    ((507, "InsufficientStorage"), "the store or its quota is full: free space or raise it"),
    ((404, "NoSuchBucket"), "there is no bucket unde-images: create it, or set S3_BUCKET"),
]


@pytest.mark.parametrize(("error", "message"), REFUSALS)
def test_a_refusing_store_stops_the_stages_and_the_next_run_retries(
    fake: FakeS3, open_pipeline: Callable[..., Pipeline], baseline: Baseline, tmp_path: Path,
    error: tuple[int, str], message: str, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(s3, "_RETRY_FOR", s3._RETRY_FOR / 10)
    pipeline = run_stages(open_pipeline(objects=tmp_path / "objects", **s3_environment(fake.url)))

    def refuse() -> None:
        fake.responses = [error_response(*error)] * 1000

    def copy_to_folder() -> None:
        for key, body in fake.objects.items():
            path = tmp_path / "objects" / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)

    for stage in STAGES:
        pipeline.at_put(AT, refuse)
        pipeline.expect_stop(stage, fake.url, message)
        pipeline.assert_nothing_leased()
        pipeline.assert_no_attempts()
        fake.responses = []
        copy_to_folder()
        pipeline.reconnect()
        pipeline.run(stage)
    copy_to_folder()
    pipeline.assert_equals(baseline)


def test_dagster_reports_the_failure_once_and_a_later_run_succeeds(
    pipeline: Pipeline, rclone: Rclone, baseline: Baseline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "_RETRY_FOR", s3._RETRY_FOR / 10)

    def materialize() -> dg.ExecuteInProcessResult:
        pipeline.system.record_stored_photos()
        job = build_definitions(load_settings()).resolve_implicit_global_asset_job_def()
        return job.execute_in_process(
            asset_selection=[dg.AssetKey("originals")], partition_key=BRAND, instance=instance, raise_on_error=False
        )

    run_stages(pipeline)
    with dg.instance_for_test() as instance:
        rclone.stop()
        (event,) = [event for event in materialize().all_events if event.is_step_failure]
        message = str(event.step_failure_data.error.message)  # type: ignore[union-attr]
        assert f"Failure: originals of {BRAND} stopped: writing {rclone.url}" in message
        assert message.count("nothing accepts connections there: start the store, or set S3_ENDPOINT") == 1, message
        assert "planted" not in str(event)
        pipeline.assert_nothing_leased()
        pipeline.assert_no_attempts()
        rclone.start()
        assert materialize().success
    for manifest in (rclone.folder / BUCKET / "manifests").rglob("*.parquet"):  # the baseline has none
        manifest.unlink()
    pipeline.run("collages")
    pipeline.assert_equals(baseline)
