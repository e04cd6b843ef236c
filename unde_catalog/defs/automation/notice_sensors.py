"""The sensor that tells people what failed: once a minute it reads which runs ended, and sends what is due of that.

A run-failure sensor of Dagster's would be asked for each run alone, and would not be asked again where it fails itself;
this one sees six brands fail together, and loses none. What is told is decided in `notices/`.
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
from unde_catalog.operations.alerts.fallback import SensorState, alert_due, outage_message, recovery_message
from unde_catalog.operations.alerts.message import Message, message
from unde_catalog.operations.alerts.policy import digest, due_alerts
from unde_catalog.operations.alerts.sanitize import sanitizer
from unde_catalog.operations.alerts.sender import SendSummary, channels, send_pending
from unde_catalog.settings.environment import Settings
from unde_catalog.stores.db.database import Cursor, DatabaseUnavailable
from unde_catalog.stores.embedded.errors import EmbeddedPostgresError
from unde_catalog.stores.staging.alerts import incidents, outbox
from unde_catalog.stores.staging.due_work import ticks

EVERY_SECONDS = 60
_NOT_SET = "not configured: set NOTICE_WEBHOOK_URL, or NOTICE_SMTP_URL and NOTICE_MAIL_TO"


@dataclass(frozen=True, slots=True)
class _Written:
    notices: int
    causes: int
    digest: str | None


def notice_sensor(status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    """The one sensor; it launches nothing."""

    @dg.sensor(
        name="notices",
        minimum_interval_seconds=EVERY_SECONDS,
        default_status=status,
        description=(
            "Every minute: what failed since the last one, in runs of all jobs and in their checks, goes to the webhook"
            " or by mail; one notice for one cause, one when it is over, and warnings together once a day."
        ),
    )
    def sensor(context: dg.SensorEvaluationContext, backends: dg.ResourceParam[BackendsResource]) -> dg.SensorResult:
        through = channels(backends.settings)
        memory = SensorState.of(context.cursor)
        if memory.after is None or not through:
            # What failed while nobody listened is told to nobody.
            return _nothing(_from_now_on(memory, context.instance), "listening from now on" if through else _NOT_SET)
        ends = run_ends(context.instance, memory.after, memory.since, sanitizer(backends.settings))
        if not ends.happened and newest(context.instance) < memory.after:  # another database of Dagster's
            memory = _from_now_on(memory, context.instance)
            ends = RunEnds([], memory.since)
        try:
            memory, said, sent = _tell(backends, memory, ends, through)
        except (DatabaseUnavailable, EmbeddedPostgresError) as down:
            memory, said, sent = _tell_unwritten(backends.settings, memory, ends, through, str(down))
        for trouble in sent.trouble:
            context.log.warning(trouble)
        return _nothing(memory, f"{said}; {sent.sent} sent" + "".join(f"; {one}" for one in sent.trouble))

    return sensor


def _from_now_on(memory: SensorState, instance: dg.DagsterInstance) -> SensorState:
    last = newest(instance)
    return replace(memory, after=last, since=last)


def _nothing(memory: SensorState, said: str) -> dg.SensorResult:
    """No run is asked for; what came of the tick is shown as the reason for that."""
    return dg.SensorResult(skip_reason=said, cursor=memory.as_text())


def _tell(
    backends: BackendsResource, memory: SensorState, ends: RunEnds, through: Sequence[Channel]
) -> tuple[SensorState, str, SendSummary]:
    """Record, decide, write and send. The memory is kept by Dagster only after that, so the same may come again."""
    with backends.open() as opened:
        written = opened.db.run(_write, backends.settings, memory, ends, [one.name for one in through])
        sent = send_pending(opened.db, through)
    said = f"{written.notices} notices written, {written.causes} causes open"
    return SensorState(ends.after, memory.since, written.digest), said, sent


def _write(cursor: Cursor, settings: Settings, memory: SensorState, ends: RunEnds, names: Sequence[str]) -> _Written:
    """In one transaction: either all of what happened is known and what is due of it is written, or nothing."""
    incidents.alone(cursor)
    now, ui = ticks.now(cursor), str(settings.dagster_ui_url)
    incidents.record(cursor, ends.happened)
    if memory.told:
        outbox.write(cursor, *_row(recovery_message(memory, now, ui)), names)
    causes = incidents.open_incidents(cursor)
    decision = due_alerts(causes, now, outbox.written_lately(cursor))
    due = list(decision.notices)
    day, is_digest = _digest_day(settings, memory, now)
    if is_digest and (warnings := digest(causes, day or "", now)) is not None:
        due.append(warnings)
    for notice in due:
        outbox.write(cursor, *_row(message(notice, ui)), names)
        for cause in notice.causes:
            incidents.mark_alerted(cursor, cause)
    for cause in decision.over:
        incidents.mark_resolved(cursor, cause)
    if is_digest:  # once a day will do
        incidents.forget(cursor, settings.log_keep_days)
        outbox.forget(cursor, settings.log_keep_days)
    return _Written(len(due), len(causes) - len(decision.over), day)


def _row(made: Message) -> tuple[str, dict[str, Any]]:
    return made.fields["id"], made.as_dict()


def _digest_day(settings: Settings, memory: SensorState, now: datetime) -> tuple[str | None, bool]:
    """The day of the last digest from now on, and whether it is due now. The first day ever has none."""
    local = now.astimezone(ZoneInfo(settings.schedule_timezone))
    today = f"{local:%Y-%m-%d}"
    if memory.digest is None:
        return today, False
    if memory.digest == today or local.hour < settings.notice_digest_hour:
        return memory.digest, False
    return today, True


def _tell_unwritten(
    settings: Settings, memory: SensorState, ends: RunEnds, through: Sequence[Channel], trouble: str
) -> tuple[SensorState, str, SendSummary]:
    """Without the staging database: only that it is away, once an hour. Nothing counts as read."""
    now, sent = datetime.now(UTC), SendSummary()
    memory = replace(memory, down_since=memory.down_since or now)
    told, names = dict(memory.told), alert_due(memory, [one.name for one in through], now)
    word = sanitizer(settings)
    made = outage_message(memory, trouble, ends.happened, now, str(settings.dagster_ui_url), word)
    for channel in through:
        if channel.name in names:
            try:
                channel.send(made, 1)
            except SendFailed as error:
                sent.trouble.append(f"{channel.name}: {error}")
            else:
                told[channel.name] = now
                sent.sent += 1
    return replace(memory, told=told), word(trouble), sent
