"""`unde-catalog pause` and `resume`."""

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

_Brand = Annotated[
    str | None, typer.Option("--brand", "-b", help=f"One of {', '.join(BRANDS)}. All brands by default.")
]
_Stage = Annotated[str | None, typer.Option("--stage", help=f"One of {', '.join(STAGES)}. All stages by default.")]


def pause_command(
    brand: _Brand = None,
    stage: _Stage = None,
    why: Annotated[str, typer.Option(help="The reason, which status and the report show.")] = "",
) -> None:
    """Pause a brand, a stage, a stage of one brand, or everything, until it is resumed.

    No run is requested, and a run in progress starts no more products.
    """
    with Backends(load_settings(), create=False) as backends:
        _print(pause.pause(backends.db, brand, stage, why))


def resume_command(brand: _Brand = None, stage: _Stage = None) -> None:
    """End the pauses of a brand, a stage, a stage of one brand, or everything."""
    with Backends(load_settings(), create=False) as backends:
        _print(pause.resume(backends.db, brand, stage))


def _print(text: str) -> None:
    _console.print(escape(text), soft_wrap=True, highlight=False)
