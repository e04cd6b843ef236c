"""The texts of an alert: a subject, a text for mail, a text for chats, and fields for programs.

`policy.py` decides which alerts are due; the channels send these texts unchanged.
"""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from unde_catalog.operations.alerts.policy import Alert, AlertType
from unde_catalog.operations.alerts.sanitize import harmless
from unde_catalog.stores.staging.alerts.incidents import Incident
from unde_catalog.text import duration, quantity, shorten

_MAX_SUBJECT = 150  # characters
_MAX_TEXT = 3_500  # characters; Slack and Mattermost accept 4,000
_MAX_LISTED = 20  # incidents
_FIELDS_OF_FIRST = ("kind", "stage", "check", "brand", "brands", "reason", "first_at", "link")


@dataclass(frozen=True, slots=True)
class Message:
    """What channels send. `chat` is `text` with mentions and tags disabled; `fields` are the webhook's other fields."""

    subject: str
    text: str
    chat: str
    fields: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """For the database."""
        return asdict(self)


def alert_message(alert: Alert, ui: str) -> Message:
    """The message of an alert. `ui`: the address of Dagster's UI."""
    subject = _subject(alert)
    entries = [_Entry(incident, alert, ui) for incident in alert.incidents[:_MAX_LISTED]]
    rest = len(alert.incidents) - len(entries)
    more = [f"... and {rest} more"] if rest else []
    first = entries[0].fields()
    fields = {
        "id": alert.id, "what": alert.what, "at": _iso(alert.at),
        "count": sum(incident.runs for incident in alert.incidents),
        "causes": [entry.fields() for entry in entries],
        **{name: first[name] for name in _FIELDS_OF_FIRST},  # for receivers that handle one incident
    }  # fmt: skip
    is_list = len(entries) > 1 or alert.what == "digest"
    head = [subject] if is_list else []
    blocks = [entry.block(is_list, chat=False) for entry in entries]
    chat_blocks = [entry.block(is_list, chat=True) for entry in entries]
    return Message(
        shorten(subject, _MAX_SUBJECT),
        shorten("\n".join([*head, *blocks, *more]), _MAX_TEXT),
        shorten("\n".join([*map(harmless, head), *chat_blocks, *more]), _MAX_TEXT),
        fields,
    )


def plain_message(alert_id: str, what: AlertType, subject: str, detail: str, at: datetime, ui: str) -> Message:
    """A message that is not about an incident in the database."""
    fields = {
        "id": alert_id, "what": what, "at": _iso(at), "count": 1, "causes": [], "kind": what, "stage": "", "check": "",
        "brand": "", "brands": [], "reason": detail, "first_at": _iso(at), "link": _link(ui, ""),
    }  # fmt: skip
    chat = f"{harmless(subject)}\n{harmless(detail)}\n{_link(ui, '')}"
    text = f"{subject}\n{detail}\n{_link(ui, '')}"
    return Message(shorten(subject, _MAX_SUBJECT), shorten(text, _MAX_TEXT), shorten(chat, _MAX_TEXT), fields)


class _Entry:
    """One incident in a message."""

    def __init__(self, incident: Incident, alert: Alert, ui: str) -> None:
        self.incident, self.alert, self.link = incident, alert, _link(ui, incident.run_id)

    def fields(self) -> dict[str, Any]:
        incident = self.incident
        return {
            "kind": incident.kind, "stage": incident.stage, "check": incident.check,
            "brand": ", ".join(_brands(incident)), "brands": list(_brands(incident)),
            "failing": [brand for brand in incident.failing if brand], "reason": incident.reason,
            "count": incident.runs, "first_at": _iso(incident.first_at), "last_at": _iso(incident.last_at),
            "over": incident.id in self.alert.resolved, "link": self.link,
        }  # fmt: skip

    def block(self, is_list: bool, *, chat: bool) -> str:
        """Its lines: what failed, the reason, and where to look."""
        safe = harmless if chat else str
        incident = self.incident
        head = f"- {_name(incident)}: {_counts(incident)}" if is_list else _headline(self.alert, incident)
        since = f"First failure {incident.first_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        return "\n".join([safe(head), safe(incident.reason), f"{since}, last run {self.link}"])


def _subject(alert: Alert) -> str:
    number = len(alert.incidents)
    if alert.what == "digest":
        return f"Daily digest: {quantity(number, 'warning')}"
    if number == 1:
        return _headline(alert, alert.incidents[0])
    stages = ", ".join(sorted({incident.stage for incident in alert.incidents}))
    titles = {"first": "new incidents", "again": "incidents are back", "over": "incidents resolved"}
    return f"{number} {titles.get(alert.what, 'incidents are still open')}: {stages}"


def _headline(alert: Alert, incident: Incident) -> str:
    name, counts = _name(incident), _counts(incident)
    if alert.what == "over" and incident.failing:
        return f"{name} has neither failed nor succeeded for {duration(alert.at - incident.last_at)}, closed: {counts}"
    if alert.what == "over":
        return f"{name} works again after {duration(alert.at - incident.first_at)}: {counts}"
    if incident.id in alert.resolved:
        return f"{name} failed and works again: {counts}"
    if alert.what == "reminder":
        return f"{name} is still failing after {duration(alert.at - incident.first_at)}: {counts}"
    return f"{name} is failing{' again' if alert.what == 'again' else ''}: {counts}"


def _name(incident: Incident) -> str:
    return f"check {incident.check} of {incident.stage}" if incident.check else incident.stage


def _counts(incident: Incident) -> str:
    # The run of a failed check may be a success.
    counts = quantity(incident.runs, "failed run" if incident.kind == "run" else "run")
    brands = _brands(incident)
    return f"{counts} of {', '.join(brands)}" if brands else counts


def _brands(incident: Incident) -> tuple[str, ...]:
    return tuple(brand for brand in incident.brands if brand)


def _link(ui: str, run_id: str) -> str:
    """A run's page in the UI, without the credentials that the address may contain."""
    parts = urlsplit(ui)
    base = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}".rstrip("/")
    return f"{base}/runs/{run_id}" if run_id else base


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")
