"""What people sent to the sandbox's bot: a drawn photo for every file id, all of them other bytes. No HTTP here.

A test computes what it must have got: `content(file_id)`. A file id that begins with `png-`, `webp-`, `gif-`, `heic-`
or `pdf-` is a document of that type; one that ends in `-again` is another id of the file whose id stands before it.
"""

import io
from dataclasses import dataclass
from functools import lru_cache

from PIL import Image

from unde_catalog.sandbox.identity import stable_id, stable_int
from unde_catalog.sandbox.photos import garments

_AGAIN = "-again"
_CUTS = ("shirt", "tshirt", "wrap dress", "coat", "jeans", "midi skirt")
_SIZE = (960, 1280)  # pixels: what Telegram makes of a phone's photo is 1,280 at the most
_HEIC = b"\0\0\0\x18ftypheic\0\0\0\0heicmif1"  # the head of one: nobody here decodes it
_PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"


@dataclass(frozen=True, slots=True)
class Sent:
    """A file as it was sent: its bytes, the folder Telegram puts it in, its extension, its id for all bots."""

    data: bytes
    folder: str
    extension: str
    unique_id: str


def content(file_id: str) -> bytes:
    """The bytes behind a file id."""
    return sent(file_id).data


def sent(file_id: str) -> Sent:
    """The file behind an id."""
    of = file_id.removesuffix(_AGAIN)
    kind = of.partition("-")[0]
    unique = "AQAD" + stable_id("telegram", of)
    match kind:
        case "png" | "webp" | "gif":
            return Sent(_as(kind, of), "documents", kind, unique)
        case "heic":
            return Sent(_HEIC + of.encode() * 200, "documents", kind, unique)
        case "pdf":
            return Sent(_PDF + of.encode() * 200, "documents", kind, unique)
    drawn = _drawn(_place(of))
    comment = f"telegram {of}".encode()
    header = 4 + int.from_bytes(drawn[4:6], "big")  # the start of the image, a marker, and its segment
    data = drawn[:header] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + drawn[header:]
    return Sent(data, "photos", "jpg", unique)


def _place(of: str) -> int:
    return stable_int("telegram photo", of) % (2 * len(_CUTS))


@lru_cache(maxsize=2 * len(_CUTS))
def _drawn(place: int) -> bytes:
    cut, colours = _CUTS[place % len(_CUTS)], ("Navy", "White") if place % 2 else ("Red", "Black")
    picture = garments.picture(cut, *colours, "plain", "a1", place).resize(_SIZE, Image.Resampling.BICUBIC)
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=87)
    return out.getvalue()


@lru_cache(maxsize=64)
def _as(kind: str, of: str) -> bytes:
    """A small picture in another format, whose first pixel is the id's own."""
    out = io.BytesIO()
    with Image.open(io.BytesIO(_drawn(_place(of)))) as photo:
        small = photo.resize((240, 320))
        small.putpixel((0, 0), tuple(stable_int("telegram pixel", of).to_bytes(8, "big")[:3]))
        small.save(out, kind.upper())
    return out.getvalue()
