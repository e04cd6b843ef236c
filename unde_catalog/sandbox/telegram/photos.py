"""The files that users sent to the bot: a different drawn photo for every file id. No HTTP belongs here.

A test computes the bytes that it must have received: `content(file_id)`. A file id that begins with `png-`, `webp-`,
`gif-`, `heic-` or `pdf-` is a document of that type; `large-<bytes>` is a photo of that many bytes; `<id>-again` is
another id of the file `<id>`.
"""

import base64
import io
import re
import zlib
from dataclasses import dataclass
from functools import lru_cache

from PIL import Image

from unde_catalog.sandbox.identity import stable_id, stable_int
from unde_catalog.sandbox.photos import garments

_ALIAS_SUFFIX = "-again"
_CUTS = ("shirt", "tshirt", "wrap dress", "coat", "jeans", "midi skirt")
_SIZE = (960, 1280)  # pixels; Telegram scales photos down to at most 1,280
_MAX_SIZE = 50_000_000  # bytes, more than a bot gets
_HEIC = zlib.decompress(  # 64 x 64 pixels of one red: nothing here encodes HEIC
    base64.b85decode(
        "c-muNV30{GsVvAy%}izhg51nBLl8SRGck>Ufzc^9wIq=N0u(b+a*CjAhJwuG5(YG&l$nzcHpIn&fe{FSfH4h11A!C}D`#frrGa@MQBfc#l?lqrC`&"
        "d3G5HEIOLE~#4rLY;6#(fanFY!DK)M2`%$boHBs2l6NbUo}pT9qTFfi~lCjfOwI56@s{{IhBzzkBs3_^0dm>d#;lG;v;jA$|o6dGBlz4Fvtm&YW<!v"
        "PXH0U|gYl7Q;jT^J7*ZBTLmS|gHKT#yR&hyxT06l7Lpf&`d3IDlFi#4-zVVPOUIK64`zGbm7UQxZWTC8oi+KH?|er1<}z+V=l9t8;#GiCJ1<0|0y!"
        "Mxp"
    )
)
_PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"


@dataclass(frozen=True, slots=True)
class SentFile:
    """A sent file: its bytes, Telegram's folder for it, its extension, and the id that all bots see."""

    data: bytes
    folder: str
    extension: str
    unique_id: str


def content(file_id: str) -> bytes:
    """Returns the bytes of a file."""
    return sent_file(file_id).data


def sent_file(file_id: str) -> SentFile:
    """Returns the file with this id."""
    base_id = file_id.removesuffix(_ALIAS_SUFFIX)
    kind = base_id.partition("-")[0]
    unique_id = "AQAD" + stable_id("telegram", base_id)
    match kind:
        case "png" | "webp" | "gif":
            return SentFile(_converted(kind, base_id), "documents", kind, unique_id)
        case "heic":
            box = b"free" + base_id.encode()
            return SentFile(_HEIC + (len(box) + 4).to_bytes(4, "big") + box, "documents", kind, unique_id)
        case "pdf":
            return SentFile(_PDF + base_id.encode() * 200, "documents", kind, unique_id)
    picture = _picture(_picture_index(base_id))
    if kind == "large":
        size = min(int(re.sub(r"\D", "", base_id)[:9] or 0), _MAX_SIZE)
        padding = max(0, size - len(picture))
        return SentFile(picture[:-2] + bytes(padding) + picture[-2:], "documents", "jpg", unique_id)
    comment = f"telegram {base_id}".encode()
    header = 4 + int.from_bytes(picture[4:6], "big")  # start of image, marker, and the marker's segment
    data = picture[:header] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + picture[header:]
    return SentFile(data, "photos", "jpg", unique_id)


def _picture_index(base_id: str) -> int:
    return stable_int("telegram photo", base_id) % (2 * len(_CUTS))


@lru_cache(maxsize=2 * len(_CUTS))
def _picture(index: int) -> bytes:
    cut, colours = _CUTS[index % len(_CUTS)], ("Navy", "White") if index % 2 else ("Red", "Black")
    picture = garments.picture(cut, *colours, "plain", "a1", index).resize(_SIZE, Image.Resampling.BICUBIC)
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=87)
    return out.getvalue()


@lru_cache(maxsize=64)
def _converted(kind: str, base_id: str) -> bytes:
    """Returns a small picture in another format; its first pixel depends on the id."""
    out = io.BytesIO()
    with Image.open(io.BytesIO(_picture(_picture_index(base_id)))) as photo:
        small = photo.resize((240, 320))
        small.putpixel((0, 0), tuple(stable_int("telegram pixel", base_id).to_bytes(8, "big")[:3]))
        small.save(out, kind.upper())
    return out.getvalue()
