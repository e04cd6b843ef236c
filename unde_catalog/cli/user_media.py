"""`unde-catalog user-media`: the service for people's photos, and what its messages look like."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from unde_catalog.backends import Backends
from unde_catalog.cli.user_media_forget import forget_command, link_command
from unde_catalog.settings.environment import load_settings, load_user_media_settings

user_media_app = typer.Typer(help="People's photos, from Telegram to their private bucket.", no_args_is_help=True)
user_media_app.command("forget")(forget_command)
user_media_app.command("link")(link_command)
_console = Console()


@user_media_app.command("serve")
def serve_command(
    ack_wait: Annotated[
        float, typer.Option(min=1, max=3_600, help="Seconds after which a silent process's requests go to another one.")
    ] = 30,
) -> None:
    """Take requests from NATS until SIGTERM or Ctrl-C, and answer them; a line of JSON for each in the log."""
    import asyncio

    try:
        from unde_catalog.services.user_media.server import serve
    except ImportError as error:
        raise ValueError(
            f"the service needs the extra user-media: pip install 'unde-catalog[user-media]' ({error})"
        ) from error
    from unde_catalog.services.user_media.bucket import private_bucket
    from unde_catalog.services.user_media.logs import log_as_json, secrets_of

    settings, house = load_user_media_settings(), load_settings()
    settings.bot_token()
    bucket = private_bucket(settings, house)
    bucket.refuse_catalogue()
    bucket.store.remove_leftovers(datetime.now(UTC) - timedelta(days=1))  # of those who were killed while they wrote
    log_as_json(settings.log_level, secrets_of(settings))
    with Backends(house) as backends:
        asyncio.run(serve(settings, backends, bucket, ack_wait))


@user_media_app.command("schema")
def schema_command(
    out: Annotated[Path | None, typer.Option(help="A folder to write a file for each message to.")] = None,
) -> None:
    """The messages as JSON Schema, all in one object or a file each."""
    import json

    from unde_catalog.services.user_media import schemas

    if out is None:
        print(json.dumps(schemas.schemas(), indent=2))
        return
    for file in schemas.write(out):
        _console.print(str(file), highlight=False, markup=False, soft_wrap=True)


@user_media_app.command("asyncapi")
def asyncapi_command() -> None:
    """The service as an AsyncAPI document, in JSON."""
    from unde_catalog.services.user_media.asyncapi import document

    print(document())
