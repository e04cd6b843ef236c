"""The rules about the system, freshness and Ximilar's collection, evaluated on plain figures."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from unde_catalog.operations.quality.collection import find_count
from unde_catalog.operations.quality.freshness import fresh
from unde_catalog.operations.quality.system import (
    FreeSpace,
    backup_age,
    disk_space,
    free_space,
    hosts_not_throttled,
)
from unde_catalog.operations.upkeep.backup_folder import newest_backup
from unde_catalog.stage_specs import STAGES
from unde_catalog.stores.staging.due_work.host_pace import HostState
from unde_catalog.stores.staging.reports.freshness import StageTimes

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
HOME = Path("/srv/unde")


@pytest.mark.parametrize(
    ("free", "passed", "urgency"), [(16, True, "warn"), (14, False, "warn"), (5, False, "warn"), (4, False, "alert")]
)
def test_little_disk_space_is_a_warning_and_very_little_an_alert(free: int, passed: bool, urgency: str) -> None:
    found = disk_space(FreeSpace(HOME, 100_000_000_000, free * 1_000_000_000, 2_000_000_000))
    assert (found.passed, found.urgency) == (passed, urgency)
    assert f"{free}.0 of 100.0 GB ({free}%) are free at /srv/unde. The staging database has 2.0 GB." in found.message
    assert passed or "run the job prune_history" in found.message


def test_free_space_of_a_missing_folder_is_that_of_its_parent(tmp_path: Path) -> None:
    assert free_space(tmp_path / "a" / "b", 0).total == free_space(tmp_path, 0).total > 0


@pytest.mark.parametrize(
    ("hours", "passed", "urgency"), [(25, True, "warn"), (27, False, "warn"), (73, False, "alert")]
)
def test_an_old_backup_is_a_warning_and_then_an_alert(hours: int, passed: bool, urgency: str) -> None:
    found = backup_age(HOME, NOW - hours * HOUR, NOW, 26 * HOUR)
    assert (found.passed, found.urgency) == (passed, urgency)
    assert passed or "Run unde-catalog backup /srv/unde" in found.message


def test_only_complete_backups_count(tmp_path: Path) -> None:
    assert newest_backup(tmp_path / "none") is None
    for name, complete in (
        ("20260301T040000Z", True),
        ("20260302T040000Z", False),
        (".unfinished-x", True),
        ("x", True),
    ):
        (tmp_path / name).mkdir()
        if complete:
            (tmp_path / name / "manifest.json").write_text("{}")
    assert newest_backup(tmp_path) == datetime(2026, 3, 1, 4, tzinfo=UTC)
    assert not backup_age(tmp_path, None, NOW, HOUR).passed
    assert "set BACKUP_FOLDER" in backup_age(None, None, NOW, HOUR).message


def test_a_throttled_host_fails_the_check_after_an_hour() -> None:
    states = [
        HostState("shop.test", 2.0, "http_403", NOW - HOUR / 2, 7),
        HostState("well.test", 0.0, "http_429", None, 1),
    ]
    found = hosts_not_throttled(states, NOW)
    assert found.passed and found.message == "shop.test has been throttled for 30 minutes (last reason: http_403)."
    found = hosts_not_throttled(states, NOW + HOUR)
    assert not found.passed and "<BRAND>_USER_AGENT" in found.message
    assert hosts_not_throttled(states[1:], NOW).message == "None of 1 host is throttled."


@pytest.mark.parametrize("stage", STAGES)
def test_a_brand_that_was_never_collected_is_not_late(stage: str) -> None:
    assert fresh(stage, "zara", StageTimes(None, None, None, 0, 0), None).passed


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_that_never_ran_raises_no_alert(stage: str) -> None:
    assert fresh(stage, "zara", StageTimes(None, None, None, 0, 100), None).urgency == "warn"


def test_a_paused_stage_is_never_late() -> None:
    late = StageTimes(100 * HOUR, None, 100 * HOUR, 0, 100)
    assert not fresh("availability", "zara", late, None).passed
    found = fresh("availability", "zara", late, "paused since yesterday")
    assert found.passed and "paused since yesterday" in found.message


@pytest.mark.parametrize("count", [0, 1, 2, 7, 100, 5_000])
@pytest.mark.parametrize("guess", [0, 1, 6, 7, 8, 5_000])
def test_records_are_counted_by_asking_for_single_positions(count: int, guess: int) -> None:
    requested: list[int] = []

    def has_record_at(position: int) -> bool:
        requested.append(position)
        return position <= count

    assert find_count(guess, has_record_at) == count
    assert len(requested) <= (2 if guess == count else 30) and 0 not in requested
