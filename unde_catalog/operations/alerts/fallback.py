"""What is told while the staging database can't be used, in which all else about notices is kept.

Its little memory is the sensor's cursor, so that it works without any database but Dagster's. What failed meanwhile is
read and told as ever when staging is back.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta

from unde_catalog.operations.alerts.message import Message, plain
from unde_catalog.operations.alerts.policy import GATHER
from unde_catalog.operations.alerts.sanitize import Sanitizer
from unde_catalog.stores.staging.alerts.incidents import FailureEvent, Recovery
from unde_catalog.text import duration

EVERY = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class SensorState:
    """The sensor's cursor: the last event of Dagster's that was read (None: none yet), and the day of the last digest.

    `since`: the event after which somebody listens. `down_since`: since when staging can't be used; `told`: when that
    was last told, by channel.
    """

    after: int | None = None
    since: int = 0
    digest: str | None = None
    down_since: datetime | None = None
    told: Mapping[str, datetime] = field(default_factory=dict)

    def as_text(self) -> str:
        """For Dagster, which keeps it."""
        return json.dumps(asdict(self), default=lambda moment: moment.isoformat())

    @classmethod
    def of(cls, text: str | None) -> "SensorState":
        """What `as_text` wrote; an empty one for nothing."""
        given = json.loads(text) if text else {}
        down_since = given.get("down_since")
        return cls(
            given.get("after"),
            given.get("since", 0),
            given.get("digest"),
            datetime.fromisoformat(down_since) if down_since else None,
            {name: datetime.fromisoformat(moment) for name, moment in given.get("told", {}).items()},
        )


def alert_due(memory: SensorState, names: Sequence[str], now: datetime) -> list[str]:
    """The channels that are to be told now: once a moment's trouble is ruled out, then once an hour each."""
    if memory.down_since is None or now - memory.down_since < GATHER:
        return []
    return [name for name in names if name not in memory.told or now - memory.told[name] >= EVERY]


def outage_message(
    memory: SensorState,
    trouble: str,
    happened: Sequence[FailureEvent | Recovery],
    now: datetime,
    ui: str,
    word: Sanitizer,
) -> Message:
    """That staging can't be used, and what else fails; its id stays the same for an hour."""
    since = memory.down_since or now
    failed: dict[str, set[str]] = {}
    for one in happened:
        if isinstance(one, FailureEvent):
            failed.setdefault(one.stage, set()).add(one.brand)
    runs = len({one.run_id for one in happened if isinstance(one, FailureEvent)})
    stages = "; ".join(
        f"{stage} ({', '.join(sorted(brands - {''}))})" if brands - {""} else stage
        for stage, brands in sorted(failed.items())
    )
    meanwhile = f"Meanwhile {runs} run{'s' * (runs != 1)} failed: {stages}." if runs else "No run failed meanwhile."
    detail = f"{word(trouble)}\n{meanwhile} Notices of single causes follow when it is back."
    subject = f"the staging database can't be used for {duration(now - since)}"
    return plain(f"{_id(since)}-{int((now - since) / EVERY)}", "unwritten", subject, detail, now, ui)


def recovery_message(memory: SensorState, now: datetime, ui: str) -> Message:
    """That it is over."""
    since = memory.down_since or now
    subject = f"the staging database can be used again, over after {duration(now - since)}"
    return plain(f"{_id(since)}-over", "over", subject, "What failed meanwhile is told now.", now, ui)


def _id(since: datetime) -> str:
    return f"staging-{since.astimezone(UTC):%Y%m%dT%H%M%S}"
