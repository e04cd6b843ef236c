"""Which notices come of which causes, as a table, and how they read."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from unde_catalog.operations.alerts.fallback import SensorState, alert_due, outage_message
from unde_catalog.operations.alerts.message import message
from unde_catalog.operations.alerts.policy import digest, due_alerts
from unde_catalog.stores.staging.alerts.incidents import Incident

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
UI = "http://someone:planted@ui.test:3000/"
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
ALL = ("bershka", "massimodutti", "oysho", "pullandbear", "stradivarius", "zara")


def cause(
    id: str = "c", *, ago: timedelta = HOUR, last: timedelta = MINUTE, told: timedelta | None = None, **more: Any
) -> Incident:
    """A cause that began `ago`, failed `last` ago and was told of `told` ago."""
    given = Incident(
        id, "run", "originals", "", "the proxy refuses our credentials (407)", NOW - ago, NOW - ago, NOW - last,
        NOW - told if told is not None else None, 1, 0, 1, ("zara",), ("zara",), "run-1",
    )  # fmt: skip
    return replace(given, **more)


CASES: dict[str, tuple[list[Incident], list[str], list[str]]] = {  # what is open -> notices, what is over
    "nothing": ([], [], []),
    "it failed a moment ago, and others may join": ([cause(ago=MINUTE)], [], []),
    "it failed, and the window is over": ([cause(ago=3 * MINUTE)], ["first"], []),
    "it works again before it was told": ([cause(failing=())], ["first"], ["c"]),
    "it is told, and lasts": ([cause(told=HOUR, runs=9)], [], []),
    "it is told, and lasts in one of two brands": ([cause(told=HOUR, brands=("oysho", "zara"))], [], []),
    "it is told, and works again": ([cause(told=HOUR, failing=())], ["over"], ["c"]),
    "it lasts for a day": ([cause(ago=2 * DAY, told=DAY, runs=9)], ["reminder"], []),
    "it lasts for a day in which nothing was tried": ([cause(ago=2 * DAY, told=DAY)], [], []),
    "it was never tried again": ([cause(ago=9 * DAY, last=9 * DAY, told=9 * DAY)], ["over"], ["c"]),
    "it came back": ([cause(returned=1)], ["again"], []),
    "it comes and goes": ([cause(told=HOUR, returned=1, failing=())], [], []),
    "it came and went, and is calm": ([cause(told=8 * HOUR, last=7 * HOUR, returned=1, failing=())], ["over"], ["c"]),
    "a warning": ([cause(kind="warning", check="fresh")], [], []),
    "a warning that holds no more": ([cause(kind="warning", check="fresh", failing=())], [], ["c"]),
    "a failed check": ([cause(kind="check", check="valid_share")], ["first"], []),
    "five causes": ([cause(str(n)) for n in range(5)], ["first"] * 5, []),
    "a thousand causes": ([cause(str(n)) for n in range(1000)], ["first"], []),
    "a thousand are over": (
        [cause(str(n), told=HOUR, failing=()) for n in range(1000)], ["over"], [str(n) for n in range(1000)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_one_notice_for_one_cause(case: str) -> None:
    causes, what, over = CASES[case]
    decision = due_alerts(causes, NOW, 0)
    assert [one.what for one in decision.notices] == what
    assert [one.id for one in decision.over] == over
    told = [one.id for notice in decision.notices for one in notice.causes]
    assert len(told) == len(set(told))
    for notice in decision.notices:
        assert len(message(notice, UI).chat) <= 3_500


def test_after_ten_notices_in_an_hour_new_causes_wait_and_what_is_over_is_still_told() -> None:
    decision = due_alerts([cause("new"), cause("old", told=HOUR, failing=())], NOW, 10)
    assert [(one.what, one.causes[0].id) for one in decision.notices] == [("over", "old")]


def test_who_decides_the_same_twice_writes_the_same_notice() -> None:
    one, other = (due_alerts([cause(told=DAY, ago=2 * DAY, runs=9), cause("n")], NOW, 0).notices for _ in range(2))
    assert [notice.id for notice in one] == [notice.id for notice in other]
    assert len({notice.id for notice in one}) == 2


def test_six_brands_are_one_notice_that_names_them_all() -> None:
    (notice,) = due_alerts([cause(runs=14, brands=ALL, failing=ALL)], NOW, 0).notices
    made = message(notice, UI)
    names = "bershka, massimodutti, oysho, pullandbear, stradivarius, zara"
    assert made.subject == f"originals fails: 14 runs, 6 brands ({names})"
    assert made.text.splitlines() == [
        made.subject,
        "the proxy refuses our credentials (407)",
        "since 2026-03-01 11:00 UTC: http://ui.test:3000/runs/run-1",
    ]
    assert {name: made.fields[name] for name in ("brand", "stage", "reason", "count", "link", "first_at")} == {
        "brand": names, "stage": "originals", "reason": "the proxy refuses our credentials (407)", "count": 14,
        "link": "http://ui.test:3000/runs/run-1", "first_at": "2026-03-01T11:00:00+00:00",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given", "subject"),
    [
        (cause(), "originals fails: 1 run, zara"),
        (cause(failing=()), "originals failed and works again: 1 run, zara"),
        (cause(told=HOUR, ago=2 * HOUR, failing=(), runs=14, brands=ALL[:2]),
         "originals works again, over after 2 hours: 14 runs, 2 brands (bershka, massimodutti)"),
        (cause(told=DAY, ago=3 * DAY, runs=9), "originals still fails after 3 days: 9 runs, zara"),
        (cause(returned=1), "originals fails again: 1 run, zara"),
        (cause(kind="check", check="valid_share", brands=("",)), "the check valid_share of originals fails: 1 run"),
        (cause(ago=9 * DAY, last=9 * DAY, told=9 * DAY),
         "originals has not failed for 9 days, and not worked either: 1 run, zara"),
    ],
)  # fmt: skip
def test_a_subject_says_what_how_often_and_where(given: Incident, subject: str) -> None:
    (notice,) = due_alerts([given], NOW, 0).notices
    assert message(notice, UI).subject == subject


def test_warnings_are_told_together_once_a_day() -> None:
    warnings = [cause(str(n), kind="warning", check=f"check_{n}", reason=f"reason {n}") for n in range(3)]
    notice = digest([*warnings, cause("error"), cause("gone", kind="warning", failing=())], "2026-03-01", NOW)
    assert notice is not None
    made = message(notice, UI)
    assert (notice.id, made.subject) == ("digest-2026-03-01", "3 warnings")
    assert all(f"check_{n} of originals: 1 run, zara\nreason {n}" in made.text for n in range(3))
    assert digest([cause("error")], "2026-03-01", NOW) is None


def test_without_staging_each_channel_is_told_once_an_hour_and_never_of_a_moments_trouble() -> None:
    names = ["webhook", "mail"]
    assert alert_due(SensorState(1, 0, None, NOW - MINUTE), names, NOW) == []
    down = SensorState(1, 0, None, NOW - 3 * MINUTE)
    assert alert_due(down, names, NOW) == names
    told = replace(down, told={"webhook": NOW})
    assert alert_due(told, names, NOW + MINUTE) == ["mail"]
    assert alert_due(told, names, NOW + HOUR) == names
    assert SensorState.of(told.as_text()) == told
    made = [outage_message(told, "it is away", [], NOW + n * MINUTE, UI, str).fields["id"] for n in (0, 1, 61)]
    assert made[0] == made[1] != made[2]
