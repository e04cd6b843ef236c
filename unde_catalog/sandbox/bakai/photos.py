"""The photos of the sandbox's BakaiMarket: every one other bytes, all known in advance. No HTTP here.

A few pictures are drawn and kept; a photo is one of them with comments that name product and number and fill it up to
its own size. So thousands a second can be served, a listing knows every size without drawing, and a test computes what
it must have got: `photo(product id, n)`. The same arguments give the same bytes in every process with the same Pillow.
"""

import io
import random
from functools import lru_cache
from typing import Literal

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from unde_catalog.sandbox.bakai.catalogue import BakaiTerms, Good, photo_key
from unde_catalog.sandbox.bakai.sample import rows
from unde_catalog.sandbox.identity import stable_int
from unde_catalog.sandbox.photos import garments
from unde_catalog.sandbox.photos.drawing.household import HOUSEHOLD

Kind = Literal["plain", "png", "small", "huge", "broken", "cmyk"]
ODD: tuple[Kind, ...] = ("png", "small", "huge", "broken", "cmyk")
HUGE_BYTES = 21_000_000
EDITION = 1  # counts changes of how photos are made, for ETags
_SMALL_SIDE = 40  # pixels of a photo that is too small
_VIEWS = {"worn": ("p", "a1", "e2", "e1"), "household": ("p", "a2", "e2", "e1")}
# Bytes: the least of a photo, how far they vary, and what a drawn picture may have at the most.
_ORDINARY, _LARGE = (28_000, 5_000, 27_900), (570_000, 60_000, 569_000)
_COMMENT = b"\xff\xfe"
_LONGEST_COMMENT = 65_533


def photo(good: Good, n: int, terms: BakaiTerms | None = None) -> bytes:
    """Photo n (from 1) of a product, as it is served: about 30 KB, about 600 KB where terms say `large`."""
    terms = terms or BakaiTerms()
    match kind_of(good, n, terms.odd):
        case "plain":
            return _filled(picture(good, n, terms.large), _name(good, n), _size(good, n, terms.large))
        case "huge":
            return _filled(picture(good, n, False), _name(good, n), HUGE_BYTES)
        case "broken":
            whole = _filled(picture(good, n, False), _name(good, n), _size(good, n, False))
            return whole[: len(whole) // 2]
        case kind:
            return _converted(picture(good, n, False), kind, _name(good, n).decode())


def photo_bytes(good: Good, n: int, terms: BakaiTerms) -> int:
    """How many bytes photo n has; of an ordinary one without drawing it."""
    kind = kind_of(good, n, terms.odd)
    return _size(good, n, terms.large) if kind == "plain" else len(photo(good, n, terms))


def kind_of(good: Good, n: int, odd: int) -> Kind:
    """What is odd about a photo: of each `odd` products in a row (0: none) the first five have an odd first photo, one
    of each kind in the order of `ODD`."""
    place = good.number % odd if odd else len(ODD)
    return ODD[place] if n == 1 and place < len(ODD) else "plain"


def etag(good: Good, n: int, terms: BakaiTerms) -> str:
    """What changes with the bytes of a photo (no MD5: S3 promises none)."""
    return f'"{stable_int("bakai", good.id, n, terms.large, kind_of(good, n, terms.odd), EDITION):016x}"'


def picture(good: Good, n: int, large: bool) -> bytes:
    """The drawn JPEG behind a photo; takes a tenth of a second when it is drawn for the first time."""
    return _picture(*picture_of(good, n, large))


def picture_of(good: Good, n: int, large: bool) -> tuple[int, int, bool]:
    """Which picture is behind a photo: the row of the table, the photo's number, and its size."""
    return good.number % len(rows()), n, large


@lru_cache(maxsize=640)  # 40 goods, 4 views, two sizes: 5 MB of the ordinary size, 90 MB of the large one
def _picture(place: int, n: int, large: bool) -> bytes:
    row = rows()[place]
    view = _VIEWS["household" if row.cut in HOUSEHOLD else "worn"][n - 1]
    drawn = garments.picture(row.cut, row.colour, row.accent, row.pattern, view, stable_int("bakai", place) % 2**31)
    if large:
        return _encoded(_with_grain(drawn, place), range(95, 20, -3), _LARGE[2])
    small = drawn.resize((560, 840), Image.Resampling.BICUBIC, reducing_gap=2)
    return _encoded(small, range(88, 20, -3), _ORDINARY[2])


def _encoded(image: Image.Image, qualities: range, most: int) -> bytes:
    """The best of these qualities that keeps within so many bytes."""
    for quality in qualities:
        out = io.BytesIO()
        image.save(out, "JPEG", quality=quality)
        if out.tell() <= most:
            return out.getvalue()
    raise AssertionError(f"no picture fits into {most} bytes")


def _with_grain(image: Image.Image, seed: int) -> Image.Image:
    """As a camera would see it in little light, so that the JPEG is large by itself."""
    grain = Image.frombytes("L", image.size, random.Random(seed).randbytes(image.width * image.height))
    return Image.blend(image, Image.merge("RGB", (grain, grain, grain)), 0.07)


def _size(good: Good, n: int, large: bool) -> int:
    least, spread, _ = _LARGE if large else _ORDINARY
    return least + stable_int("bakai size", good.id, n) % spread


def _name(good: Good, n: int) -> bytes:
    return f"bakai {photo_key(good.id, n)} ".encode()


def _filled(jpeg: bytes, text: bytes, size: int) -> bytes:
    """The JPEG with comments behind its JFIF header, the first of which begins with the text; `size` bytes in all."""
    header = 4 + int.from_bytes(jpeg[4:6], "big")  # the start of the image, a marker, and its segment
    comments = []
    missing = size - len(jpeg)
    while missing > 0:
        # Never leave less than a comment needs.
        length = min(missing - 4, _LONGEST_COMMENT)
        if 0 < missing - 4 - length < 4 + len(text):
            length -= 4 + len(text)
        comments.append(_COMMENT + (length + 2).to_bytes(2, "big") + text.ljust(length)[:length])
        missing -= length + 4
    return b"".join((jpeg[:header], *comments, jpeg[header:]))


def _converted(jpeg: bytes, kind: Kind, name: str) -> bytes:
    """The same picture as a PNG, 40 pixels small, or in the colours of a printing press."""
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
