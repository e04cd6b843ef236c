"""Decides which alerts are due: one when an incident begins, one when it is resolved, a daily reminder in between.

Pure functions of plain values: nothing is read or written here, and `message.py` writes the texts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from unde_catalog.stores.staging.alerts.incidents import Incident

# The webhook's field `what`. `again`: an incident returned within a day; `over`: it is resolved; `digest`: the warnings
# of the day; `unwritten`: the staging database is unavailable; `test`: sent by `unde-catalog notices test`.
AlertType = Literal["first", "again", "over", "reminder", "digest", "unwritten", "test"]

INITIAL_DELAY = timedelta(minutes=2)  # so that brands that fail one after the other are in one alert
REMINDER_INTERVAL = timedelta(days=1)
QUIET_BEFORE_RESOLVED = timedelta(hours=6)  # for an incident that returned, so that flapping sends no alerts
CLOSE_AFTER = timedelta(days=8)  # without a failure or a success; even a weekly schedule has run since
MAX_SINGLE_ALERTS = 5  # more incidents at the same moment share one alert
MAX_ALERTS_PER_HOUR = 10  # then new incidents wait, and are reported together


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert about one or more incidents. `id` identifies it in every attempt; `resolved`: ids of resolved ones."""

    id: str
    what: AlertType
    incidents: tuple[Incident, ...]
    at: datetime
    resolved: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Decision:
    """The alerts to write, and the incidents that are resolved, with or without an alert."""

    alerts: list[Alert]
    resolved: list[Incident]


def due_alerts(incidents: Sequence[Incident], now: datetime, recent_alerts: int) -> Decision:
    """The alerts due for the open incidents. `recent_alerts`: how many were written within the last hour."""
    due: dict[AlertType, list[Incident]] = {"first": [], "again": [], "over": [], "reminder": []}
    resolved = []
    for incident in incidents:
        over = _is_over(incident, now)
        if incident.kind == "warning":  # only the digest reports it
            resolved += [incident] if over else []
        elif incident.alerted_at is None:
            # An incident of a backlog has had its two minutes.
            waited = now - min(incident.noticed_at, incident.last_at)
            if waited >= INITIAL_DELAY and recent_alerts < MAX_ALERTS_PER_HOUR:
                due["again" if incident.returned else "first"].append(incident)
                resolved += [incident] if over else []
        elif over:
            due["over"].append(incident)
            resolved.append(incident)
        elif now - incident.alerted_at >= REMINDER_INTERVAL and incident.runs > incident.alerted_runs:
            due["reminder"].append(incident)
    ids = frozenset(incident.id for incident in resolved)
    return Decision([alert for what, group in due.items() for alert in _alerts(what, group, ids, now)], resolved)


def digest(incidents: Sequence[Incident], day: str, now: datetime) -> Alert | None:
    """The daily alert with all open warnings, None if there are none."""
    warnings = tuple(incident for incident in incidents if incident.kind == "warning" and not _is_over(incident, now))
    return Alert(f"digest-{day}", "digest", warnings, now) if warnings else None


def _is_over(incident: Incident, now: datetime) -> bool:
    if not incident.failing:
        return now - incident.last_at >= (QUIET_BEFORE_RESOLVED if incident.returned else timedelta())
    return now - incident.last_at >= CLOSE_AFTER


def _alerts(what: AlertType, incidents: Sequence[Incident], resolved: frozenset[str], now: datetime) -> list[Alert]:
    if not incidents:
        return []
    groups = [tuple(incidents)] if len(incidents) > MAX_SINGLE_ALERTS else [(incident,) for incident in incidents]
    return [Alert(_id(what, group[0]), what, group, now, resolved & {one.id for one in group}) for group in groups]


def _id(what: AlertType, incident: Incident) -> str:
    """Derived from its content, so that the same decision made twice gives the same alert."""
    base = f"{incident.id}-{what}-{incident.returned}"
    return f"{base}-{incident.runs}" if what == "reminder" else base
