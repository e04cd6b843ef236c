"""`unde-catalog notices`: trying out where notices go."""

import uuid
from datetime import UTC, datetime

import typer
from rich.console import Console

from unde_catalog.operations.alerts.channel import SendFailed
from unde_catalog.operations.alerts.message import plain
from unde_catalog.operations.alerts.sanitize import sanitizer
from unde_catalog.operations.alerts.sender import channels, missing_setting
from unde_catalog.settings.environment import load_settings

notices_app = typer.Typer(help="What operators are told when something fails.", no_args_is_help=True)

_console = Console()


@notices_app.callback()
def _of_notices() -> None:
    """What operators are told when something fails."""


@notices_app.command("test")
def test_command() -> None:
    """Send a notice through every channel that is set, now, and say what came of it; 1 unless all arrived."""
    settings = load_settings()
    lacking, through, word = missing_setting(settings), channels(settings), sanitizer(settings)
    if not through and lacking is None:
        raise ValueError("no notices are sent: set NOTICE_WEBHOOK_URL, or NOTICE_SMTP_URL and NOTICE_MAIL_TO")
    ui = str(settings.dagster_ui_url)
    said = "Somebody ran unde-catalog notices test. Failures of runs and checks arrive here."
    made = plain(f"test-{uuid.uuid4()}", "test", "a test of notices", said, datetime.now(UTC), ui)
    failed = lacking is not None
    if lacking is not None:
        _print(f"mail: not sent: set {lacking}")
    for channel in through:
        try:
            channel.send(made, 1)
        except SendFailed as error:
            failed = True
            _print(f"{channel.name}: not sent: {word(str(error))}")
        else:
            _print(f"{channel.name}: sent to {channel.where}")
    raise typer.Exit(1 if failed else 0)


def _print(text: str) -> None:
    _console.print(text, soft_wrap=True, highlight=False, markup=False)
