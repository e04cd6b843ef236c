"""`unde-catalog vectors`: how the visual index stands, building it anew, taking back a new model."""

import typer
from rich.console import Console

from unde_catalog.backends import Backends
from unde_catalog.settings.environment import load_settings
from unde_catalog.stores.staging.index import models, vectors

vectors_app = typer.Typer(help="The visual index: embeddings of photos.", no_args_is_help=True)
_console = Console()


@vectors_app.command("status")
def status_command() -> None:
    """Which model answers, whether another one is being built, and how many photos each has."""
    with Backends(load_settings()) as backends:
        now = backends.db.run(models.models)
        for state, model in (("answers", now.serving), ("is being built", now.building), ("is being deleted", now.old)):
            if model is not None:
                _say(f"{model} {state}: {backends.db.run(vectors.count, model):,} photos.")
        if now.serving is None:
            _say("nothing is embedded yet: unde-catalog run visual_index")


@vectors_app.command("rebuild")
def rebuild_command() -> None:
    """Build what is searched anew from the embeddings that are there: nothing is embedded. Searches go on meanwhile."""
    from unde_catalog.stages.visual_index.open_store import store_to_rebuild

    with Backends(load_settings()) as backends:
        serving = backends.db.run(models.models).serving
        if serving is None:
            raise ValueError("nothing is embedded yet: unde-catalog run visual_index")
        _say(f"{store_to_rebuild(backends).rebuild(serving):,} photos by {serving} are searched.")


@vectors_app.command("stop")
def stop_command() -> None:
    """Take back that a new model is built: what it made is deleted, the one that answers stays."""
    from unde_catalog.stages.visual_index.run import clear_old

    with Backends(load_settings()) as backends:
        stopped = backends.db.run(models.stop_building)
        clear_old(backends.db)
    _say(f"{stopped} is not built any more." if stopped else "no model is being built.")


def _say(sentence: str) -> None:
    _console.print(sentence, soft_wrap=True, highlight=False)
