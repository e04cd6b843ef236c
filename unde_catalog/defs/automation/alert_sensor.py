"""The sensor that sends alerts: once a minute it reads which runs ended and sends the alerts that are due.

Dagster's run failure sensor evaluates each run alone and does not repeat an evaluation that failed. This sensor sees
failures of several brands together and loses none. What is sent is decided in `operations/alerts/`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg

from unde_catalog.defs.automation.run_ends import RunEnds, newest, run_ends
from unde_catalog.defs.resources import BackendsResource
from unde_catalog.operations.alerts.channel import Channel, SendFailed
from unde_catalog.operations.alerts.fallback import SensorState, channels_to_notify, outage_message, recovery_message
from unde_catalog.operations.alerts.message import Message, alert_message
from unde_catalog.operations.alerts.policy import digest, due_alerts
from unde_catalog.operations.alerts.sanitize import sanitizer
from unde_catalog.operations.alerts.sender import SendSummary, channels, send_pending
from unde_catalog.settings.environment import Settings
from unde_catalog.stores.db.database import Cursor, DatabaseUnavailable
from unde_catalog.stores.embedded.errors import EmbeddedPostgresError
from unde_catalog.stores.staging.alerts import incidents, outbox
from unde_catalog.stores.staging.due_work import ticks
from unde_catalog.text import quantity

NAME, _FORMER_NAME = "send_alerts", "notices"
INTERVAL_SECONDS = 60
_NOT_CONFIGURED = "Not configured: set NOTICE_WEBHOOK_URL, or NOTICE_SMTP_URL and NOTICE_MAIL_TO."


@dataclass(frozen=True, slots=True)
class _Written:
    alerts: int
    open_incidents: int
    digest: str | None


def alert_sensor(status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    """The sensor; it launches no runs."""

    @dg.sensor(
        name=NAME,
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=status,
        description=(
            "Every minute: sends alerts about failed runs and checks of all jobs by webhook or mail. One incident is "
            "one alert, with another one when it is resolved. Warnings are sent together once a day."
        ),
    )
    def sensor(context: dg.SensorEvaluationContext, backends: dg.ResourceParam[BackendsResource]) -> dg.SensorResult:
        active = channels(backends.settings)
        state = SensorState.of(context.cursor or _former_cursor(context.instance))
        if state.after is None or not active:
            # Failures from the time before alerts were configured are never sent.
            return _result(
                _from_now_on(state, context.instance), "Alerts start with the next run." if active else _NOT_CONFIGURED
            )
        ends = run_ends(context.instance, state.after, state.since, sanitizer(backends.settings))
        if not ends.events and newest(context.instance) < state.after:  # Dagster's database is another one now
            state = _from_now_on(state, context.instance)
            ends = RunEnds([], state.since)
        try:
            state, result, sent = _record_and_send(backends, state, ends, active)
        except (DatabaseUnavailable, EmbeddedPostgresError) as down:
            state, result, sent = _send_outage(backends.settings, state, ends, active, str(down))
        for error in sent.errors:
            context.log.warning(error)
        return _result(state, "; ".join([result, f"{sent.sent} sent", *sent.errors]))

    return sensor


def _from_now_on(state: SensorState, instance: dg.DagsterInstance) -> SensorState:
    last = newest(instance)
    return replace(state, after=last, since=last)


def _former_cursor(instance: dg.DagsterInstance) -> str | None:
    """The cursor of the sensor's former name, so that no failure is lost between its last tick and the first here."""
    former = (known for known in instance.all_instigator_state() if known.instigator_name == _FORMER_NAME)
    return next((getattr(known.instigator_data, "cursor", None) for known in former), None)


def _result(state: SensorState, text: str) -> dg.SensorResult:
    """No run is requested; the UI shows what the tick did as the reason for that."""
    return dg.SensorResult(skip_reason=text, cursor=state.as_text())


def _record_and_send(
    backends: BackendsResource, state: SensorState, ends: RunEnds, active: Sequence[Channel]
) -> tuple[SensorState, str, SendSummary]:
    """Record, decide, write and send. Dagster stores the state only after that, so the same events may come again."""
    with backends.open() as opened:
        written = opened.db.run(_write, backends.settings, state, ends, [channel.name for channel in active])
        sent = send_pending(opened.db, active)
    result = f"{quantity(written.alerts, 'alert')} written, {quantity(written.open_incidents, 'incident')} open"
    if ends.counted:
        result += f"; {quantity(ends.counted, 'run')} of many counted without reading their events"
    return SensorState(ends.after, state.since, written.digest), result, sent


def _write(cursor: Cursor, settings: Settings, state: SensorState, ends: RunEnds, names: Sequence[str]) -> _Written:
    """In one transaction: either all events are recorded and the due alerts are written, or nothing."""
    incidents.lock(cursor)
    now, ui = ticks.now(cursor), str(settings.dagster_ui_url)
    incidents.record(cursor, ends.events)
    if state.notified:
        outbox.write(cursor, *_row(recovery_message(state, now, ui)), names)
    unresolved = incidents.open_incidents(cursor)
    decision = due_alerts(unresolved, now, outbox.written_lately(cursor))
    due = list(decision.alerts)
    day, is_digest = _digest_day(settings, state, now)
    if is_digest and (warnings := digest(unresolved, day or "", now)) is not None:
        due.append(warnings)
    for alert in due:
        outbox.write(cursor, *_row(alert_message(alert, ui)), names)
        for incident in alert.incidents:
            incidents.mark_alerted(cursor, incident)
    for incident in decision.resolved:
        incidents.mark_resolved(cursor, incident)
    if is_digest:  # once a day is enough
        incidents.delete_old(cursor, settings.log_keep_days)
        outbox.delete_old(cursor, settings.log_keep_days)
    return _Written(len(due), len(unresolved) - len(decision.resolved), day)


def _row(built: Message) -> tuple[str, dict[str, Any]]:
    return built.fields["id"], built.as_dict()


def _digest_day(settings: Settings, state: SensorState, now: datetime) -> tuple[str | None, bool]:
    """The day of the latest digest after this tick, and whether this tick sends it. The first day has none."""
    local = now.astimezone(ZoneInfo(settings.schedule_timezone))
    today = f"{local:%Y-%m-%d}"
    if state.digest is None:
        return today, False
    if state.digest == today or local.hour < settings.notice_digest_hour:
        return state.digest, False
    return today, True


def _send_outage(
    settings: Settings, state: SensorState, ends: RunEnds, active: Sequence[Channel], trouble: str
) -> tuple[SensorState, str, SendSummary]:
    """Without the staging database: report only that it is unavailable, once an hour. No event counts as read."""
    now, sent = datetime.now(UTC), SendSummary()
    state = replace(state, down_since=state.down_since or now)
    alerted, names = dict(state.notified), channels_to_notify(state, [channel.name for channel in active], now)
    sanitize = sanitizer(settings)
    built = outage_message(state, trouble, ends.events, now, str(settings.dagster_ui_url), sanitize)
    for channel in active:
        if channel.name in names:
            try:
                channel.send(built, 1)
            except SendFailed as error:
                sent.errors.append(f"{channel.name}: {error}")
            else:
                alerted[channel.name] = now
                sent.sent += 1
    return replace(state, notified=alerted), sanitize(trouble), sent
