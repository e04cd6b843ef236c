"""The photos of the sandbox's Ximilar: read from `_base64` or `_url` as the real service does, and looked at crudely.

An address is fetched only on this machine's loopback; to any other nothing is sent, as to one that can't be reached.
"""

import asyncio
import base64
import binascii
import io
import ipaddress
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import aiohttp
from PIL import Image, UnidentifiedImageError
from yarl import URL

_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")  # and HEIC, which Pillow can't decode
_HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"mif1", b"msf1")
_MOST_BYTES = 50_000_000
_SECONDS = 10.0
_GRID = (4, 4)


class UnreadablePhotoError(ValueError):
    """No image could be had for a record; the message is the reason."""


@dataclass(slots=True)
class PhotoReader:
    """`pool` is where photos are decoded, so that the loop stays free."""

    pool: ThreadPoolExecutor

    async def look(self, record: Mapping[str, Any]) -> bytes:
        """What the photo of a record looks like: 4 x 4 colours, 48 bytes; none for HEIC.

        `_base64` goes before `_url`. Raises `UnreadablePhotoError`.
        """
        if "_base64" in record:
            body = _decoded(record["_base64"])
        elif "_url" in record:
            body = await _fetched(record["_url"])
        else:
            raise UnreadablePhotoError("the record has neither _url nor _base64")
        return await asyncio.get_running_loop().run_in_executor(self.pool, _look, body)


def _decoded(text: Any) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (TypeError, ValueError, binascii.Error) as error:
        raise UnreadablePhotoError("_base64 is not base64") from error


async def _fetched(address: Any) -> bytes:
    if not isinstance(address, str) or not _on_loopback(address):
        raise UnreadablePhotoError("the image at _url can't be reached")
    body = bytearray()
    try:
        async with (
            aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(_SECONDS), headers={"User-Agent": "Ximilar"}
            ) as session,
            session.get(address, allow_redirects=False) as answer,
        ):
            if answer.status != 200:
                raise UnreadablePhotoError(f"the image at _url was answered with status {answer.status}")
            async for piece in answer.content.iter_chunked(65_536):
                body += piece
                if len(body) > _MOST_BYTES:
                    raise UnreadablePhotoError("the image at _url is too large")
    except (aiohttp.ClientError, TimeoutError) as error:
        raise UnreadablePhotoError(f"the image at _url could not be downloaded: {type(error).__name__}") from error
    return bytes(body)


def _on_loopback(address: str) -> bool:
    try:
        url = URL(address)
        if url.scheme not in ("http", "https") or url.host is None:
            return False
        return url.host == "localhost" or ipaddress.ip_address(url.host).is_loopback
    except ValueError:  # no URL, or a name
        return False


def _look(body: bytes) -> bytes:
    if body[4:8] == b"ftyp" and body[8:12] in _HEIC_BRANDS:
        return b""
    try:
        with Image.open(io.BytesIO(body), formats=_FORMATS) as image:
            image.draft("RGB", (64, 64))  # a JPEG at an eighth of its size: quicker, and a truncated one still raises
            return image.convert("RGB").resize(_GRID, Image.Resampling.BOX).tobytes()
    except UnidentifiedImageError as error:
        raise UnreadablePhotoError("not an image of a supported format (JPEG, PNG, WEBP, HEIC, BMP, TIFF)") from error
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UnreadablePhotoError("the image can't be decoded") from error
