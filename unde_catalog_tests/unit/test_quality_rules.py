"""What the rules about the house and the stages' rhythm say of plain figures."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from unde_catalog.operations.quality.collection import counted_from
from unde_catalog.operations.quality.freshness import fresh
from unde_catalog.operations.quality.system import (
    FreeSpace,
    backup_age,
    disk_space,
    free_space,
    hosts_not_throttled,
    newest_backup,
)
from unde_catalog.stage_specs import STAGES
from unde_catalog.stores.staging.due_work.host_pace import HostState
from unde_catalog.stores.staging.reports.freshness import StageTimes

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
HOME = Path("/srv/unde")


@pytest.mark.parametrize(
    ("free", "holds", "urgency"), [(16, True, "look"), (14, False, "look"), (5, False, "look"), (4, False, "wake")]
)
def test_a_disk_that_fills_is_told_early_and_wakes_somebody_late(free: int, holds: bool, urgency: str) -> None:
    found = disk_space(FreeSpace(HOME, 100_000_000_000, free * 1_000_000_000, 2_000_000_000))
    assert (found.holds, found.urgency) == (holds, urgency)
    assert f"{free}.0 of 100.0 GB ({free}%) are free at /srv/unde; the staging database has 2.0 GB" in found.sentence
    assert holds or "run the job pruning" in found.sentence


def test_a_folder_that_is_not_there_yet_is_judged_by_the_disk_it_will_be_on(tmp_path: Path) -> None:
    assert free_space(tmp_path / "a" / "b", 0).total == free_space(tmp_path, 0).total > 0


@pytest.mark.parametrize(("hours", "holds", "urgency"), [(25, True, "look"), (27, False, "look"), (73, False, "wake")])
def test_a_backup_that_did_not_come_is_told(hours: int, holds: bool, urgency: str) -> None:
    found = backup_age(HOME, NOW - hours * HOUR, NOW, 26 * HOUR)
    assert (found.holds, found.urgency) == (holds, urgency)
    assert holds or "run unde-catalog backup /srv/unde" in found.sentence


def test_only_whole_backups_count(tmp_path: Path) -> None:
    assert newest_backup(tmp_path / "none") is None
    for name, whole in (("20260301T040000Z", True), ("20260302T040000Z", False), (".unfinished-x", True), ("x", True)):
        (tmp_path / name).mkdir()
        if whole:
            (tmp_path / name / "manifest.json").write_text("{}")
    assert newest_backup(tmp_path) == datetime(2026, 3, 1, 4, tzinfo=UTC)
    assert not backup_age(tmp_path, None, NOW, HOUR).holds
    assert "set BACKUP_FOLDER" in backup_age(None, None, NOW, HOUR).sentence


def test_a_host_is_named_while_it_is_slowed_down_and_red_after_an_hour() -> None:
    states = [
        HostState("shop.test", 2.0, "http_403", NOW - HOUR / 2, 7),
        HostState("well.test", 0.0, "http_429", None, 1),
    ]
    found = hosts_not_throttled(states, NOW)
    assert found.holds and found.sentence == "shop.test has been slowed down for 30 minutes (last: http_403)"
    found = hosts_not_throttled(states, NOW + HOUR)
    assert not found.holds and "<BRAND>_USER_AGENT" in found.sentence
    assert hosts_not_throttled(states[1:], NOW).sentence == "1 host at ease, none slowed down"


@pytest.mark.parametrize("stage", STAGES)
def test_a_brand_that_was_never_collected_is_not_late(stage: str) -> None:
    assert fresh(stage, "zara", StageTimes(None, None, None, 0, 0), None).holds


@pytest.mark.parametrize("stage", STAGES)
def test_what_nobody_has_switched_on_wakes_nobody(stage: str) -> None:
    assert fresh(stage, "zara", StageTimes(None, None, None, 0, 100), None).urgency == "look"


def test_what_is_paused_or_not_configured_stands_still_on_purpose() -> None:
    late = StageTimes(100 * HOUR, None, 100 * HOUR, 0, 100)
    assert not fresh("availability", "zara", late, None).holds
    found = fresh("availability", "zara", late, "paused since yesterday")
    assert found.holds and "paused since yesterday" in found.sentence


@pytest.mark.parametrize("there", [0, 1, 2, 7, 100, 5_000])
@pytest.mark.parametrize("guess", [0, 1, 6, 7, 8, 5_000])
def test_records_are_counted_by_asking_for_places(there: int, guess: int) -> None:
    asked: list[int] = []

    def has_place(place: int) -> bool:
        asked.append(place)
        return place <= there

    assert counted_from(guess, has_place) == there
    assert len(asked) <= (2 if guess == there else 30) and 0 not in asked
