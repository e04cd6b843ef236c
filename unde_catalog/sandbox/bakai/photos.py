"""BakaiMarket's photos: all different and all predictable. No HTTP belongs here.

A photo is one of a few drawn pictures plus JPEG comments that name product and number and pad it to its own size. So
thousands can be served a second, a listing has every size without drawing, and a test computes the bytes that it must
have received: `photo(product, n)`. The same arguments give the same bytes in every process with the same Pillow.
"""

import io
import random
from functools import lru_cache
from typing import Literal

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from unde_catalog.sandbox.bakai.catalogue import BakaiOverrides, BakaiProduct, photo_key
from unde_catalog.sandbox.bakai.sample import rows
from unde_catalog.sandbox.identity import stable_int
from unde_catalog.sandbox.photos import garments
from unde_catalog.sandbox.photos.drawing.things import HOUSEHOLD

PhotoKind = Literal["plain", "png", "small", "huge", "broken", "cmyk"]
ODD_KINDS: tuple[PhotoKind, ...] = ("png", "small", "huge", "broken", "cmyk")
HUGE_BYTES = 21_000_000
EDITION = 2  # part of the ETags; increase it when the bytes of photos change
_SMALL_SIDE = 40  # pixels, of a photo that is too small
_VIEWS = {"worn": ("p", "a1", "e2", "e1"), "household": ("p", "a2", "e2", "e1")}
# Bytes: the minimum of a photo, the range above it, and the maximum of a drawn picture.
_ORDINARY, _LARGE = (28_000, 5_000, 27_900), (570_000, 60_000, 569_000)
_COMMENT = b"\xff\xfe"
_MAX_COMMENT_BYTES = 65_533


def photo(product: BakaiProduct, n: int, overrides: BakaiOverrides | None = None) -> bytes:
    """Returns photo n (from 1) of a product as served: about 30 KB, or about 600 KB if `overrides.large`."""
    overrides = overrides or BakaiOverrides()
    match kind_of(product, n, overrides.odd):
        case "plain":
            return _pad(picture(product, n, overrides.large), _comment(product, n), _size(product, n, overrides.large))
        case "huge":
            return _pad(picture(product, n, False), _comment(product, n), HUGE_BYTES)
        case "broken":
            whole = _pad(picture(product, n, False), _comment(product, n), _size(product, n, False))
            return whole[: len(whole) // 2]
        case kind:
            return _convert(picture(product, n, False), kind, _comment(product, n).decode())


def photo_bytes(product: BakaiProduct, n: int, overrides: BakaiOverrides) -> int:
    """Returns the size of photo n; an ordinary one is not drawn for that."""
    kind = kind_of(product, n, overrides.odd)
    return _size(product, n, overrides.large) if kind == "plain" else len(photo(product, n, overrides))


def kind_of(product: BakaiProduct, n: int, odd: int) -> PhotoKind:
    """Returns a photo's kind.

    Of every `odd` consecutive products (0: none), the first five have an odd first photo, one of each of `ODD_KINDS`.
    """
    index = product.number % odd if odd else len(ODD_KINDS)
    return ODD_KINDS[index] if n == 1 and index < len(ODD_KINDS) else "plain"


def etag(product: BakaiProduct, n: int, overrides: BakaiOverrides) -> str:
    """Returns an ETag that changes with the bytes of the photo (S3 does not promise an MD5)."""
    return f'"{stable_int("bakai", product.id, n, overrides.large, kind_of(product, n, overrides.odd), EDITION):016x}"'


def picture(product: BakaiProduct, n: int, large: bool) -> bytes:
    """Returns the drawn JPEG of a photo; drawing it for the first time takes a tenth of a second."""
    return _picture(*picture_key(product, n, large))


def picture_key(product: BakaiProduct, n: int, large: bool) -> tuple[int, int, bool]:
    """Returns the key of a photo's picture: the row of the sample table, the photo's number, whether it is large."""
    return product.number % len(rows()), n, large


@lru_cache(maxsize=640)  # 40 products, 4 views, 2 sizes: 5 MB of the ordinary size, 90 MB of the large one
def _picture(row_number: int, n: int, large: bool) -> bytes:
    row = rows()[row_number]
    view = _VIEWS["household" if row.cut in HOUSEHOLD else "worn"][n - 1]
    seed = stable_int("bakai", row_number) % 2**31
    drawing = garments.picture(row.cut, row.colour, row.accent, row.pattern, view, seed)
    if large:
        return _encode(_add_grain(drawing, row_number), range(95, 20, -3), _LARGE[2])
    small = drawing.resize((560, 840), Image.Resampling.BICUBIC, reducing_gap=2)
    return _encode(small, range(88, 20, -3), _ORDINARY[2])


def _encode(image: Image.Image, qualities: range, max_bytes: int) -> bytes:
    """Returns a JPEG of at most `max_bytes`, in the first of the qualities that allows it."""
    for quality in qualities:
        out = io.BytesIO()
        image.save(out, "JPEG", quality=quality)
        if out.tell() <= max_bytes:
            return out.getvalue()
    raise AssertionError(f"no quality fits into {max_bytes} bytes")


def _add_grain(image: Image.Image, seed: int) -> Image.Image:
    """Adds the noise of a photo taken in low light, which makes the JPEG large."""
    grain = Image.frombytes("L", image.size, random.Random(seed).randbytes(image.width * image.height))
    return Image.blend(image, Image.merge("RGB", (grain, grain, grain)), 0.07)


def _size(product: BakaiProduct, n: int, large: bool) -> int:
    minimum, spread, _ = _LARGE if large else _ORDINARY
    return minimum + stable_int("bakai size", product.id, n) % spread


def _comment(product: BakaiProduct, n: int) -> bytes:
    return f"bakai {photo_key(product.id, n)} ".encode()


def _pad(jpeg: bytes, text: bytes, size: int) -> bytes:
    """Pads a JPEG to `size` bytes with comments after its JFIF header, each of which begins with the text."""
    header = 4 + int.from_bytes(jpeg[4:6], "big")  # start of image, marker, and the marker's segment
    comments = []
    missing = size - len(jpeg)
    while missing > 0:
        # Never leave less than another comment needs.
        length = min(missing - 4, _MAX_COMMENT_BYTES)
        if 0 < missing - 4 - length < 4 + len(text):
            length -= 4 + len(text)
        comments.append(_COMMENT + (length + 2).to_bytes(2, "big") + text.ljust(length)[:length])
        missing -= length + 4
    return b"".join((jpeg[:header], *comments, jpeg[header:]))


def _convert(jpeg: bytes, kind: PhotoKind, name: str) -> bytes:
    """Returns the picture as a PNG, with sides of 40 pixels, or in CMYK."""
    out = io.BytesIO()
    with Image.open(io.BytesIO(jpeg)) as image:
        match kind:
            case "png":
                text = PngInfo()
                text.add_text("Comment", name)
                image.save(out, "PNG", compress_level=1, pnginfo=text)
            case "small":
                image.resize((_SMALL_SIDE, _SMALL_SIDE)).save(out, "JPEG", comment=name)
            case _:
                image.convert("CMYK").save(out, "JPEG", comment=name)
    return out.getvalue()
