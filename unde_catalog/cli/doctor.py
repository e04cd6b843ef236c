"""`unde-catalog doctor`: prints the check of every service as a table or as JSON."""

import contextlib
import json
import logging
import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from unde_catalog.backends import Backends
from unde_catalog.settings.environment import load_settings, load_user_media_settings

if TYPE_CHECKING:
    from unde_catalog.operations.doctor.run import Diagnosis

_console = Console()
_UNKNOWN = "unknown while sandbox is red"  # one row for all of them
_MARKS = {"green": "✓", "yellow": "!", "red": "✗"}


def doctor_command(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for programs.")] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only", metavar="NAME", help="Check only this service, or all of a kind such as apify; repeatable."
        ),
    ] = None,
) -> None:
    """Check every service with one harmless, free request, and name the settings to change.

    Green (✓): it works. Yellow (!): not configured, or it works with a remark. Red (✗): work that needs it fails.
    All checks run at once and take at most ten seconds.

    Nothing is started or billed. A test object and an event of Dagster's are written and deleted again.
    Exits with 1 if a line is red. Secrets are never printed.
    """
    # Imported here, because Dagster and Apify's client take a second to import.
    from unde_catalog.operations.doctor.run import run_checks
    from unde_catalog.operations.doctor.services import all_checks, select_checks
    from unde_catalog.settings.redaction import Secrets

    logging.disable()  # the lines report the errors of libraries, without secrets
    settings, user_media = load_settings(), load_user_media_settings()
    with Backends(settings, create=False) as backends:
        checks = select_checks(all_checks(settings, user_media, backends), only or [])
        with contextlib.nullcontext() if as_json else _console.status("checking all services ..."):
            diagnosis = run_checks(checks, Secrets(settings, user_media))
    if as_json:
        print(json.dumps({"well": diagnosis.well, "services": [line.as_dict() for line in diagnosis.lines]}))
    else:
        _show(diagnosis)
    code = 0 if diagnosis.well else 1
    if diagnosis.hung:
        sys.stdout.flush()
        os._exit(code)  # a normal exit would wait for threads of libraries, such as a DNS lookup
    raise typer.Exit(code)


def _show(diagnosis: "Diagnosis") -> None:
    table = Table("", "service", "ms", "", box=None, padding=(0, 2, 0, 0))
    table.columns[2].justify = "right"
    table.columns[3].overflow = "fold"
    unknown = [line.service for line in diagnosis.lines if line.message == _UNKNOWN]
    for line in diagnosis.lines:
        if line.message == _UNKNOWN:
            continue
        message = Text(line.message)
        for name, expected in line.expected.items():
            if line.state == "red":
                message.append(f"\nset {name}", style="bold").append(f": {expected}")
            else:
                message.append(f"; {name}: {expected}", style="dim")
        took = "" if line.milliseconds is None else f"{line.milliseconds:,}"
        table.add_row(Text(_MARKS[line.state], line.state), Text(line.service, line.state), took, message)
        if line.service == "sandbox" and unknown:
            names = Text(f"{_UNKNOWN}: {', '.join(unknown)}")
            table.add_row(Text(_MARKS["yellow"], "yellow"), Text(f"{len(unknown)} services", "yellow"), "", names)
    _console.print(table)
    counts = {state: sum(line.state == state for line in diagnosis.lines) for state in _MARKS}
    _console.print(", ".join(f"{count} {state}" for state, count in counts.items() if count) + ".", highlight=False)
