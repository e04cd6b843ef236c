"""The alert about an unavailable staging database. All other alerts depend on that database, so they wait for it.

Its state is the sensor's cursor, which Dagster stores. Failures during the outage are read when staging is back.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta

from unde_catalog.operations.alerts.message import Message, plain_message
from unde_catalog.operations.alerts.policy import INITIAL_DELAY
from unde_catalog.operations.alerts.sanitize import Sanitizer
from unde_catalog.stores.staging.alerts.incidents import FailureEvent, Recovery
from unde_catalog.text import duration, quantity

INTERVAL = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class SensorState:
    """The sensor's cursor.

    `after`: the last event of Dagster's log that was read, None before the first. `since`: the event after which a
    channel was configured. `digest`: the day of the last digest. `down_since`: start of an outage of staging.
    `notified`: when each channel was last told about the outage.
    """

    after: int | None = None
    since: int = 0
    digest: str | None = None
    down_since: datetime | None = None
    notified: Mapping[str, datetime] = field(default_factory=dict)

    def as_text(self) -> str:
        """The cursor that Dagster stores."""
        return json.dumps(asdict(self), default=lambda moment: moment.isoformat())

    @classmethod
    def of(cls, text: str | None) -> "SensorState":
        """Parse a stored cursor; empty without one."""
        values = json.loads(text) if text else {}
        down_since = values.get("down_since")
        notified = values.get("notified", values.get("told", {}))  # `told` is in cursors of older versions
        return cls(
            values.get("after"),
            values.get("since", 0),
            values.get("digest"),
            datetime.fromisoformat(down_since) if down_since else None,
            {name: datetime.fromisoformat(moment) for name, moment in notified.items()},
        )


def channels_to_notify(state: SensorState, names: Sequence[str], now: datetime) -> list[str]:
    """The channels that get the outage alert now: none for a short outage, else each of them once an hour."""
    if state.down_since is None or now - state.down_since < INITIAL_DELAY:
        return []
    return [name for name in names if name not in state.notified or now - state.notified[name] >= INTERVAL]


def outage_message(
    state: SensorState,
    error: str,
    events: Sequence[FailureEvent | Recovery],
    now: datetime,
    ui: str,
    sanitize: Sanitizer,
) -> Message:
    """The outage of staging and the runs that failed meanwhile; its id stays the same for an hour."""
    since = state.down_since or now
    failures = [event for event in events if isinstance(event, FailureEvent)]
    brands: dict[str, set[str]] = {}
    for failure in failures:
        brands.setdefault(failure.stage, set()).update({failure.brand} - {""})
    stages = "; ".join(
        f"{stage} ({', '.join(sorted(found))})" if found else stage for stage, found in sorted(brands.items())
    )
    runs = len({failure.run_id for failure in failures})
    meanwhile = f"{quantity(runs, 'run')} failed meanwhile: {stages}." if runs else "No run failed meanwhile."
    detail = f"{sanitize(error)}\n{meanwhile} Their alerts are sent when the database is back."
    subject = f"the staging database has been unavailable for {duration(now - since)}"
    return plain_message(f"{_id(since)}-{int((now - since) / INTERVAL)}", "unwritten", subject, detail, now, ui)


def recovery_message(state: SensorState, now: datetime, ui: str) -> Message:
    """The end of the outage."""
    since = state.down_since or now
    subject = f"the staging database is available again after {duration(now - since)}"
    detail = "Alerts about failures during the outage follow."
    return plain_message(f"{_id(since)}-over", "over", subject, detail, now, ui)


def _id(since: datetime) -> str:
    return f"staging-{since.astimezone(UTC):%Y%m%dT%H%M%S}"
