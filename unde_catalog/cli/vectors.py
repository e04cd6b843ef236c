"""`unde-catalog vectors`: show the state of the visual index, rebuild it, or stop building a new model."""

import typer
from rich.console import Console

from unde_catalog.backends import Backends
from unde_catalog.settings.environment import load_settings
from unde_catalog.stores.staging.index import models, vectors

vectors_app = typer.Typer(help="The visual index: embeddings of photos.", no_args_is_help=True)
_console = Console()
_EMPTY = "the visual index is empty: run unde-catalog run visual_index"


@vectors_app.command("status")
def status_command() -> None:
    """Show the models of the index, their state and their number of photos."""
    from unde_catalog.stages.visual_index.open_store import open_mirror

    with Backends(load_settings(), create=False) as backends:
        mirror = open_mirror(backends)
        found = backends.db.run(models.current)
        for model, state in (
            (found.serving, "in use"), (found.building, "being built"), (found.old, "being deleted"),
        ):  # fmt: skip
            if model is not None:
                line = f"{model}: {state}, {backends.db.run(vectors.count, model):,} photos"
                if mirror is not None:
                    line += f", {mirror.count(model):,} in Qdrant"
                _print(line)
        if found.serving is None:
            _print(_EMPTY)


@vectors_app.command("rebuild")
def rebuild_command() -> None:
    """Rebuild the vector store from the stored embeddings. Nothing is embedded again, and searches keep working."""
    from unde_catalog.stages.visual_index.open_store import store_to_rebuild

    with Backends(load_settings(), create=False) as backends:
        serving = backends.db.run(models.current).serving
        if serving is None:
            raise ValueError(_EMPTY)
        _print(f"The index has {store_to_rebuild(backends).rebuild(serving):,} photos of {serving}.")


@vectors_app.command("stop")
def stop_command() -> None:
    """Stop building a new model and delete its embeddings. The model in use stays."""
    from unde_catalog.stages.visual_index.run import clear_old

    with Backends(load_settings(), create=False) as backends:
        stopped = backends.db.run(models.stop_building)
        clear_old(backends.db)
    _print(f"Stopped building {stopped}." if stopped else "No model is being built.")


def _print(message: str) -> None:
    _console.print(message, soft_wrap=True, highlight=False)
