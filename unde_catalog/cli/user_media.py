"""`unde-catalog user-media`: the user media service and its message formats.

`user_media_forget.py` has the commands for a single user's photos.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from unde_catalog.backends import Backends
from unde_catalog.cli.user_media_forget import forget_command, link_command
from unde_catalog.settings.environment import load_settings, load_user_media_settings

user_media_app = typer.Typer(help="User photos, from Telegram to a private bucket.", no_args_is_help=True)
user_media_app.command("forget")(forget_command)
user_media_app.command("link")(link_command)
_console = Console()


@user_media_app.command("serve")
def serve_command(
    ack_wait: Annotated[
        float,
        typer.Option(min=1, max=3_600, help="Seconds after which the requests of a silent process are redelivered."),
    ] = 30,
) -> None:
    """Process requests from NATS until SIGTERM or Ctrl-C, and publish the results. The log is JSON, one line each."""
    import asyncio

    try:
        from unde_catalog.services.user_media.server import serve
    except ImportError as error:
        raise ValueError(
            f"this command needs the extra user-media: pip install 'unde-catalog[user-media]' ({error})"
        ) from error
    from unde_catalog.services.user_media.bucket import private_bucket
    from unde_catalog.services.user_media.logs import log_as_json, secrets_of

    settings, catalogue = load_user_media_settings(), load_settings()
    settings.bot_token()
    bucket = private_bucket(settings, catalogue)
    bucket.refuse_catalogue()
    bucket.store.remove_leftovers(datetime.now(UTC) - timedelta(days=1))  # of processes killed while writing
    log_as_json(settings.log_level, secrets_of(settings))
    with Backends(catalogue, create=False) as backends:
        asyncio.run(serve(settings, backends, bucket, ack_wait))


@user_media_app.command("schema")
def schema_command(
    out: Annotated[Path | None, typer.Option(help="Write one file per message to this folder.")] = None,
) -> None:
    """Print the messages as JSON Schema, or write them as files."""
    import json

    from unde_catalog.services.user_media import schemas

    if out is None:
        print(json.dumps(schemas.schemas(), indent=2))
        return
    for file in schemas.write(out):
        _console.print(str(file), highlight=False, markup=False, soft_wrap=True)


@user_media_app.command("asyncapi")
def asyncapi_command() -> None:
    """Print the service as an AsyncAPI document in JSON."""
    from unde_catalog.services.user_media.asyncapi import document

    print(document())
