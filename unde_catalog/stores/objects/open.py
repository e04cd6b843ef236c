"""Opens the configured object store, or one that is named on the command line."""

from pathlib import Path
from typing import Literal

from unde_catalog.settings.environment import Settings
from unde_catalog.stores.objects.directory import directory_store
from unde_catalog.stores.objects.objects import ObjectStore
from unde_catalog.stores.objects.s3 import s3_store

CONFIGURED = "configured"


def configured_store(settings: Settings) -> ObjectStore:
    """The bucket if `S3_ENDPOINT` is set, else the folder in UNDE_HOME."""
    base_url = str(settings.object_base_url) if settings.object_base_url else None
    if settings.s3 is not None:
        return s3_store(settings.s3, base_url)
    return directory_store(settings.objects_folder, base_url)


def named_store(settings: Settings, name: str, side: Literal["from", "to"]) -> ObjectStore:
    """The store named `configured`, `s3://bucket` or by the path of a folder; ValueError for any other name.

    A folder to copy from must exist; one to copy to is created.
    """
    if name == CONFIGURED:
        return configured_store(settings)
    scheme, separator, bucket = name.partition("://")
    bucket = bucket.rstrip("/")
    if scheme == "s3" and bucket and "/" not in bucket:
        return s3_store(settings.copy_s3(side, bucket))
    if separator:
        raise ValueError(f"{name!r} is no store: use {CONFIGURED}, s3://bucket or a folder")
    folder = Path(name).expanduser()
    if side == "from" and not folder.is_dir():
        raise ValueError(f"there is no folder {folder} to copy from")
    return directory_store(folder)
