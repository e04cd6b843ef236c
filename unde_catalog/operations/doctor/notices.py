"""Checks the alert channels: whether the mail server accepts the login, and whether alerts wait. Sends none."""

import psycopg

from unde_catalog.operations.alerts.channel import SendFailed
from unde_catalog.operations.alerts.mail import Mail
from unde_catalog.operations.alerts.sender import channels, missing_setting
from unde_catalog.operations.doctor.databases import Databases
from unde_catalog.operations.doctor.result import Finding, green, not_configured, red, yellow
from unde_catalog.stores.db.database import DatabaseUnavailable
from unde_catalog.stores.embedded.errors import EmbeddedPostgresError
from unde_catalog.stores.staging.alerts import outbox
from unde_catalog.text import first_line, quantity

_MAIL_SECONDS = 8.0  # less than a check may take
_SETTINGS = {"webhook": "NOTICE_WEBHOOK_URL", "mail": "NOTICE_SMTP_URL"}


def check_alerts(databases: Databases) -> Finding:
    """The configured channels. A webhook cannot be tested without an alert, so its last errors are reported."""
    settings = databases.settings
    missing = missing_setting(settings)
    if missing is not None:
        return red(f"no mail is sent: {missing} is not set", missing)
    active = channels(settings)
    if not active:
        return not_configured("failures send no alerts", "NOTICE_WEBHOOK_URL", "NOTICE_SMTP_URL")
    if settings.notice_smtp_url is not None:
        mail = Mail(settings.notice_smtp_url.get_secret_value(), settings.notice_mail_to, seconds=_MAIL_SECONDS)
        try:
            mail.check()
        except SendFailed as error:
            return red(str(error), "NOTICE_SMTP_URL")
    names = ", ".join(f"{channel.name} {channel.where}" for channel in active)
    try:
        with databases.staging() as db:
            statuses = db.run(outbox.pending, [channel.name for channel in active])
    except (DatabaseUnavailable, EmbeddedPostgresError, psycopg.Error) as error:
        return yellow(f"{names}; cannot read the waiting alerts: {first_line(error)}")
    stuck = [status for status in statuses if status.error is not None or status.given_up]
    if stuck:
        return yellow("; ".join(map(_describe, stuck)), *(_SETTINGS[status.channel] for status in stuck))
    automation = "" if settings.automation == "on" else "; no alerts are sent while AUTOMATION is off"
    return green(f"{names}{automation}; test with unde-catalog notices test")


def _describe(status: outbox.PendingAlert) -> str:
    given_up = f", {status.given_up:,} given up in the last week" if status.given_up else ""
    return f"{status.channel}: {quantity(status.pending, 'alert')} waiting{given_up}: {status.error}"
