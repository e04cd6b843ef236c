"""`unde-catalog pause` and `resume`: what an operator holds up, and lets go on."""

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from unde_catalog.backends import Backends
from unde_catalog.brands import BRANDS
from unde_catalog.operations.upkeep import pause
from unde_catalog.settings.environment import load_settings
from unde_catalog.stage_specs import STAGES

_console = Console()

_Brand = Annotated[str | None, typer.Option("--brand", "-b", help=f"One of {', '.join(BRANDS)}; all if not given.")]
_Stage = Annotated[str | None, typer.Option("--stage", help=f"One of {', '.join(STAGES)}; all if not given.")]


def pause_command(
    brand: _Brand = None,
    stage: _Stage = None,
    why: Annotated[str, typer.Option(help="Shown to whoever wonders.")] = "",
) -> None:
    """Hold up a brand, a stage, one of the other, or everything: nothing new begins there until resume."""
    with Backends(load_settings()) as backends:
        _print(pause.pause(backends.db, brand, stage, why))


def resume_command(brand: _Brand = None, stage: _Stage = None) -> None:
    """End what pause began, also of a part of what is named; without options, everything goes on."""
    with Backends(load_settings()) as backends:
        _print(pause.resume(backends.db, brand, stage))


def _print(text: str) -> None:
    _console.print(escape(text), soft_wrap=True, highlight=False)
