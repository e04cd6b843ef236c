"""`unde-catalog doctor`: the table, or JSON, of what can be reached."""

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
_MARKS = {"green": "✓", "yellow": "!", "red": "✗"}


def doctor_command(
    as_json: Annotated[bool, typer.Option("--json", help="For programs: one JSON object.")] = False,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="NAME", help="Only this service, or all of its kind (apify); can be repeated."),
    ] = None,
) -> None:
    """Ask every service for one real, harmless, free thing, all at once, and say what to set where that fails.

    Green (✓): it works. Yellow (!): not configured, and what stands in for it; or worth a look, and work goes on.
    Red (✗): what needs it can't work. It takes some ten seconds at the most, when a service hangs.

    Nothing is started, billed or left behind: a small object and an event of Dagster's are written and deleted again.
    The exit code is 0 unless a line is red, then 1. Secrets never show.
    """
    # Here, as Dagster and Apify's client take a second to import and are wanted only now.
    from unde_catalog.operations.doctor.run import run_checks
    from unde_catalog.operations.doctor.services import all_checks, chosen
    from unde_catalog.settings.redaction import Secrets

    logging.disable()  # what libraries say of their tries is told in a line, and without secrets
    settings, people = load_settings(), load_user_media_settings()
    with Backends(settings) as backends:
        checks = chosen(all_checks(settings, people, backends), only or [])
        with contextlib.nullcontext() if as_json else _console.status("asking all services ..."):
            diagnosis = run_checks(checks, Secrets(settings, people))
    if as_json:
        print(json.dumps({"well": diagnosis.well, "services": [line.as_dict() for line in diagnosis.lines]}))
    else:
        _show(diagnosis)
    code = 0 if diagnosis.well else 1
    if diagnosis.hung:
        sys.stdout.flush()
        os._exit(code)  # Python's own end would wait for threads of libraries, as for a look-up of a host's name
    raise typer.Exit(code)


def _show(diagnosis: "Diagnosis") -> None:
    table = Table("", "service", "ms", "", box=None, padding=(0, 2, 0, 0))
    table.columns[2].justify = "right"
    table.columns[3].overflow = "fold"
    for line in diagnosis.lines:
        told = Text(line.said)
        for name, wants in line.wants.items():
            if line.state == "red":
                told.append(f"\nset {name}", style="bold").append(f": {wants}")
            else:
                told.append(f"; {name}: {wants}", style="dim")
        took = "" if line.milliseconds is None else f"{line.milliseconds:,}"
        table.add_row(Text(_MARKS[line.state], line.state), Text(line.service, line.state), took, told)
    _console.print(table)
    counts = {state: sum(line.state == state for line in diagnosis.lines) for state in _MARKS}
    _console.print(", ".join(f"{count} {state}" for state, count in counts.items() if count) + ".", highlight=False)
