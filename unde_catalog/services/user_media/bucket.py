"""The private bucket that people's photos lie in, or a folder in UNDE_HOME while none is set.

Never the catalogue's bucket, which anyone may read. Where in it a photo lies is `object_keys.py`; who may forget one is
`erasure.py`.
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
LONGEST_LINK = timedelta(days=7)  # S3 signs for no longer
REPEATED_FOR = timedelta(seconds=20)  # as the catalogue's
_CATALOGUES_OWN = ("originals", "collages", "manifests")  # no folder of people's photos has such a name
_CACHE_CONTROL = "private, max-age=3600"
_LONGEST_VALUE = 200  # characters of a metadata value; S3 takes 2,000 bytes of all names and values
_NAMES = {
    "S3_ENDPOINT": "S3_ENDPOINT_URL",
    "S3_BUCKET": "S3_BUCKET_NAME",
    "S3_ACCESS_KEY": "S3_ACCESS_KEY_ID",
    "S3_SECRET_KEY": "S3_SECRET_ACCESS_KEY",
}
_A_NAME = re.compile(r"\bS3_(ENDPOINT|BUCKET|ACCESS_KEY|SECRET_KEY)\b")


class WrongBucket(ValueError):
    """The bucket set for people's photos is the catalogue's; one sentence with what to do."""


def private_bucket(
    settings: UserMediaSettings, house: Settings, *, repeated_for: timedelta = REPEATED_FOR
) -> "PrivateBucket":
    """The bucket in force; nothing is asked of it yet, and what fails then is asked again for so long.

    `WrongBucket` where it is the catalogue's, `StorageUnavailable` where the folder can't be made.
    """
    s3 = settings.bucket()
    if s3 is None:
        return PrivateBucket(directory_store(house.home / FOLDER))
    if house.s3 is not None and (s3.endpoint, s3.bucket) == (house.s3.endpoint, house.s3.bucket):
        raise _wrong(f"{s3.base_url} is the catalogue's bucket, which anyone may read")
    return PrivateBucket(_PrivateS3(open_s3(s3, repeated_for), s3, None))


class PrivateBucket:
    """People's photos by key.

    `store` is for listing and deleting; `StorageUnavailable` names the setting that mends it.
    """

    def __init__(self, store: ObjectStore) -> None:
        self.store = store

    def __repr__(self) -> str:
        return f"PrivateBucket({self.store.where})"

    async def put(self, key: str, data: bytes, content_type: str, metadata: Mapping[str, str]) -> None:
        """Store a photo whole or not at all, replacing the old one; a folder keeps no metadata."""
        if not isinstance(self.store, _PrivateS3):
            await self.store.put_async(key, data, content_type)
            return
        kept = {name: quote(value[:_LONGEST_VALUE], safe=" @:+=,") for name, value in metadata.items() if value}
        await self.store.put_private(key, data, {"Content-Type": content_type, "Cache-Control": _CACHE_CONTROL, **kept})

    async def delete(self, keys: Iterable[str]) -> None:
        """Delete photos; those that are missing already are fine. `StorageUnavailable`."""
        await asyncio.to_thread(self.store.delete, list(keys))

    def remove_empty(self, folder: str) -> None:
        """Remove a folder on this machine that is empty: its name would still tell of a person. S3 has no folders."""
        if not isinstance(self.store, _PrivateS3):
            with suppress(OSError):  # not empty, or gone: both are fine
                (Path(self.store.where) / checked(folder)).rmdir()

    def url(self, key: str) -> str:
        """`https://<bucket host>/<key>`, which only a signed request may read; `file://` for a folder."""
        return self.store.public_url(key)

    def link(self, key: str, expires_in: timedelta) -> str:
        """A link that lets anyone read the photo for so long; ValueError where there is no S3 to sign it for."""
        if not timedelta(seconds=1) <= expires_in <= LONGEST_LINK:
            raise ValueError("a link lasts from a second to seven days")
        if not isinstance(self.store, _PrivateS3):
            raise ValueError(f"links are signed for an S3 bucket only; the photo is at {self.url(key)}")
        return self.store.signed(key, expires_in)

    def refuse_catalogue(self) -> None:
        """Check that no catalogue is stored there, also under another name: `WrongBucket`, `StorageUnavailable`."""
        for folder in _CATALOGUES_OWN:
            if next(iter(self.store.list(folder)), None) is not None:
                raise _wrong(f"{self.store.where} holds a catalogue's {folder}")


class _PrivateS3(S3Store):
    """A bucket whose objects carry metadata, told of in the names that this service's settings have."""

    def __init__(self, backend: obstore.store.S3Store, s3: S3Settings, public_base_url: str | None) -> None:
        super().__init__(backend, s3, public_base_url)
        self._in_flight = asyncio.Semaphore(IN_FLIGHT)

    async def put_private(self, key: str, data: bytes, attributes: dict[str, str]) -> None:
        """One request, without blocking the event loop."""
        try:
            async with self._in_flight:
                await obstore.put_async(self._backend, checked(key), data, attributes=attributes, use_multipart=False)
        except (BaseError, OSError) as error:
            raise self._down(error, "writing", key) from None

    def signed(self, key: str, expires_in: timedelta) -> str:
        """A link to read one object."""
        return obstore.sign(self._backend, "GET", checked(key), expires_in)  # type: ignore[arg-type]

    def _down(self, error: Exception, doing: str, key: str) -> StorageUnavailable:
        told = str(super()._down(error, doing, key)).partition(", or S3_ADDRESSING")[0]  # it is no setting here
        return StorageUnavailable(_A_NAME.sub(lambda found: _NAMES[found[0]], told))


def _wrong(why: str) -> WrongBucket:
    return WrongBucket(f"{why}: set S3_BUCKET_NAME to a private bucket of people's photos alone")
