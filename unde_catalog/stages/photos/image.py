"""Normalises a photo to what is stored as an original: a complete, upright sRGB JPEG, or a reason why not.

The rules are in docs/reference/rules.md. Functions are pure and thread-safe; an unusable photo is a `Refused`.
"""

import hashlib
import io
from dataclasses import dataclass

from PIL import Image, ImageFile

from unde_catalog.stages.photos.colour import has_foreign_profile, to_srgb, upright
from unde_catalog.stages.photos.decode import Refused, Unusable, decode, jpeg_process, open_photo, orientation

MAX_JPEG_SIDE = 65_500  # pixels: libjpeg's limit, lower than the format's 65,535
JPEG_QUALITY = 95  # of converted originals and of collages

_ONE_COLOUR = 2  # levels of 255 between the darkest and the lightest pixel, at most
_GAIN_MAP = b"urn:iso:std:iso:ts:21496:-1\0"

# Measured bytes a pixel. Source and result take 4 each; libwebp has two canvases and a copy, libavif and libheif have
# planes and a copy, and a progressive JPEG has coefficients.
_CONVERTED_BYTES, _WEBP_BYTES, _AVIF_BYTES, _HEIF_BYTES, _PROGRESSIVE_BYTES = 11, 20, 16, 16, 7


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """Limits that are checked before decoding: bytes, pixels by the header, and the shortest side in pixels."""

    max_bytes: int = 20_000_000
    max_pixels: int = 100_000_000
    min_side: int = 50


DEFAULT_LIMITS = ImageLimits()


@dataclass(frozen=True, slots=True)
class StoredImage:
    """A JPEG to store: its bytes, width and height in pixels, the bytes' SHA-256 in hex, whether it was converted."""

    data: bytes
    width: int
    height: int
    sha256: str
    converted: bool


def normalise(data: bytes, limits: ImageLimits = DEFAULT_LIMITS) -> StoredImage | Refused:
    """The photo in `data` as it is stored, or why it is refused.

    An upright JPEG of one picture in RGB or grey without a foreign profile is returned byte for byte. Everything else
    is converted: first frame, EXIF orientation applied, colours converted by the profile to sRGB, alpha on white, no
    metadata. The same input gives the same bytes. `working_bytes` estimates the memory.
    """
    if len(data) > limits.max_bytes:
        return Refused("too_large", f"{len(data)} bytes are more than {limits.max_bytes}")
    try:
        return _normalise(data, limits)
    except Unusable as unusable:
        return unusable.refused


def working_bytes(data: bytes, limits: ImageLimits = DEFAULT_LIMITS) -> int:
    """The peak memory of `normalise` for this photo in bytes, besides `data`, estimated from the header.

    A photo of 100 megapixels may take 2 GB, so callers that normalise several at once have to add up.
    """
    if len(data) > limits.max_bytes:
        return 0
    try:
        with open_photo(data, limits.max_pixels) as photo:
            per_pixel = {"WEBP": _WEBP_BYTES, "AVIF": _AVIF_BYTES, "HEIF": _HEIF_BYTES}.get(
                photo.format or "", _CONVERTED_BYTES
            )
            if _is_storable(photo, data):
                per_pixel = _PROGRESSIVE_BYTES if "progressive" in photo.info else 1
            return per_pixel * photo.width * photo.height
    except Unusable:
        return 0


def header_size(data: bytes, limits: ImageLimits = DEFAULT_LIMITS) -> tuple[int, int] | Refused:
    """Width and height in pixels by the header, before the photo is turned upright; nothing is decoded."""
    try:
        with open_photo(data, limits.max_pixels) as photo:
            return photo.size
    except Unusable as unusable:
        return unusable.refused


def check_whole(data: bytes, limits: ImageLimits = DEFAULT_LIMITS) -> tuple[int, int] | Refused:
    """Upright width and height in pixels of a stored picture, or why it is not a whole one. It is not changed."""
    if len(data) > limits.max_bytes:
        return Refused("too_large", f"{len(data)} bytes are more than {limits.max_bytes}")
    try:
        with open_photo(data, limits.max_pixels) as photo:
            width, height = photo.size
            if min(width, height) < limits.min_side:
                raise Unusable("too_small", f"{width} x {height}, a side is under {limits.min_side}")
            decode(photo, data, shrink=True)
            is_turned = orientation(photo) >= 5  # EXIF: 5 to 8 are turned by a quarter
            return (height, width) if is_turned else (width, height)
    except Unusable as unusable:
        return unusable.refused


def is_blank(data: bytes, limits: ImageLimits = DEFAULT_LIMITS) -> bool:
    """Whether a stored picture has one colour only; False if it can't be read. Decoded at a reduced scale."""
    try:
        with open_photo(data, limits.max_pixels) as photo:
            decode(photo, data, shrink=True)
            levels = photo.convert("RGB").getextrema()
    except Unusable:
        return False
    return all(isinstance(one, tuple) and one[1] - one[0] <= _ONE_COLOUR for one in levels)


def encode_jpeg(image: Image.Image, quality: int = JPEG_QUALITY) -> bytes:
    """An "RGB" image as a 4:4:4 JPEG without metadata. Neither side may exceed `MAX_JPEG_SIDE`."""
    image.info = {}  # Pillow would copy a comment
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality, subsampling=0)
    return out.getvalue()


def decode_upright(photo: ImageFile.ImageFile, data: bytes) -> Image.Image:
    """Decode an opened photo to upright sRGB "RGB" with alpha on white; raises `Unusable`."""
    decode(photo, data)
    exif_orientation = orientation(photo)
    return upright(to_srgb(photo), exif_orientation)


def _normalise(data: bytes, limits: ImageLimits) -> StoredImage:
    with open_photo(data, limits.max_pixels) as photo:
        if min(photo.size) < limits.min_side:
            raise Unusable("too_small", f"{photo.width} x {photo.height}; both sides need {limits.min_side} pixels")
        if _is_storable(photo, data):
            width, height = photo.size
            decode(photo, data, shrink=True)
            return _stored(data, width, height, converted=False)
        if max(photo.size) > MAX_JPEG_SIDE:
            raise Unusable("too_long", f"{photo.width} x {photo.height}; a JPEG has at most {MAX_JPEG_SIDE} a side")
        image = decode_upright(photo, data)
        return _stored(encode_jpeg(image), *image.size, converted=True)


def _is_storable(photo: ImageFile.ImageFile, data: bytes) -> bool:
    return (
        photo.format == "JPEG"  # Pillow calls a JPEG with several images MPO
        and photo.mode in ("RGB", "L")
        and jpeg_process(data) in (0xC0, 0xC1, 0xC2)  # browsers do not show lossless and arithmetic JPEGs
        and orientation(photo) == 1
        and not _has_gain_map(photo)
        and not has_foreign_profile(photo)
    )


def _has_gain_map(photo: ImageFile.ImageFile) -> bool:
    """Whether a JPEG is Ultra HDR or of ISO 21496-1, with a second picture that Pillow does not count."""
    segments = getattr(photo, "applist", ())
    return any(body.startswith(_GAIN_MAP) or b"hdrgm:" in body for _, body in segments)


def _stored(data: bytes, width: int, height: int, converted: bool) -> StoredImage:
    return StoredImage(data, width, height, hashlib.sha256(data).hexdigest(), converted)
