"""Deletes all that is kept of a person: photos of all bots, the app's own media, rows and stored answers.

Messages that NATS still holds go with their streams' age; backups of either store are not reached from here.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from unde_catalog.services.user_media import object_keys
from unde_catalog.services.user_media.bucket import PrivateBucket
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.objects.objects import ObjectInfo, ObjectStore
from unde_catalog.stores.staging.user_media.erasure import erase_rows

_AT_ONCE = 8  # requests to the store
_LOOKS = 3


@dataclass(frozen=True, slots=True)
class PersonObjects:
    """What the bucket holds of a person: keys and bytes of photos to train on, for one search, and of the app's own."""

    training: tuple[ObjectInfo, ...] = ()
    inference: tuple[ObjectInfo, ...] = ()
    app: tuple[ObjectInfo, ...] = ()

    @property
    def objects(self) -> tuple[ObjectInfo, ...]:
        """All of them."""
        return self.training + self.inference + self.app


@dataclass(frozen=True, slots=True)
class ErasureResult:
    """How many objects of each kind were deleted, their bytes, and the rows that named the person.

    `arrived` of them came while it ran; `left` came even later and are still there.
    """

    training: int = 0
    inference: int = 0
    app: int = 0
    bytes: int = 0
    requests: int = 0
    rows: int = 0
    arrived: int = 0
    left: int = 0


def find(bucket: PrivateBucket, user_id: int, bot_id: int | None = None) -> PersonObjects:
    """What there is; for one bot only what it stored, not the app's own. `StorageUnavailable`, `BadKey`.

    Which bots have stored something of a person nobody but the bucket knows for sure: each of its folders is asked.
    """
    store = bucket.store
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        training = [
            object_keys.person_folders(bot, user_id)[0] for bot in _bots(store, object_keys.TRAINING_ROOT, bot_id)
        ]
        inference = [
            object_keys.person_folders(bot, user_id)[1] for bot in _bots(store, object_keys.INFERENCE_ROOT, bot_id)
        ]
        app = object_keys.app_folders(user_id) if bot_id is None else ()
        listed = [tuple(pool.map(lambda folder: list(store.list(folder)), of)) for of in (training, inference, app)]
    return PersonObjects(*(tuple(info for found in folders for info in found) for folders in listed))


def erase(
    bucket: PrivateBucket,
    db: Database,
    user_id: int,
    bot_id: int | None = None,
    tell: Callable[[ErasureResult], None] = lambda so_far: None,
) -> ErasureResult:
    """Delete it, rows first: from then on whoever has a request of that person in hand takes away what he stores.

    Run it again after anything. `tell` hears of every look. `StorageUnavailable`, `DatabaseUnavailable`, `BadKey`.
    """
    so_far = _with_rows(db, ErasureResult(), user_id, bot_id)
    for look in range(_LOOKS):
        found = find(bucket, user_id, bot_id)
        if not found.objects:
            break
        if look == _LOOKS - 1:
            return replace(so_far, left=len(found.objects))
        _delete(bucket, found.objects)
        so_far = replace(
            _with_rows(db, so_far, user_id, bot_id),  # what was begun in between
            training=so_far.training + len(found.training),
            inference=so_far.inference + len(found.inference),
            app=so_far.app + len(found.app),
            bytes=so_far.bytes + sum(info.size for info in found.objects),
            arrived=so_far.arrived + (len(found.objects) if look else 0),
        )
        tell(so_far)
    return so_far


def _with_rows(db: Database, so_far: ErasureResult, user_id: int, bot_id: int | None) -> ErasureResult:
    rows = db.run(erase_rows, user_id, bot_id)
    return replace(so_far, requests=so_far.requests + rows.requests, rows=so_far.rows + rows.photos)


def _bots(store: ObjectStore, root: str, bot_id: int | None) -> Iterable[int | str]:
    """The bots that may have stored something: all folders with a number for a name, which are people's, too."""
    return [bot_id] if bot_id is not None else filter(object_keys.is_number, store.folders(root))


def _delete(bucket: PrivateBucket, objects: Iterable[ObjectInfo]) -> None:
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for _ in pool.map(lambda info: bucket.store.delete([info.key]), objects):
            pass
    for folder in _folders(objects):
        bucket.remove_empty(folder)


def _folders(objects: Iterable[ObjectInfo]) -> Iterator[str]:
    """The folders that were emptied, the deepest first; never the root."""
    found = set()
    for info in objects:
        parts = info.key.split("/")[:-1]
        found |= {"/".join(parts[:n]) for n in range(1, len(parts) + 1)}
    yield from sorted(found, key=lambda folder: -folder.count("/"))
