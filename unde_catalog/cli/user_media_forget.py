"""`unde-catalog user-media forget` and `link`: a person's photos deleted, or one of them shown.

The commands that serve are in `user_media.py`.
"""

from datetime import timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.filesize import decimal

from unde_catalog.backends import Backends
from unde_catalog.services.user_media import erasure
from unde_catalog.services.user_media.bucket import PrivateBucket, private_bucket
from unde_catalog.services.user_media.erasure import ErasureResult, PersonObjects
from unde_catalog.settings.environment import load_settings, load_user_media_settings

_console = Console()
_Id = Annotated[int, typer.Argument(min=0, metavar="USER", help="The person's number (user_id).")]


def forget_command(
    user: _Id,
    bot: Annotated[int | None, typer.Option(min=0, help="Only what this bot stored; else all, and the app's.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
) -> None:
    """Delete all photos of a person, and take the person out of all rows and stored answers; 1 if any photo is left.

    Run it again after anything. Answers stay in NATS as long as their streams keep them, and photos in backups.
    """
    bucket = _bucket()
    if not yes:
        found = erasure.find(bucket, user, bot)
        _say(f"{bucket.store.where} holds of {user}: {_objects(found)}.")
        typer.confirm("Delete them, with the rows and answers that name the person?", abort=True)
    with Backends(load_settings()) as backends:
        done = erasure.erase(bucket, backends.db, user, bot)
    _say(f"Deleted of {user}: {_deleted(done)}.")
    if done.arrived:
        _say(f"{done.arrived:,} of them came while this ran.")
    if done.left:
        _say(f"{done.left:,} photos have come since and are still there: run it again.")
    raise typer.Exit(1 if done.left else 0)


def link_command(
    key: Annotated[str, typer.Argument(help="A photo's key, as s3_key of an answer.")],
    minutes: Annotated[float, typer.Option(min=0.1, max=7 * 24 * 60, help="How long the link lasts.")] = 60,
) -> None:
    """Print a link with which anyone can read one photo for so long."""
    bucket = _bucket()
    if not bucket.store.exists(key):
        raise ValueError(f"there is no photo {key} in {bucket.store.where}")
    print(bucket.link(key, timedelta(minutes=minutes)))


def _bucket() -> PrivateBucket:
    return private_bucket(load_user_media_settings(), load_settings())


def _objects(found: PersonObjects) -> str:
    size = sum(info.size for info in found.objects)
    return _counts(len(found.training), len(found.inference), len(found.app), size)


def _deleted(done: ErasureResult) -> str:
    objects = _counts(done.training, done.inference, done.app, done.bytes)
    return f"{objects}; {done.rows:,} rows of photos, and the person in {done.requests:,} requests and their answers"


def _counts(training: int, inference: int, app: int, size: int) -> str:
    return f"{training:,} photos for training, {inference:,} for searches, {app:,} of the app's own ({decimal(size)})"


def _say(sentence: str) -> None:
    _console.print(sentence, soft_wrap=True, highlight=False, markup=False)
