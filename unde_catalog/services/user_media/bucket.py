"""The private bucket for user media, or a folder in UNDE_HOME if no bucket is set.

It is never the catalogue's bucket, which is public. `object_keys.py` builds the keys, `erasure.py` erases users.
"""

import asyncio
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import obstore
from obstore.exceptions import BaseError

from unde_catalog.settings.environment import Settings
from unde_catalog.settings.s3 import S3Settings
from unde_catalog.settings.user_media import UserMediaSettings
from unde_catalog.stores.objects.directory import directory_store
from unde_catalog.stores.objects.objects import ObjectStore, StorageUnavailable, checked
from unde_catalog.stores.objects.s3 import IN_FLIGHT, S3Store, open_s3

FOLDER = "people"  # in UNDE_HOME
MAX_LINK_AGE = timedelta(days=7)  # the maximum of S3's signatures
RETRY_TIME = timedelta(seconds=20)  # the same as for the catalogue's bucket
_CATALOGUE_FOLDERS = ("originals", "collages", "manifests")  # user media never uses these names
_CACHE_CONTROL = "private, max-age=3600"
_MAX_VALUE_LENGTH = 200  # characters of a metadata value; S3 limits all names and values together to 2,000 bytes
_SETTING_NAMES = {  # the catalogue's setting -> this service's
    "S3_ENDPOINT": "S3_ENDPOINT_URL",
    "S3_BUCKET": "S3_BUCKET_NAME",
    "S3_ACCESS_KEY": "S3_ACCESS_KEY_ID",
    "S3_SECRET_KEY": "S3_SECRET_ACCESS_KEY",
}
_CATALOGUE_SETTING = re.compile(r"\bS3_(ENDPOINT|BUCKET|ACCESS_KEY|SECRET_KEY)\b")


class WrongBucket(ValueError):
    """The bucket set for user media is the catalogue's; the message says what to set."""


def private_bucket(
    settings: UserMediaSettings, catalogue: Settings, *, retry_time: timedelta = RETRY_TIME
) -> "PrivateBucket":
    """The bucket that the settings name; nothing is requested yet. Failed requests are retried for `retry_time`.

    `WrongBucket` if it is the catalogue's, `StorageUnavailable` if the folder cannot be created.
    """
    s3 = settings.bucket()
    if s3 is None:
        return PrivateBucket(directory_store(catalogue.home / FOLDER))
    if catalogue.s3 is not None and (s3.endpoint, s3.bucket) == (catalogue.s3.endpoint, catalogue.s3.bucket):
        raise _wrong(f"{s3.base_url} is the catalogue's bucket, which is public")
    return PrivateBucket(_PrivateS3(open_s3(s3, retry_time), s3, retry_time))


class PrivateBucket:
    """User photos by key.

    `store` lists and deletes; `StorageUnavailable` names the setting to check.
    """

    def __init__(self, store: ObjectStore) -> None:
        self.store = store

    def __repr__(self) -> str:
        return f"PrivateBucket({self.store.where})"

    async def put(self, key: str, data: bytes, content_type: str, metadata: Mapping[str, str]) -> None:
        """Store a photo atomically, replacing an older one. A folder keeps no metadata."""
        if not isinstance(self.store, _PrivateS3):
            await self.store.put_async(key, data, content_type)
            return
        attributes = {
            name: quote(value[:_MAX_VALUE_LENGTH], safe=" @:+=,") for name, value in metadata.items() if value
        }
        await self.store.put_private(
            key, data, {"Content-Type": content_type, "Cache-Control": _CACHE_CONTROL, **attributes}
        )

    async def delete(self, keys: Iterable[str]) -> None:
        """Delete photos, ignoring missing ones. `StorageUnavailable`."""
        await asyncio.to_thread(self.store.delete, list(keys))

    def remove_empty(self, folder: str) -> None:
        """Remove an empty folder on disk, because its name is the id of a user. S3 has no folders."""
        if not isinstance(self.store, _PrivateS3):
            with suppress(OSError):  # not empty, or already removed
                (Path(self.store.where) / checked(folder)).rmdir()

    def url(self, key: str) -> str:
        """`https://<bucket host>/<key>`, which only signed requests can read; `file://` for a folder."""
        return self.store.public_url(key)

    def link(self, key: str, expires_in: timedelta) -> str:
        """A link with which anyone can read the photo until it expires; ValueError for a folder."""
        if not timedelta(seconds=1) <= expires_in <= MAX_LINK_AGE:
            raise ValueError("a link must expire after one second to seven days")
        if not isinstance(self.store, _PrivateS3):
            raise ValueError(f"only an S3 bucket has signed links; the photo is at {self.url(key)}")
        return self.store.signed(key, expires_in)

    def refuse_catalogue(self) -> None:
        """Raise `WrongBucket` if the bucket contains a catalogue, also under another name. `StorageUnavailable`."""
        for folder in _CATALOGUE_FOLDERS:
            if next(iter(self.store.list(folder)), None) is not None:
                raise _wrong(f"{self.store.where} contains a catalogue's {folder}")


class _PrivateS3(S3Store):
    """A bucket whose objects carry metadata; its errors name this service's settings."""

    def __init__(self, backend: obstore.store.S3Store, s3: S3Settings, retry_for: timedelta) -> None:
        super().__init__(backend, s3, None, retry_for)
        self._in_flight = asyncio.Semaphore(IN_FLIGHT)

    async def put_private(self, key: str, data: bytes, attributes: dict[str, str]) -> None:
        """Store an object with one request, without blocking the event loop."""
        try:
            async with self._in_flight:
                await obstore.put_async(self._backend, checked(key), data, attributes=attributes, use_multipart=False)
        except (BaseError, OSError) as error:
            raise self._unavailable(error, "writing", key) from None

    def signed(self, key: str, expires_in: timedelta) -> str:
        """A link to read one object."""
        return obstore.sign(self._backend, "GET", checked(key), expires_in)  # type: ignore[arg-type]

    def _unavailable(self, error: Exception, doing: str, key: str) -> StorageUnavailable:
        message = str(super()._unavailable(error, doing, key)).partition(", or S3_ADDRESSING")[0]  # not a setting here
        return StorageUnavailable(_CATALOGUE_SETTING.sub(lambda match: _SETTING_NAMES[match[0]], message))


def _wrong(reason: str) -> WrongBucket:
    return WrongBucket(f"{reason}: set S3_BUCKET_NAME to a private bucket for user media only")
