"""Notices: where they go, what waits to be sent, and whether the mail server lets us in. None is sent."""

import psycopg

from unde_catalog.operations.alerts.channel import SendFailed
from unde_catalog.operations.alerts.mail import Mail
from unde_catalog.operations.alerts.sender import channels, missing_setting
from unde_catalog.operations.doctor.databases import Databases
from unde_catalog.operations.doctor.result import Finding, green, not_configured, red, yellow
from unde_catalog.stores.db.database import DatabaseUnavailable
from unde_catalog.stores.embedded.errors import EmbeddedPostgresError
from unde_catalog.stores.staging.alerts import outbox
from unde_catalog.text import first_line

_MAIL_SECONDS = 8.0  # less than a look may take


def look_at_notices(databases: Databases) -> Finding:
    """The channels that are set. A webhook takes no question: its last answers are what is known of it."""
    settings = databases.settings
    lacking = missing_setting(settings)
    if lacking is not None:
        return red("no mail goes out", lacking)
    through = channels(settings)
    if not through:
        return not_configured("nobody is told what fails", "NOTICE_WEBHOOK_URL", "NOTICE_SMTP_URL")
    if settings.notice_smtp_url is not None:
        mail = Mail(settings.notice_smtp_url.get_secret_value(), settings.notice_mail_to, seconds=_MAIL_SECONDS)
        try:
            mail.check()
        except SendFailed as error:
            return red(str(error), "NOTICE_SMTP_URL")
    told = ", ".join(f"{one.name} {one.where}" for one in through)
    try:
        with databases.staging() as db:
            standing = db.run(outbox.pending, [one.name for one in through])
    except (DatabaseUnavailable, EmbeddedPostgresError, psycopg.Error) as error:
        return yellow(f"{told}; what waits can't be told: {first_line(error)}")
    stuck = [one for one in standing if one.error is not None or one.given_up]
    if stuck:
        return yellow("; ".join(_stuck(one) for one in stuck), *(_SETTING[one.channel] for one in stuck))
    by_itself = "" if settings.automation == "on" else "; nothing is sent while AUTOMATION is off"
    return green(f"{told}{by_itself}; try it with unde-catalog notices test")


_SETTING = {"webhook": "NOTICE_WEBHOOK_URL", "mail": "NOTICE_SMTP_URL"}


def _stuck(one: outbox.PendingAlert) -> str:
    given_up = f", {one.given_up} were given up" if one.given_up else ""
    return f"{one.channel}: {one.pending} notices wait{given_up}: {one.error}"
