"""Erases a user: photos stored by all bots, the app's own media, rows, and recorded results.

Messages in NATS expire with their streams, and backups of the bucket and the database are not changed.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from unde_catalog.services.user_media import object_keys
from unde_catalog.services.user_media.bucket import PrivateBucket
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.objects.objects import ObjectInfo, ObjectStore
from unde_catalog.stores.staging.user_media.erasure import erase_rows

_CONCURRENCY = 8  # requests to the object store
_PASSES = 3


@dataclass(frozen=True, slots=True)
class UserObjects:
    """The objects of a user in the bucket: photos for training, photos for searches, and the app's own media."""

    training: tuple[ObjectInfo, ...] = ()
    inference: tuple[ObjectInfo, ...] = ()
    app: tuple[ObjectInfo, ...] = ()

    @property
    def objects(self) -> tuple[ObjectInfo, ...]:
        """All of them."""
        return self.training + self.inference + self.app


@dataclass(frozen=True, slots=True)
class ErasureResult:
    """The number of deleted objects of each kind, their bytes, and the requests and photo rows without the user now.

    `arrived`: deleted objects that were stored during the erasure. `left`: objects that were stored even later.
    """

    training: int = 0
    inference: int = 0
    app: int = 0
    bytes: int = 0
    requests: int = 0
    rows: int = 0
    arrived: int = 0
    left: int = 0


def find(bucket: PrivateBucket, user_id: int, bot_id: int | None = None) -> UserObjects:
    """The user's objects; with a `bot_id` only those of that bot, without the app's. `StorageUnavailable`, `BadKey`.

    Only the bucket knows which bots have stored photos of a user, so this looks into every bot's folder.
    """
    store = bucket.store
    with ThreadPoolExecutor(_CONCURRENCY) as pool:
        training = [
            object_keys.user_folders(bot, user_id)[0] for bot in _bots(store, object_keys.TRAINING_ROOT, bot_id)
        ]
        inference = [
            object_keys.user_folders(bot, user_id)[1] for bot in _bots(store, object_keys.INFERENCE_ROOT, bot_id)
        ]
        app = object_keys.app_folders(user_id) if bot_id is None else ()
        listed = [tuple(pool.map(lambda folder: list(store.list(folder)), of)) for of in (training, inference, app)]
    return UserObjects(*(tuple(info for objects in folders for info in objects) for folders in listed))


def erase(
    bucket: PrivateBucket,
    db: Database,
    user_id: int,
    bot_id: int | None = None,
    progress: Callable[[ErasureResult], None] = lambda result: None,
) -> ErasureResult:
    """Erase a user; idempotent, so run it again after an error. `progress` is called after each pass over the bucket.

    The rows come first: a process that handles a request of this user then deletes what it stores meanwhile.
    `StorageUnavailable`, `DatabaseUnavailable`, `BadKey`.
    """
    result = _erase_rows(db, ErasureResult(), user_id, bot_id)
    for n in range(_PASSES):
        found = find(bucket, user_id, bot_id)
        if not found.objects:
            break
        if n == _PASSES - 1:
            return replace(result, left=len(found.objects))
        _delete(bucket, found.objects)
        result = replace(
            _erase_rows(db, result, user_id, bot_id),  # of requests that started meanwhile
            training=result.training + len(found.training),
            inference=result.inference + len(found.inference),
            app=result.app + len(found.app),
            bytes=result.bytes + sum(info.size for info in found.objects),
            arrived=result.arrived + (len(found.objects) if n else 0),
        )
        progress(result)
    return result


def _erase_rows(db: Database, result: ErasureResult, user_id: int, bot_id: int | None) -> ErasureResult:
    erased = db.run(erase_rows, user_id, bot_id)
    return replace(result, requests=result.requests + erased.requests, rows=result.rows + erased.photos)


def _bots(store: ObjectStore, root: str, bot_id: int | None) -> Iterable[int | str]:
    """The bots that may have stored photos: every folder named by a number, which includes the folders of users."""
    return [bot_id] if bot_id is not None else filter(object_keys.is_number, store.folders(root))


def _delete(bucket: PrivateBucket, objects: Iterable[ObjectInfo]) -> None:
    with ThreadPoolExecutor(_CONCURRENCY) as pool:
        for _ in pool.map(lambda info: bucket.store.delete([info.key]), objects):
            pass
    for folder in _folders(objects):
        bucket.remove_empty(folder)


def _folders(objects: Iterable[ObjectInfo]) -> Iterator[str]:
    """The folders of the objects, deepest first, without the root."""
    folders = set()
    for info in objects:
        parts = info.key.split("/")[:-1]
        folders |= {"/".join(parts[:n]) for n in range(1, len(parts) + 1)}
    yield from sorted(folders, key=lambda folder: -folder.count("/"))
