"""`unde-catalog notices`: test the alert channels."""

import uuid
from datetime import UTC, datetime

import typer
from rich.console import Console

from unde_catalog.operations.alerts.channel import SendFailed
from unde_catalog.operations.alerts.message import plain_message
from unde_catalog.operations.alerts.sanitize import sanitizer
from unde_catalog.operations.alerts.sender import channels, missing_setting
from unde_catalog.settings.environment import load_settings

notices_app = typer.Typer(help="Alerts about failed runs and checks.", no_args_is_help=True)

_console = Console()


@notices_app.callback()
def _group() -> None:
    """Alerts about failed runs and checks."""


@notices_app.command("test")
def test_command() -> None:
    """Send a test alert through every configured channel and print the results. Exits with 1 unless all are sent."""
    settings = load_settings()
    missing, active, sanitize = missing_setting(settings), channels(settings), sanitizer(settings)
    if not active and missing is None:
        raise ValueError("no alert channel is set: set NOTICE_WEBHOOK_URL, or NOTICE_SMTP_URL and NOTICE_MAIL_TO")
    detail = "Sent by unde-catalog notices test. Alerts about failed runs and checks arrive here."
    message = plain_message(
        f"test-{uuid.uuid4()}", "test", "test alert", detail, datetime.now(UTC), str(settings.dagster_ui_url)
    )
    failed = missing is not None
    if missing is not None:
        _print(f"mail: not sent: set {missing}")
    for channel in active:
        try:
            channel.send(message, 1)
        except SendFailed as error:
            failed = True
            _print(f"{channel.name}: not sent: {sanitize(str(error))}")
        else:
            _print(f"{channel.name}: sent to {channel.where}")
    raise typer.Exit(1 if failed else 0)


def _print(text: str) -> None:
    _console.print(text, soft_wrap=True, highlight=False, markup=False)
