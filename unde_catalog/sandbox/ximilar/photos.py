"""The photos of records: read from `_base64` or `_url` as by the real service, and reduced to a thumbnail.

Only URLs on loopback are requested; any other counts as unreachable.
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
_MAX_BYTES = 50_000_000
_TIMEOUT_SECONDS = 10.0
_GRID = (4, 4)


class UnreadablePhotoError(ValueError):
    """A record's image cannot be read; the message is the reason."""


@dataclass(slots=True)
class PhotoReader:
    """Reads photos; they are decoded in `pool`, which keeps the event loop free."""

    pool: ThreadPoolExecutor

    async def thumbnail(self, record: Mapping[str, Any]) -> bytes:
        """Returns a record's photo as 4 x 4 RGB pixels (48 bytes), or empty bytes for HEIC.

        `_base64` takes precedence over `_url`. Raises `UnreadablePhotoError`.
        """
        if "_base64" in record:
            body = _decode_base64(record["_base64"])
        elif "_url" in record:
            body = await _fetch(record["_url"])
        else:
            raise UnreadablePhotoError("the record has neither _url nor _base64")
        return await asyncio.get_running_loop().run_in_executor(self.pool, _thumbnail, body)


def _decode_base64(text: Any) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (TypeError, ValueError, binascii.Error) as error:
        raise UnreadablePhotoError("_base64 is not base64") from error


async def _fetch(url: Any) -> bytes:
    if not isinstance(url, str) or not _is_loopback(url):
        raise UnreadablePhotoError("the image at _url can't be reached")
    body = bytearray()
    try:
        async with (
            aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(_TIMEOUT_SECONDS), headers={"User-Agent": "Ximilar"}
            ) as session,
            session.get(url, allow_redirects=False) as response,
        ):
            if response.status != 200:
                raise UnreadablePhotoError(f"the image at _url was answered with status {response.status}")
            async for chunk in response.content.iter_chunked(65_536):
                body += chunk
                if len(body) > _MAX_BYTES:
                    raise UnreadablePhotoError("the image at _url is too large")
    except (aiohttp.ClientError, TimeoutError) as error:
        raise UnreadablePhotoError(f"the image at _url could not be downloaded: {type(error).__name__}") from error
    return bytes(body)


def _is_loopback(text: str) -> bool:
    try:
        url = URL(text)
        if url.scheme not in ("http", "https") or url.host is None:
            return False
        return url.host == "localhost" or ipaddress.ip_address(url.host).is_loopback
    except ValueError:  # not a URL, or a host name
        return False


def _thumbnail(body: bytes) -> bytes:
    if body[4:8] == b"ftyp" and body[8:12] in _HEIC_BRANDS:
        return b""
    try:
        with Image.open(io.BytesIO(body), formats=_FORMATS) as image:
            image.draft("RGB", (64, 64))  # decodes a JPEG at 1/8: faster, and a truncated one still raises
            return image.convert("RGB").resize(_GRID, Image.Resampling.BOX).tobytes()
    except UnidentifiedImageError as error:
        raise UnreadablePhotoError("not an image of a supported format (JPEG, PNG, WEBP, HEIC, BMP, TIFF)") from error
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UnreadablePhotoError("the image can't be decoded") from error
