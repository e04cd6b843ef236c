"""Sends the alerts that wait in the outbox through the configured channels.

The sensor `send_alerts` writes them to the outbox.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from unde_catalog.operations.alerts.channel import Channel, SendFailed
from unde_catalog.operations.alerts.message import Message
from unde_catalog.settings.environment import Settings
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.alerts import outbox

SECONDS = 30.0  # no attempt starts after this time; a sensor has 60 seconds in total
MAX_PER_CHANNEL = 20  # alerts in one call


@dataclass(slots=True)
class SendSummary:
    """The number of delivered alerts, and the errors of the others."""

    sent: int = 0
    errors: list[str] = field(default_factory=list)


def channels(settings: Settings) -> list[Channel]:
    """The channels whose settings are complete; `missing_setting` names what an incomplete one needs."""
    configured: list[Channel] = []
    if settings.notice_webhook_url is not None:
        from unde_catalog.operations.alerts.webhook import Webhook  # here, because importing aiohttp is slow

        secret = settings.notice_webhook_secret
        configured.append(
            Webhook(settings.notice_webhook_url.get_secret_value(), secret.get_secret_value() if secret else None)
        )
    if settings.notice_smtp_url is not None and settings.notice_mail_to:
        from unde_catalog.operations.alerts.mail import Mail

        url = settings.notice_smtp_url.get_secret_value()
        configured.append(Mail(url, settings.notice_mail_to, settings.notice_mail_from))
    return configured


def missing_setting(settings: Settings) -> str | None:
    """The setting that mail still needs; None if its settings are complete or all unset."""
    if settings.notice_smtp_url is not None and not settings.notice_mail_to:
        return "NOTICE_MAIL_TO"
    if settings.notice_mail_to and settings.notice_smtp_url is None:
        return "NOTICE_SMTP_URL"
    return None


def send_pending(db: Database, active: Sequence[Channel], clock: Callable[[], float] = time.monotonic) -> SendSummary:
    """Send the alerts that are due now. After a failure, a channel waits for the next call."""
    summary, deadline = SendSummary(), clock() + SECONDS
    for channel in active:
        for _ in range(MAX_PER_CHANNEL):
            claimed = db.run(outbox.claim, channel.name) if clock() < deadline else None
            if claimed is None:
                break
            try:
                channel.send(Message(**claimed.body), claimed.attempt)
            except SendFailed as error:
                given_up = db.run(outbox.mark_not_sent, claimed, str(error))
                summary.errors.append(f"{channel.name}: {error}" + ("; given up after three days" * given_up))
                break
            db.run(outbox.mark_sent, claimed)
            summary.sent += 1
    return summary
