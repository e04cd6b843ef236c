"""`unde-catalog sandbox`: the state's own sandbox in the foreground, and its settings for other programs."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from unde_catalog.local.ports import listener
from unde_catalog.local.processes import CannotStart
from unde_catalog.sandbox.identity import DEFAULT_PORT
from unde_catalog.sandbox.own import own_sandbox
from unde_catalog.settings.environment import load_settings
from unde_catalog.settings.sources import sandbox_folder

sandbox_app = typer.Typer(help="Run stand-ins for the external services on this machine.", no_args_is_help=True)


@sandbox_app.command("serve")
def sandbox_serve(
    data: Annotated[Path | None, typer.Option(help="Serve this folder (apify_items/<brand>.json and photos).")] = None,
    port: Annotated[
        int | None,
        typer.Option(help=f"Default: the state's own, first {DEFAULT_PORT} or the next free one. 0: any free one."),
    ] = None,
    faults: Annotated[str | None, typer.Option(help="Faults to inject, by kind and rate, e.g. photo:503=0.1.")] = None,
    seed: Annotated[int, typer.Option(help="Seed that decides which requests fail.")] = 0,
) -> None:
    """Serve until Ctrl-C; by default a generated sample catalogue. All commands of this state use it."""
    from unde_catalog.sandbox.serve import PortBusyError, serve

    folder = sandbox_folder(load_settings().home)
    known = own_sandbox(folder)
    if known is not None and (pid := known.pid()) is not None:
        raise CannotStart(f"the sandbox of this state runs at {known.url} already, in process {pid}")
    try:
        serve(port=port, data=data, state_dir=folder, own=True, faults=faults, seed=seed)
    except PortBusyError as error:
        taken = port or (known.port if known else DEFAULT_PORT)
        raise CannotStart(f"port {taken} is in use by {listener(taken)}: choose another one with --port") from error
    except NotADirectoryError as error:
        raise CannotStart(str(error)) from error


@sandbox_app.command("env")
def sandbox_env() -> None:
    """Print the settings of the state's sandbox, for other programs: set -a; eval "$(unde-catalog sandbox env)"; set +a

    The commands of this state need them only where APIFY_TOKEN or STAGING_DB_URL is set, too.
    """
    home = load_settings().home
    found = own_sandbox(sandbox_folder(home))
    if found is None:
        raise ValueError(f"{home} never had a sandbox: start one with unde-catalog sandbox serve")
    for name, value in found.environment().items():
        print(f"{name}={shlex.quote(value)}")
