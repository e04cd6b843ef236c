"""Opens and decodes image bytes of unknown origin; an unusable image becomes a reason.

The content decides which decoder runs, never a file name or a declared type. Colours are converted in `colour.py`;
`image.py` decides what is stored.
"""

import io
import math
import re
import struct
import zlib
from dataclasses import dataclass
from typing import Literal

from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError

from unde_catalog.stages.photos.heif import MISSING, has_heif
from unde_catalog.stages.photos.inks import mark_ycck

RefusalReason = Literal[
    "empty",  # no bytes
    "not_an_image",  # an HTML page, an "Access Denied", a video
    "unsupported_format",  # an image of a format that is not read: JPEG XL, 32-bit samples, HEIF without its extra
    "too_large",  # too many bytes
    "too_many_pixels",  # according to its header, before anything is decoded
    "too_small",  # a placeholder
    "ambiguous_inks",  # a CMYK JPEG whose inks may be inverted or not
    "too_long",  # a side longer than a JPEG can have, in an image that has to be converted
    "truncated",  # the end is missing
    "corrupt",  # damaged in another way
]

# A blocked or broken connection causes these as well, so another download may succeed.
RETRYABLE_REASONS: frozenset[RefusalReason] = frozenset({"empty", "not_an_image", "truncated", "corrupt"})


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a photo can't be used: a reason code, and a detail in words."""

    reason: RefusalReason
    detail: str

    @property
    def retryable(self) -> bool:
        """Whether another download of the same URL may succeed."""
        return self.reason in RETRYABLE_REASONS


class Unusable(Exception):
    """Raised with a `Refused` while an image is decoded; the public functions of this package return that instead."""

    def __init__(self, reason: RefusalReason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.refused = Refused(reason, detail)


# What Pillow's plugins raise on malformed input. Not MemoryError: sizes are checked before anything is decoded, so it
# is a fault of the machine, not of the photo.
PILLOW_ERRORS = (
    OSError,  # most decoders, UnidentifiedImageError, truncated reads
    SyntaxError,  # a plugin's "not mine", AVIF's failures
    ValueError,  # PNG's text limits, impossible sizes, UnicodeDecodeError
    EOFError,
    LookupError,  # IndexError and KeyError
    TypeError,
    AttributeError,
    ArithmeticError,  # divisions and overflows in rationals and sizes
    AssertionError,
    RuntimeError,  # libavif
    struct.error,
    zlib.error,
    UserWarning,  # `python -W error` makes exceptions of Pillow's warnings
)

_BOMBS = (Image.DecompressionBombError, Image.DecompressionBombWarning)
_HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
)
_UNREAD_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"8BPS", "Photoshop"),
    (b"\0\0\1\0", "ICO"),
    (b"<svg", "SVG"),
)
_ISPE = re.compile(rb"ispe(?=.{12})", re.DOTALL)
# A progressive JPEG has about ten scans. One of 20 MB could have 100,000, each a pass over all pixels, and take hours.
_MAX_SCANS = 500
_SOI_LIKE = frozenset({0x01, *range(0xD0, 0xD9)})  # JPEG markers without a length
_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def open_photo(data: bytes, max_pixels: int) -> ImageFile.ImageFile:
    """Open the photo in `data` without decoding its pixels (the first frame, if it has several).

    Raises `Unusable`. No memory is allocated for a photo of more than `max_pixels`.
    """
    if not data:
        raise Unusable("empty", "zero bytes")
    kind = _kind(data)
    declared = _declared_size(kind, data)
    if declared is not None:
        check_pixels(declared, max_pixels)
    if kind == "JPEG" and data.count(b"\xff\xda") > _MAX_SCANS:
        raise Unusable("corrupt", f"a JPEG of more than {_MAX_SCANS} scans")
    marked = mark_ycck(data) if kind == "JPEG" else data
    try:
        photo = Image.open(io.BytesIO(marked), formats=[kind])
    except _BOMBS as error:
        raise Unusable("too_many_pixels", str(error)) from error
    except UnidentifiedImageError as error:
        raise _broken(kind, data, "unreadable header") from error
    except PILLOW_ERRORS as error:
        raise _broken(kind, data, str(error)) from error
    check_pixels(photo.size, max_pixels)
    tiles = getattr(photo, "tag_v2", None)
    if tiles is not None:  # the buffer of a TIFF's tile may be large even if the image is small
        check_pixels((_number(tiles.get(322)), _number(tiles.get(323))), max_pixels)
    if marked is not data:  # the marker was not the file's, and says nothing about its inks
        photo.info.pop("adobe", None)
    # Pillow rotates a TIFF by its XMP if it has no EXIF orientation; browsers do not use XMP.
    photo.info.pop("xmp", None)
    return photo


def decode(photo: ImageFile.ImageFile, data: bytes, shrink: bool = False) -> None:
    """Decode all of `photo` in place, so that damage is detected; `data` is what it was opened from.

    `shrink` decodes a JPEG at 1/8 scale, which still reads every byte (entropy coding requires it) in a third of the
    time. Raises `Unusable`. A JPEG with flipped bits, or with an end marker in place of missing rows, is not detected:
    libjpeg only warns, and Pillow drops the warning. libde265 conceals damage within a HEIC's data.
    """
    if ImageFile.LOAD_TRUNCATED_IMAGES:  # a setting of the whole process
        raise RuntimeError("ImageFile.LOAD_TRUNCATED_IMAGES must be off: truncated photos would pass as complete")
    kind = photo.format or ""
    if shrink:
        photo.draft(None, (1, 1))
    try:
        photo.load()
    except _BOMBS as error:
        raise Unusable("too_many_pixels", str(error)) from error
    except PILLOW_ERRORS as error:
        raise _broken(kind, data, str(error)) from error
    if kind == "PNG" and _is_truncated(kind, data):  # Pillow notices a missing IEND only at some offsets
        raise Unusable("truncated", "a PNG without its end")


def check_pixels(size: tuple[int, int], max_pixels: int) -> None:
    """Raise `Unusable` for a width x height above `max_pixels`."""
    if size[0] * size[1] > max_pixels:
        raise Unusable("too_many_pixels", f"{size[0]} x {size[1]} is more than {max_pixels / 1e6:g} megapixels")


def orientation(photo: ImageFile.ImageFile) -> int:
    """The EXIF orientation, 1 to 8; 1 if it is missing or invalid. PNG may have it after its pixels: decode first.

    Pillow rotates a TIFF itself (its tags are not in `info`), and presents an AVIF's `irot` and `imir` as EXIF.
    """
    try:
        raw = photo.info.get("exif")
        if raw is None and "Raw profile type exif" in photo.info:  # ImageMagick: hex text, after three lines
            raw = bytes.fromhex("".join(photo.info["Raw profile type exif"].split("\n")[3:]))
        if not raw:
            return 1
        exif = Image.Exif()
        exif.load(raw)
        value = exif.get(ExifTags.Base.Orientation, 1)
    except PILLOW_ERRORS:  # malformed EXIF says nothing about the pixels
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def jpeg_process(data: bytes) -> int:
    """The second byte of a JPEG's frame marker, 0 if there is none. Every viewer reads 0xC0, 0xC1 and 0xC2."""
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            at += 1
        elif (marker := data[at + 1]) in _SOF:
            return marker
        elif marker == 0xFF:
            at += 1
        elif marker == 0 or marker in _SOI_LIKE:
            at += 2
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return 0


def _kind(data: bytes) -> str:
    for magic, kind in _MAGIC:
        if data.startswith(magic):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        end = min(int.from_bytes(data[:4], "big"), 256)
        brands = {data[at : at + 4] for at in range(8, end, 4)}
        if brands & {b"avif", b"avis"}:
            return "AVIF"
        if brands & _HEIF_BRANDS:
            if not has_heif():
                raise Unusable("unsupported_format", MISSING)
            return "HEIF"
    head = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n")
    for magic, name in _UNREAD_MAGIC:
        if head.startswith(magic) or data.startswith(magic):
            raise Unusable("unsupported_format", f"{name} is not read")
    if head.startswith(b"<?xml") and b"<svg" in head:
        raise Unusable("unsupported_format", "SVG is not read")
    raise Unusable("not_an_image", f"starts with {data[:24]!r}")


def _declared_size(kind: str, data: bytes) -> tuple[int, int] | None:
    """The size by the header, of formats of which Pillow allocates or refuses the image before it tells the size."""
    if kind == "WEBP" and data[12:16] == b"VP8X" and len(data) >= 30:
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if kind == "WEBP" and data[12:16] == b"VP8L" and len(data) >= 25:
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == "WEBP" and data[12:16] == b"VP8 " and len(data) >= 30:
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    if kind == "HEIF":  # a photo of tiles also has the size of a tile
        sizes = [struct.unpack_from(">II", data, one.end() + 4) for one in _ISPE.finditer(data, 0, 65_536)]
        return max(sizes, key=math.prod, default=None)
    at = data.find(b"ispe", 0, 65536) if kind == "AVIF" else -1
    return struct.unpack_from(">II", data, at + 8) if 0 <= at <= len(data) - 16 else None


def _broken(kind: str, data: bytes, detail: str) -> Unusable:
    if kind == "HEIF" and "nsupported" in detail:  # HEIF with AV1, JPEG 2000, VVC
        return Unusable("unsupported_format", f"HEIF: {detail}")
    truncated = _is_truncated(kind, data) or "truncated" in detail.lower()  # random bytes may look like a trailer
    return Unusable("truncated" if truncated else "corrupt", f"{kind}: {detail}")


def _is_truncated(kind: str, data: bytes) -> bool:
    """Whether the end of the container is missing."""
    match kind:
        case "JPEG" | "MPO":  # an EXIF thumbnail has an end marker too, but before the last scan
            return data.rfind(b"\xff\xd9") <= data.rfind(b"\xff\xda")
        case "PNG":
            return b"IEND\xaeB`\x82" not in data
        case "GIF":
            return not data.rstrip(b"\0").endswith(b";")
        case "WEBP":
            return 8 + int.from_bytes(data[4:8], "little") > len(data)
        case "BMP":
            return int.from_bytes(data[2:6], "little") > len(data)
        case "AVIF" | "HEIF":
            at = 0
            while 0 <= at <= len(data) - 8:
                length = int.from_bytes(data[at : at + 4], "big")
                if length < 8:  # "until the end of the file", or a 64-bit length
                    return False
                at += length
            return at != len(data)
        case _:
            return False


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
