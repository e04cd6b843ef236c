"""`unde-catalog user-media forget` and `link`: erase a user, or create a link to one photo.

The commands for the service are in `user_media.py`.
"""

from datetime import timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.filesize import decimal

from unde_catalog.backends import Backends
from unde_catalog.services.user_media import erasure
from unde_catalog.services.user_media.bucket import PrivateBucket, private_bucket
from unde_catalog.services.user_media.erasure import ErasureResult, UserObjects
from unde_catalog.settings.environment import load_settings, load_user_media_settings

_console = Console()
_UserId = Annotated[int, typer.Argument(min=0, metavar="USER", help="The user's number (user_id).")]


def forget_command(
    user: _UserId,
    bot: Annotated[
        int | None, typer.Option(min=0, help="Erase only what this bot stored, not the media of the app.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
) -> None:
    """Erase a user: delete all photos, and remove the user from rows and recorded results. Exits with 1 if any remain.

    The command can be repeated at any time. Results in NATS expire with their streams; backups are not changed.
    """
    bucket = _bucket()
    if not yes:
        found = erasure.find(bucket, user, bot)
        _print(f"User {user} has in {bucket.store.where}: {_found(found)}.")
        typer.confirm("Delete them, and remove the user from rows and recorded results?", abort=True)
    with Backends(load_settings(), create=False) as backends:
        result = erasure.erase(bucket, backends.db, user, bot)
    _print(f"Erased user {user}: {_erased(result)}.")
    if result.arrived:
        _print(f"{result.arrived:,} of these photos arrived during the erasure.")
    if result.left:
        _print(f"{result.left:,} photos arrived even later and remain: run the command again.")
    raise typer.Exit(1 if result.left else 0)


def link_command(
    key: Annotated[str, typer.Argument(help="The photo's key: s3_key in a result.")],
    minutes: Annotated[float, typer.Option(min=0.1, max=7 * 24 * 60, help="Minutes until the link expires.")] = 60,
) -> None:
    """Print a link with which anyone can read one photo until the link expires."""
    bucket = _bucket()
    if not bucket.store.exists(key):
        raise ValueError(f"there is no photo {key} in {bucket.store.where}")
    print(bucket.link(key, timedelta(minutes=minutes)))


def _bucket() -> PrivateBucket:
    return private_bucket(load_user_media_settings(), load_settings())


def _found(found: UserObjects) -> str:
    size = sum(info.size for info in found.objects)
    return _counts(len(found.training), len(found.inference), len(found.app), size)


def _erased(result: ErasureResult) -> str:
    objects = _counts(result.training, result.inference, result.app, result.bytes)
    return f"{objects}, {result.rows:,} photo rows, and the user's data in {result.requests:,} requests"


def _counts(training: int, inference: int, app: int, size: int) -> str:
    return f"{training:,} training photos, {inference:,} search photos, {app:,} objects of the app ({decimal(size)})"


def _print(sentence: str) -> None:
    _console.print(sentence, soft_wrap=True, highlight=False, markup=False)
