"""Opening and decoding bytes of unknown origin; what can't be used becomes a reason.

The content decides which decoder runs, never a name or a declared type (spec 1). What the decoded pixels mean
is `colour.py`; what is stored is `image.py`.
"""

import io
import struct
import zlib
from dataclasses import dataclass
from typing import Literal

from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError

RefusalReason = Literal[
    "empty",  # no byte at all
    "not_an_image",  # an HTML page, an "Access Denied", a video
    "unsupported_format",  # an image, but none we read: HEIF, JPEG XL, 32-bit samples
    "too_large",  # more bytes than the limit
    "too_many_pixels",  # by its header, before anything is decoded
    "too_small",  # a placeholder
    "too_long",  # a side that no JPEG can have, in an image that would have to become one
    "truncated",  # the end is missing
    "corrupt",  # broken in another way
]

# What a second download may heal: a blocked or broken connection looks like this, a wrong photo doesn't.
WORTH_ANOTHER_TRY: frozenset[RefusalReason] = frozenset({"empty", "not_an_image", "truncated", "corrupt"})


@dataclass(frozen=True, slots=True)
class Refused:
    """A photo that can't be used: a code to count by, and a sentence for people."""

    reason: RefusalReason
    detail: str

    @property
    def worth_another_try(self) -> bool:
        """Whether the same address may answer with a good photo next time."""
        return self.reason in WORTH_ANOTHER_TRY


class Unusable(Exception):
    """Carries a `Refused` out of the depths of decoding; it never leaves this package."""

    def __init__(self, reason: RefusalReason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.refused = Refused(reason, detail)


# What Pillow's plugins raise on malformed input. MemoryError is missing on purpose: sizes are checked before
# anything is decoded, so it tells of the machine, not of the photo.
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
    UserWarning,  # with `python -W error` Pillow's warnings are raised
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
# A progressive JPEG has about ten scans. One of 20 MB could have 100,000, each a pass over every pixel: hours.
_MAX_SCANS = 500
_SOI_LIKE = frozenset({0x01, *range(0xD0, 0xD9)})  # JPEG markers without a length
_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def open_photo(data: bytes, max_pixels: int) -> ImageFile.ImageFile:
    """The photo in `data`, header read, pixels not decoded yet (its first frame, if it has several).

    Raises `Unusable`. Nothing as large as the picture is allocated for one with more than `max_pixels`.
    """
    if not data:
        raise Unusable("empty", "zero bytes")
    kind = _kind(data)
    declared = _declared_size(kind, data)
    if declared is not None:
        check_pixels(declared, max_pixels)
    if kind == "JPEG" and data.count(b"\xff\xda") > _MAX_SCANS:
        raise Unusable("corrupt", f"a JPEG of more than {_MAX_SCANS} scans")
    try:
        photo = Image.open(io.BytesIO(data), formats=[kind])
    except _BOMBS as error:
        raise Unusable("too_many_pixels", str(error)) from error
    except UnidentifiedImageError as error:
        raise _broken(kind, data, "unreadable header") from error
    except PILLOW_ERRORS as error:
        raise _broken(kind, data, str(error)) from error
    check_pixels(photo.size, max_pixels)
    tiles = getattr(photo, "tag_v2", None)
    if tiles is not None:  # a TIFF's tile is a buffer of its own, however small the picture
        check_pixels((_number(tiles.get(322)), _number(tiles.get(323))), max_pixels)
    # Pillow turns a TIFF while decoding, also by XMP where EXIF says nothing; browsers don't go by XMP.
    photo.info.pop("xmp", None)
    return photo


def decode(photo: ImageFile.ImageFile, data: bytes, shrink: bool = False) -> None:
    """Decode all of `photo`, in place, so that damage shows; `data` is what it was opened from.

    `shrink` decodes a JPEG at 1/8 scale: every byte is still read (the entropy coding leaves no other way), at
    a third of the time. Raises `Unusable`. A JPEG whose missing rows were replaced by an end marker, or with
    flipped bits inside, decodes: libjpeg only warns, and Pillow doesn't pass the warning on.
    """
    if ImageFile.LOAD_TRUNCATED_IMAGES:  # process-wide: whoever sets it makes this function lie
        raise RuntimeError("ImageFile.LOAD_TRUNCATED_IMAGES must stay off: cut photos would pass as whole")
    kind = photo.format or ""
    if shrink:
        photo.draft(None, (1, 1))
    try:
        photo.load()
    except _BOMBS as error:
        raise Unusable("too_many_pixels", str(error)) from error
    except PILLOW_ERRORS as error:
        raise _broken(kind, data, str(error)) from error
    if kind == "PNG" and _cut_short(kind, data):  # Pillow notices a missing IEND only at some offsets
        raise Unusable("truncated", "a PNG without its end")


def check_pixels(size: tuple[int, int], max_pixels: int) -> None:
    """Raise `Unusable` for a width x height above `max_pixels`."""
    if size[0] * size[1] > max_pixels:
        raise Unusable("too_many_pixels", f"{size[0]} x {size[1]} is more than {max_pixels / 1e6:g} megapixels")


def orientation(photo: ImageFile.ImageFile) -> int:
    """EXIF's orientation, 1 to 8; 1 where it is missing or nonsense. PNG may have it after its pixels: decode first.

    Pillow turns a TIFF by itself (its tags are not in `info`), and hands an AVIF's `irot` and `imir` over as EXIF.
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
    """The second byte of a JPEG's frame marker: 0xC0, 0xC1 and 0xC2 are what every viewer reads; 0 if none."""
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
            raise Unusable("unsupported_format", "HEIF is not read")
    head = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n")
    for magic, name in _UNREAD_MAGIC:
        if head.startswith(magic) or data.startswith(magic):
            raise Unusable("unsupported_format", f"{name} is not read")
    if head.startswith(b"<?xml") and b"<svg" in head:
        raise Unusable("unsupported_format", "SVG is not read")
    raise Unusable("not_an_image", f"begins with {data[:24]!r}")


def _declared_size(kind: str, data: bytes) -> tuple[int, int] | None:
    """The size where Pillow would allocate, or give up without naming it, before it tells."""
    if kind == "WEBP" and data[12:16] == b"VP8X" and len(data) >= 30:
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if kind == "WEBP" and data[12:16] == b"VP8L" and len(data) >= 25:
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == "WEBP" and data[12:16] == b"VP8 " and len(data) >= 30:
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    at = data.find(b"ispe", 0, 65536) if kind == "AVIF" else -1
    return struct.unpack_from(">II", data, at + 8) if 0 <= at <= len(data) - 16 else None


def _broken(kind: str, data: bytes, detail: str) -> Unusable:
    cut = _cut_short(kind, data) or "truncated" in detail.lower()  # noise may look like a trailer
    return Unusable("truncated" if cut else "corrupt", f"{kind}: {detail}")


def _cut_short(kind: str, data: bytes) -> bool:
    """Whether the container's own end is missing."""
    match kind:
        case "JPEG" | "MPO":  # the end marker of an EXIF thumbnail comes before the last scan
            return data.rfind(b"\xff\xd9") <= data.rfind(b"\xff\xda")
        case "PNG":
            return b"IEND\xaeB`\x82" not in data
        case "GIF":
            return not data.rstrip(b"\0").endswith(b";")
        case "WEBP":
            return 8 + int.from_bytes(data[4:8], "little") > len(data)
        case "BMP":
            return int.from_bytes(data[2:6], "little") > len(data)
        case "AVIF":
            at = 0
            while 0 <= at <= len(data) - 8:
                length = int.from_bytes(data[at : at + 4], "big")
                if length < 8:  # "to the end of the file", or a 64-bit length that no photo needs
                    return False
                at += length
            return at != len(data)
        case _:
            return False


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
