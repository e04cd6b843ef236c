"""Which notices are due, decided from plain values: one for one cause, one when it is over, one a day in between.

Nothing is read, written or worded here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from unde_catalog.stores.staging.alerts.incidents import Incident

# `again`: it is back within a day; `digest`: the day's warnings; `unwritten`: staging can't be used; `test`: asked for.
What = Literal["first", "again", "over", "reminder", "digest", "unwritten", "test"]

GATHER = timedelta(minutes=2)  # six brands that fail one after the other are one notice that names all of them
REMIND = timedelta(days=1)
CALM = timedelta(hours=6)  # what comes and goes is called over the second time only after so long
FORGOTTEN = timedelta(days=8)  # a week's schedule had its turn since
TOGETHER = 5  # more causes than that at one moment are told in one notice
MOST_AN_HOUR = 10  # notices; then new causes wait, and are told together


@dataclass(frozen=True, slots=True)
class Alert:
    """A notice about one or more causes. `id` is the same whenever it is sent; `ended`: those that are over by now."""

    id: str
    what: What
    causes: tuple[Incident, ...]
    at: datetime
    ended: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Decision:
    """What to write down: notices, and which causes are over with or without one."""

    notices: list[Alert]
    over: list[Incident]


def due_alerts(causes: Sequence[Incident], now: datetime, written_lately: int) -> Decision:
    """What is due of the causes that are open; `written_lately`: notices of the last hour."""
    due: dict[What, list[Incident]] = {"first": [], "again": [], "over": [], "reminder": []}
    over = []
    for cause in causes:
        ended = _ended(cause, now)
        if cause.kind == "warning":  # told by the digest alone
            over += [cause] if ended else []
        elif cause.told_at is None:
            if now - cause.noticed_at >= GATHER and written_lately < MOST_AN_HOUR:
                due["again" if cause.returned else "first"].append(cause)
                over += [cause] if ended else []
        elif ended:
            due["over"].append(cause)
            over.append(cause)
        elif now - cause.told_at >= REMIND and cause.runs > cause.told_runs:
            due["reminder"].append(cause)
    gone = frozenset(cause.id for cause in over)
    return Decision([one for what, found in due.items() for one in _notices(what, found, gone, now)], over)


def digest(causes: Sequence[Incident], day: str, now: datetime) -> Alert | None:
    """The day's notice of all warnings that hold; None where none does."""
    warnings = tuple(cause for cause in causes if cause.kind == "warning" and not _ended(cause, now))
    return Alert(f"digest-{day}", "digest", warnings, now) if warnings else None


def _ended(cause: Incident, now: datetime) -> bool:
    if not cause.failing:
        return now - cause.last_at >= (CALM if cause.returned else timedelta())
    return now - cause.last_at >= FORGOTTEN


def _notices(what: What, causes: Sequence[Incident], gone: frozenset[str], now: datetime) -> list[Alert]:
    if not causes:
        return []
    groups = [tuple(causes)] if len(causes) > TOGETHER else [(cause,) for cause in causes]
    return [Alert(_id(what, group[0]), what, group, now, gone & {one.id for one in group}) for group in groups]


def _id(what: What, cause: Incident) -> str:
    """Made of what it is about, so that whoever decides the same a second time writes the same notice."""
    return (
        f"{cause.id}-{what}-{cause.returned}-{cause.runs}"
        if what == "reminder"
        else f"{cause.id}-{what}-{cause.returned}"
    )
