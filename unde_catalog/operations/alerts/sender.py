"""Sends what waits in the outbox, through the channels that are set. What is written into it is decided elsewhere."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from unde_catalog.operations.alerts.channel import Channel, SendFailed
from unde_catalog.operations.alerts.message import Message
from unde_catalog.settings.environment import Settings
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.alerts import outbox

SECONDS = 30.0  # in which sending begins; a sensor has 60 for everything
MOST = 20  # notices of a channel at one go


@dataclass(slots=True)
class SendSummary:
    """How many arrived, and why others did not."""

    sent: int = 0
    trouble: list[str] = field(default_factory=list)


def channels(settings: Settings) -> list[Channel]:
    """The channels that are set, and set whole; `missing_setting` says what half of one lacks."""
    found: list[Channel] = []
    if settings.notice_webhook_url is not None:
        from unde_catalog.operations.alerts.webhook import Webhook  # here, as aiohttp takes long to import

        secret = settings.notice_webhook_secret
        found.append(
            Webhook(settings.notice_webhook_url.get_secret_value(), secret.get_secret_value() if secret else None)
        )
    if settings.notice_smtp_url is not None and settings.notice_mail_to:
        from unde_catalog.operations.alerts.mail import Mail

        url = settings.notice_smtp_url.get_secret_value()
        found.append(Mail(url, settings.notice_mail_to, settings.notice_mail_from))
    return found


def missing_setting(settings: Settings) -> str | None:
    """The setting without which mail is set by half, None where nothing is missing."""
    if settings.notice_smtp_url is not None and not settings.notice_mail_to:
        return "NOTICE_MAIL_TO"
    if settings.notice_mail_to and settings.notice_smtp_url is None:
        return "NOTICE_SMTP_URL"
    return None


def send_pending(db: Database, through: Sequence[Channel], clock: Callable[[], float] = time.monotonic) -> SendSummary:
    """Send what is to be sent now. A channel's first failure ends its turn: its next one is the next tick's."""
    told, ends = SendSummary(), clock() + SECONDS
    for channel in through:
        for _ in range(MOST):
            taken = db.run(outbox.claim, channel.name) if clock() < ends else None
            if taken is None:
                break
            try:
                channel.send(Message(**taken.body), taken.attempt)
            except SendFailed as error:
                given_up = db.run(outbox.mark_not_sent, taken, str(error))
                told.trouble.append(f"{channel.name}: {error}" + ("; given up after three days" * given_up))
                break
            db.run(outbox.mark_sent, taken)
            told.sent += 1
    return told
