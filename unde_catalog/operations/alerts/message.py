"""A notice as it is read: a subject, a text for mail, one for a chat, and fields for programs.

When there is one is decided in `policy.py`; channels send what is made here as it is.
"""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from unde_catalog.operations.alerts.policy import Alert, What
from unde_catalog.operations.alerts.sanitize import harmless
from unde_catalog.stores.staging.alerts.incidents import Incident
from unde_catalog.text import duration, shorten

_LONGEST_SUBJECT = 150  # characters
_LONGEST_TEXT = 3_500  # Slack's and Mattermost's own limits are 4,000
_MOST_CAUSES = 20  # told one by one


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent. `chat` is `text` in which no mention or tag works; `fields` is what a webhook gets beside it."""

    subject: str
    text: str
    chat: str
    fields: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """For the database."""
        return asdict(self)


def message(notice: Alert, ui: str) -> Message:
    """The message of a notice; `ui`: the address of Dagster's UI."""
    subject = _subject(notice)
    told = notice.causes[:_MOST_CAUSES]
    entries = [_Entry(cause, cause.id in notice.ended, notice, ui) for cause in told]
    rest = len(notice.causes) - len(told)
    more = [f"... and {rest} more"] if rest else []
    fields = {
        "id": notice.id, "what": notice.what, "at": _iso(notice.at), "count": sum(one.runs for one in notice.causes),
        "causes": [one.fields() for one in entries],
        **{name: entries[0].fields()[name] for name in _OF_THE_FIRST},
    }  # fmt: skip
    blocks = [entry.block(len(entries) > 1, chat=False) for entry in entries]
    chats = [entry.block(len(entries) > 1, chat=True) for entry in entries]
    head = [subject] if len(entries) > 1 or notice.what == "digest" else []
    return Message(
        shorten(subject, _LONGEST_SUBJECT),
        shorten("\n".join([*head, *blocks, *more]), _LONGEST_TEXT),
        shorten("\n".join([*map(harmless, head), *chats, *more]), _LONGEST_TEXT),
        fields,
    )


def plain(notice_id: str, what: What, subject: str, detail: str, at: datetime, ui: str) -> Message:
    """A message that is about no cause in the database."""
    fields = {
        "id": notice_id, "what": what, "at": _iso(at), "count": 1, "causes": [], "kind": what, "stage": "", "check": "",
        "brand": "", "brands": [], "reason": detail, "first_at": _iso(at), "link": _link(ui, ""),
    }  # fmt: skip
    chat = f"{harmless(subject)}\n{harmless(detail)}\n{_link(ui, '')}"
    text = f"{subject}\n{detail}\n{_link(ui, '')}"
    return Message(
        shorten(subject, _LONGEST_SUBJECT), shorten(text, _LONGEST_TEXT), shorten(chat, _LONGEST_TEXT), fields
    )


# Where a receiver looks that knows of one cause.
_OF_THE_FIRST = ("kind", "stage", "check", "brand", "brands", "reason", "first_at", "link")


class _Entry:
    """One cause in a message."""

    def __init__(self, cause: Incident, ended: bool, notice: Alert, ui: str) -> None:
        self.cause, self.ended, self.notice, self.link = cause, ended, notice, _link(ui, cause.run_id)

    def fields(self) -> dict[str, Any]:
        cause = self.cause
        return {
            "kind": cause.kind, "stage": cause.stage, "check": cause.check, "brand": ", ".join(_brands(cause)),
            "brands": list(_brands(cause)), "failing": [one for one in cause.failing if one], "reason": cause.reason,
            "count": cause.runs, "first_at": _iso(cause.first_at), "last_at": _iso(cause.last_at), "over": self.ended,
            "link": self.link,
        }  # fmt: skip

    def block(self, listed: bool, *, chat: bool) -> str:
        """Its lines; `listed`: it is one of several."""
        safe = harmless if chat else str
        head = f"- {_named(self.cause)}: {_counted(self.cause)}" if listed else _headline(self.notice, self.cause)
        since = f"since {self.cause.first_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        return "\n".join([safe(head), safe(self.cause.reason), f"{since}: {self.link}"])


def _subject(notice: Alert) -> str:
    if notice.what == "digest":
        return f"{len(notice.causes)} warnings" if len(notice.causes) > 1 else "1 warning"
    if len(notice.causes) == 1:
        return _headline(notice, notice.causes[0])
    said = {"first": "new failures", "again": "failures that are back", "over": "failures are over"}
    stages = ", ".join(sorted({one.stage for one in notice.causes}))
    return f"{len(notice.causes)} {said.get(notice.what, 'failures that last')}: {stages}"


def _headline(notice: Alert, cause: Incident) -> str:
    named, counted = _named(cause), _counted(cause)
    if notice.what == "over" and cause.failing:
        return f"{named} has not failed for {duration(notice.at - cause.last_at)}, and not worked either: {counted}"
    if notice.what == "over":
        return f"{named} works again, over after {duration(notice.at - cause.first_at)}: {counted}"
    if cause.id in notice.ended:
        return f"{named} failed and works again: {counted}"
    said = {"again": "fails again", "reminder": f"still fails after {duration(notice.at - cause.first_at)}"}
    return f"{named} {said.get(notice.what, 'fails')}: {counted}"


def _named(cause: Incident) -> str:
    return f"the check {cause.check} of {cause.stage}" if cause.check else cause.stage


def _counted(cause: Incident) -> str:
    runs, brands = f"{cause.runs} run{'s' * (cause.runs != 1)}", _brands(cause)
    if not brands:
        return runs
    return f"{runs}, {brands[0]}" if len(brands) == 1 else f"{runs}, {len(brands)} brands ({', '.join(brands)})"


def _brands(cause: Incident) -> tuple[str, ...]:
    return tuple(brand for brand in cause.brands if brand)


def _link(ui: str, run_id: str) -> str:
    """A run's page in the UI; never with the credentials that its address may hold."""
    parts = urlsplit(ui)
    base = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}".rstrip("/")
    return f"{base}/runs/{run_id}" if run_id else base


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")
