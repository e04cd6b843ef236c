"""Checks by content whether bytes are a complete image, and of which type.

Nothing here changes the image: `private_metadata.py` removes its metadata, and nothing rotates or converts it.
"""

from dataclasses import dataclass

from unde_catalog.stages.photos.decode import Refused, Unusable, decode, open_photo
from unde_catalog.stages.photos.image import ImageLimits

MAX_BYTES = 20 * 1024 * 1024  # Telegram's limit for bots
LIMITS = ImageLimits(max_bytes=MAX_BYTES)

# Pillow's format name -> content type and extension. Other programs read a multi-picture JPEG (MPO) as a JPEG.
_TYPES = {
    "JPEG": ("image/jpeg", "jpg"),
    "MPO": ("image/jpeg", "jpg"),
    "PNG": ("image/png", "png"),
    "WEBP": ("image/webp", "webp"),
    "GIF": ("image/gif", "gif"),
    "BMP": ("image/bmp", "bmp"),
    "TIFF": ("image/tiff", "tif"),
    "AVIF": ("image/avif", "avif"),
    "HEIF": ("image/heic", "heic"),
}


@dataclass(frozen=True, slots=True)
class ImageType:
    """`content_type` as in HTTP, `extension` without a dot."""

    content_type: str
    extension: str


def image_type(data: bytes, limits: ImageLimits = LIMITS) -> ImageType | Refused:
    """The type of a complete image, or why the bytes are not one. Decodes all of it: see `image.working_bytes`."""
    if len(data) > limits.max_bytes:
        return Refused("too_large", f"{len(data)} bytes are more than {limits.max_bytes}")
    try:
        with open_photo(data, limits.max_pixels) as photo:
            decode(photo, data, shrink=True)
            return ImageType(*_TYPES[photo.format or ""])
    except Unusable as unusable:
        return unusable.refused
