"""The output of steps: in a folder, or in a bucket that every machine reads."""

from pathlib import Path

import dagster as dg
import pytest

from unde_catalog.settings.environment import SettingsError
from unde_catalog_tests.support.s3_servers import BUCKET, running_rclone, s3_environment
from unde_catalog_tests.support.servers import PROJECT, Server

LOGS = "unde-logs"
KEY = ["a-run", "compute_logs", "originals"]


@pytest.fixture
def home(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A DAGSTER_HOME with the project's dagster.yaml."""
    database = server.new_database(migrated=False)
    folder = tmp_path / "dagster"
    folder.mkdir()
    (folder / "dagster.yaml").symlink_to(PROJECT / "dagster.yaml")
    monkeypatch.setenv("DAGSTER_DB_URL", server.past_poolers(database))
    monkeypatch.setenv("DAGSTER_HOME", str(folder))
    monkeypatch.setenv("UNDE_HOME", str(tmp_path / "one"))
    yield folder
    server.drop(database)


def write(instance: dg.DagsterInstance, text: str) -> None:
    with instance.compute_log_manager.capture_logs(KEY):
        print(text, end="", flush=True)


def read(instance: dg.DagsterInstance) -> str:
    return (instance.compute_log_manager.get_log_data(KEY).stdout or b"").decode()


def test_without_a_bucket_output_is_in_the_home_folder(home: Path) -> None:
    with dg.DagsterInstance.get() as instance:
        write(instance, "downloaded 12 photos\n")
        assert read(instance) == "downloaded 12 photos\n"
    assert [path.read_text() for path in (home / "storage").rglob("*.out")] == ["downloaded 12 photos\n"]


def test_another_machine_reads_the_output_from_the_bucket(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMPUTE_LOGS_BUCKET", LOGS)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of another program")
    (tmp_path / "s3" / LOGS).mkdir(parents=True)
    with running_rclone(tmp_path / "s3") as server:
        for name, value in s3_environment(server.url).items():
            monkeypatch.setenv(name, value)
        with dg.DagsterInstance.get() as instance:
            write(instance, "downloaded 12 photos\n")
        monkeypatch.setenv("UNDE_HOME", str(tmp_path / "two"))
        with dg.DagsterInstance.get() as other:
            assert read(other) == "downloaded 12 photos\n"
            other.compute_log_manager.delete_logs(prefix=KEY[:1])
            assert not list((tmp_path / "s3" / LOGS).rglob("*.out"))
        assert not list((tmp_path / "s3" / BUCKET).rglob("*"))
    assert not list(home.rglob("*.out"))


def test_logs_never_go_to_the_bucket_of_photos(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPUTE_LOGS_BUCKET", BUCKET)
    for name, value in s3_environment("http://127.0.0.1:9").items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match="expected another bucket than S3_BUCKET"), dg.DagsterInstance.get() as one:
        one.compute_log_manager.get_log_data(KEY)


def test_a_bucket_without_a_store_is_an_error(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPUTE_LOGS_BUCKET", LOGS)
    with pytest.raises(SettingsError, match="S3_ENDPOINT: required"), dg.DagsterInstance.get() as one:
        one.compute_log_manager.get_log_data(KEY)
