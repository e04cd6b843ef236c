"""Which alerts are due for which incidents, as a table, and the texts of the alerts."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from unde_catalog.operations.alerts.fallback import SensorState, channels_to_notify, outage_message, recovery_message
from unde_catalog.operations.alerts.message import alert_message
from unde_catalog.operations.alerts.policy import digest, due_alerts
from unde_catalog.stores.staging.alerts.incidents import FailureEvent, Incident

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
UI = "http://someone:planted@ui.test:3000/"
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
ALL = ("bershka", "massimodutti", "oysho", "pullandbear", "stradivarius", "zara")
REASON = "the proxy refused the credentials (407)"


def incident(
    id: str = "c", *, ago: timedelta = HOUR, last: timedelta = MINUTE, alerted: timedelta | None = None, **more: Any
) -> Incident:
    """An incident that began `ago`, whose last failure was `last` ago and whose last alert was `alerted` ago."""
    default = Incident(
        id, "run", "originals", "", REASON, NOW - ago, NOW - ago, NOW - last,
        NOW - alerted if alerted is not None else None, 1, 0, 1, ("zara",), ("zara",), "run-1",
    )  # fmt: skip
    return replace(default, **more)


CASES: dict[str, tuple[list[Incident], list[str], list[str]]] = {  # open incidents -> alerts, resolved incidents
    "nothing": ([], [], []),
    "new, other brands may follow": ([incident(ago=MINUTE)], [], []),
    "new, after the initial delay": ([incident(ago=3 * MINUTE)], ["first"], []),
    "new, its last failure is older than the initial delay": (
        [incident(ago=MINUTE, last=3 * MINUTE)], ["first"], [],
    ),
    "works again before the first alert": ([incident(failing=())], ["first"], ["c"]),
    "alerted, continues": ([incident(alerted=HOUR, runs=9)], [], []),
    "alerted, continues in one of two brands": ([incident(alerted=HOUR, brands=("oysho", "zara"))], [], []),
    "alerted, works again": ([incident(alerted=HOUR, failing=())], ["over"], ["c"]),
    "continues for a day": ([incident(ago=2 * DAY, alerted=DAY, runs=9)], ["reminder"], []),
    "continues for a day without a new run": ([incident(ago=2 * DAY, alerted=DAY)], [], []),
    "no run for eight days": ([incident(ago=9 * DAY, last=9 * DAY, alerted=9 * DAY)], ["over"], ["c"]),
    "returned": ([incident(returned=1)], ["again"], []),
    "returned, works since a minute": ([incident(alerted=HOUR, returned=1, failing=())], [], []),
    "returned, works since hours": (
        [incident(alerted=8 * HOUR, last=7 * HOUR, returned=1, failing=())], ["over"], ["c"],
    ),
    "a warning": ([incident(kind="warning", check="fresh")], [], []),
    "a resolved warning": ([incident(kind="warning", check="fresh", failing=())], [], ["c"]),
    "a failed check": ([incident(kind="check", check="valid_share")], ["first"], []),
    "five incidents": ([incident(str(n)) for n in range(5)], ["first"] * 5, []),
    "a thousand incidents": ([incident(str(n)) for n in range(1000)], ["first"], []),
    "a thousand resolved incidents": (
        [incident(str(n), alerted=HOUR, failing=()) for n in range(1000)], ["over"], [str(n) for n in range(1000)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_each_incident_gets_one_alert(case: str) -> None:
    incidents, what, resolved = CASES[case]
    decision = due_alerts(incidents, NOW, 0)
    assert [alert.what for alert in decision.alerts] == what
    assert [one.id for one in decision.resolved] == resolved
    ids = [one.id for alert in decision.alerts for one in alert.incidents]
    assert len(ids) == len(set(ids))
    for alert in decision.alerts:
        assert len(alert_message(alert, UI).chat) <= 3_500


def test_after_ten_alerts_in_an_hour_only_resolved_incidents_are_reported() -> None:
    decision = due_alerts([incident("new"), incident("old", alerted=HOUR, failing=())], NOW, 10)
    assert [(alert.what, alert.incidents[0].id) for alert in decision.alerts] == [("over", "old")]


def test_the_same_decision_gives_alerts_with_the_same_ids() -> None:
    incidents = [incident(alerted=DAY, ago=2 * DAY, runs=9), incident("n")]
    one, other = (due_alerts(incidents, NOW, 0).alerts for _ in range(2))
    assert [alert.id for alert in one] == [alert.id for alert in other]
    assert len({alert.id for alert in one}) == 2


def test_six_brands_are_one_alert_that_names_them_all() -> None:
    (alert,) = due_alerts([incident(runs=14, brands=ALL, failing=ALL)], NOW, 0).alerts
    message = alert_message(alert, UI)
    names = "bershka, massimodutti, oysho, pullandbear, stradivarius, zara"
    assert message.subject == f"originals is failing: 14 failed runs of {names}"
    assert message.text.splitlines() == [
        message.subject,
        REASON,
        "First failure 2026-03-01 11:00 UTC, last run http://ui.test:3000/runs/run-1",
    ]
    assert {name: message.fields[name] for name in ("brand", "stage", "reason", "count", "link", "first_at")} == {
        "brand": names, "stage": "originals", "reason": REASON, "count": 14,
        "link": "http://ui.test:3000/runs/run-1", "first_at": "2026-03-01T11:00:00+00:00",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("one", "subject"),
    [
        (incident(), "originals is failing: 1 failed run of zara"),
        (incident(failing=()), "originals failed and works again: 1 failed run of zara"),
        (incident(alerted=HOUR, ago=2 * HOUR, failing=(), runs=14, brands=ALL[:2]),
         "originals works again after 2 hours: 14 failed runs of bershka, massimodutti"),
        (incident(alerted=DAY, ago=3 * DAY, runs=9),
         "originals is still failing after 3 days: 9 failed runs of zara"),
        (incident(returned=1), "originals is failing again: 1 failed run of zara"),
        (incident(kind="check", check="valid_share", brands=("",)), "check valid_share of originals is failing: 1 run"),
        (incident(ago=9 * DAY, last=9 * DAY, alerted=9 * DAY),
         "originals has neither failed nor succeeded for 9 days, closed: 1 failed run of zara"),
    ],
)  # fmt: skip
def test_a_subject_says_what_failed_how_often_and_where(one: Incident, subject: str) -> None:
    (alert,) = due_alerts([one], NOW, 0).alerts
    assert alert_message(alert, UI).subject == subject


@pytest.mark.parametrize(
    ("more", "subject"),
    [
        ({}, "6 new incidents: originals"),
        ({"returned": 1}, "6 incidents are back: originals"),
        ({"alerted": HOUR, "failing": ()}, "6 incidents resolved: originals"),
        ({"alerted": DAY, "ago": 2 * DAY, "runs": 9}, "6 incidents are still open: originals"),
    ],
)
def test_the_subject_of_a_combined_alert_counts_the_incidents(more: dict[str, Any], subject: str) -> None:
    (alert,) = due_alerts([incident(str(n), **more) for n in range(6)], NOW, 0).alerts
    assert alert_message(alert, UI).subject == subject


def test_warnings_are_sent_together_once_a_day() -> None:
    warnings = [incident(str(n), kind="warning", check=f"check_{n}", reason=f"reason {n}") for n in range(3)]
    alert = digest([*warnings, incident("error"), incident("gone", kind="warning", failing=())], "2026-03-01", NOW)
    assert alert is not None
    message = alert_message(alert, UI)
    assert (alert.id, message.subject) == ("digest-2026-03-01", "Daily digest: 3 warnings")
    assert all(f"- check check_{n} of originals: 1 run of zara\nreason {n}" in message.text for n in range(3))
    assert digest([incident("error")], "2026-03-01", NOW) is None


def test_an_outage_of_staging_is_reported_once_an_hour_to_each_channel() -> None:
    names = ["webhook", "mail"]
    assert channels_to_notify(SensorState(1, 0, None, NOW - MINUTE), names, NOW) == []
    down = SensorState(1, 0, None, NOW - 3 * MINUTE)
    assert channels_to_notify(down, names, NOW) == names
    notified = replace(down, notified={"webhook": NOW})
    assert channels_to_notify(notified, names, NOW + MINUTE) == ["mail"]
    assert channels_to_notify(notified, names, NOW + HOUR) == names
    ids = [outage_message(notified, "no connection", [], NOW + n * MINUTE, UI, str).fields["id"] for n in (0, 1, 61)]
    assert ids[0] == ids[1] != ids[2]


def test_the_outage_alerts_name_the_runs_that_failed_meanwhile() -> None:
    failure = FailureEvent("k", "run", "originals", "", "", "", "zara", "run-1", NOW)
    down = SensorState(1, 0, None, NOW - 10 * MINUTE)
    message = outage_message(down, "no connection", [failure], NOW, UI, str)
    assert message.subject == "the staging database has been unavailable for 10 minutes"
    assert "no connection\n1 run failed meanwhile: originals (zara). Their alerts" in message.text
    assert recovery_message(down, NOW, UI).subject == "the staging database is available again after 10 minutes"


def test_the_sensor_reads_its_cursor_and_that_of_an_older_version() -> None:
    state = SensorState(1, 0, None, NOW - 3 * MINUTE, {"webhook": NOW})
    assert SensorState.of(state.as_text()) == state
    assert SensorState.of(state.as_text().replace('"notified"', '"told"')) == state
    assert SensorState.of(None) == SensorState()
