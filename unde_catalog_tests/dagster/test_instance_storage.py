"""The instance's storage where it differs from dagster-postgres."""

from pathlib import Path

import dagster as dg
import pytest

from unde_catalog_tests.support.servers import PROJECT, Server


def test_a_pool_that_another_run_has_just_created_is_no_failure(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = server.new_database(migrated=False)
    monkeypatch.setenv("DAGSTER_DB_URL", server.past_poolers(database))
    (tmp_path / "dagster.yaml").symlink_to(PROJECT / "dagster.yaml")
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        storage = instance.event_log_storage
        assert [storage.initialize_concurrency_limit_to_default("photo_hosts") for _ in range(2)] == [True, True]
        assert [(one.name, one.limit) for one in storage.get_pool_limits()] == [("photo_hosts", 7)]
    server.drop(database)
