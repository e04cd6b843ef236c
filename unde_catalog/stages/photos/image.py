"""What may be stored as a product's original: a whole, upright sRGB JPEG, or a reason why not (spec 1).

Pure functions of bytes, safe in many threads. Damage never raises here: it is a `Refused`.
"""

import hashlib
import io
from dataclasses import dataclass

from PIL import Image, ImageFile

from unde_catalog.stages.photos.colour import has_foreign_profile, to_srgb, upright
from unde_catalog.stages.photos.decode import Refused, Unusable, decode, jpeg_process, open_photo, orientation

MAX_JPEG_SIDE = 65_500  # pixels that libjpeg writes (spec 6), fewer than the format's 65,535
JPEG_QUALITY = 95  # spec 1, for originals that had to be converted and for collages

# Bytes a pixel, measured. Source and result are 4 each; libwebp keeps two canvases and a copy, libavif planes and
# a copy, and a progressive JPEG its coefficients.
_CONVERTED_BYTES, _WEBP_BYTES, _AVIF_BYTES, _PROGRESSIVE_BYTES = 11, 20, 16, 7


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """What is refused unseen (spec 1): bytes, pixels by the header, and a side of a placeholder in pixels."""

    max_bytes: int = 20_000_000
    max_pixels: int = 100_000_000
    min_side: int = 50


DEFAULT_LIMITS = ImageLimits()


@dataclass(frozen=True, slots=True)
class StoredImage:
    """A JPEG to store: its bytes, width and height in pixels, the bytes' SHA-256 in hex, whether we made it."""

    data: bytes
    width: int
    height: int
    sha256: str
    converted: bool


def normalise(data: bytes, limits: ImageLimits = DEFAULT_LIMITS) -> StoredImage | Refused:
    """The photo in `data` as it is stored, or why it isn't (spec 1, originals).

    An upright single-frame JPEG, RGB or grey, without a foreign profile, comes back byte for byte. Everything
    else is converted: first frame, EXIF orientation applied, colours through the profile to sRGB, alpha on
    white, no metadata. The same input gives the same bytes. `working_bytes` tells the memory it takes.
    """
    if len(data) > limits.max_bytes:
        return Refused("too_large", f"{len(data)} bytes are more than {limits.max_bytes}")
    try:
        return _normalise(data, limits)
    except Unusable as unusable:
        return unusable.refused


def working_bytes(data: bytes, limits: ImageLimits = DEFAULT_LIMITS) -> int:
    """Memory that `normalise` takes for this photo at its peak, in bytes, beside `data`; read off the header.

    A photo of 100 megapixels may take 2 GB: whoever works on several at once has to add up.
    """
    if len(data) > limits.max_bytes:
        return 0
    try:
        with open_photo(data, limits.max_pixels) as photo:
            a_pixel = {"WEBP": _WEBP_BYTES, "AVIF": _AVIF_BYTES}.get(photo.format or "", _CONVERTED_BYTES)
            if _may_stay(photo, data):
                a_pixel = _PROGRESSIVE_BYTES if "progressive" in photo.info else 1
            return a_pixel * photo.width * photo.height
    except Unusable:
        return 0


def encode_jpeg(image: Image.Image, quality: int = JPEG_QUALITY) -> bytes:
    """An "RGB" image as a 4:4:4 JPEG without any metadata. Neither side may be over `MAX_JPEG_SIDE`."""
    image.info = {}  # Pillow would carry a comment over
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality, subsampling=0)
    return out.getvalue()


def decode_upright(photo: ImageFile.ImageFile, data: bytes) -> Image.Image:
    """All of an opened photo as upright sRGB "RGB", alpha on white; raises `Unusable`."""
    decode(photo, data)
    turn = orientation(photo)
    image = to_srgb(photo)
    return upright(image, turn)


def _normalise(data: bytes, limits: ImageLimits) -> StoredImage:
    with open_photo(data, limits.max_pixels) as photo:
        if min(photo.size) < limits.min_side:
            raise Unusable("too_small", f"{photo.width} x {photo.height}, a side is under {limits.min_side}")
        if _may_stay(photo, data):
            width, height = photo.size
            decode(photo, data, shrink=True)
            return _stored(data, width, height, converted=False)
        if max(photo.size) > MAX_JPEG_SIDE:
            raise Unusable("too_long", f"{photo.width} x {photo.height}: a JPEG's side ends at {MAX_JPEG_SIDE}")
        image = decode_upright(photo, data)
        return _stored(encode_jpeg(image), *image.size, converted=True)


def _may_stay(photo: ImageFile.ImageFile, data: bytes) -> bool:
    return (
        photo.format == "JPEG"  # Pillow calls one with several pictures MPO
        and photo.mode in ("RGB", "L")
        and jpeg_process(data) in (0xC0, 0xC1, 0xC2)  # lossless and arithmetic ones no browser shows
        and orientation(photo) == 1
        and not has_foreign_profile(photo)
    )


def _stored(data: bytes, width: int, height: int, converted: bool) -> StoredImage:
    return StoredImage(data, width, height, hashlib.sha256(data).hexdigest(), converted)
