"""Whether the configured bucket is the one that a deployed database names, before thousands of photos count as lost."""

from collections.abc import Sequence

from unde_catalog.backends import Backends
from unde_catalog.stores.objects.directory import is_store
from unde_catalog.stores.objects.keys import key_in_url
from unde_catalog.stores.objects.objects import ObjectMissing, ObjectStore, StorageUnavailable, is_usable
from unde_catalog.stores.objects.open import configured_store


def obstacle(backends: Backends, urls: Sequence[str]) -> str | None:
    """Why these photos' bucket can't be the configured one: it can't be read, or most of them are not there.

    Nothing is changed, and no folder is created.
    """
    keys = [key for url in urls if (key := key_in_url(url)) is not None]
    if not keys:
        return None
    settings = backends.settings
    if settings.s3 is None and not is_store(settings.objects_folder):
        missing, where = len(keys), str(settings.objects_folder)
    else:
        try:
            store = configured_store(settings)
            missing, where = sum(not _is_there(store, key) for key in keys), store.where
        except StorageUnavailable as error:
            return str(error)
    if 2 * missing <= len(keys):
        return None
    return (
        f"of {len(keys)} photos that rows name, {missing} are not in {where}: check S3_ENDPOINT and S3_BUCKET, or all "
        "would be fetched again. If they are really lost, repeat with --lost-objects"
    )


def _is_there(store: ObjectStore, key: str) -> bool:
    if is_usable(key):
        return store.exists(key)
    try:
        store.get_named(key)
    except (ObjectMissing, ValueError):
        return False
    return True
