"""What was sent as a photo, judged by its content alone: whether it is a whole image, and of which type.

Unlike a product's original it is stored as it came: nothing is turned, converted or taken out here.
"""

from dataclasses import dataclass

from unde_catalog.stages.photos.decode import Refused, Unusable, decode, open_photo
from unde_catalog.stages.photos.image import DEFAULT_LIMITS, ImageLimits

# Pillow's name of a format -> content type and extension. A JPEG with several pictures (MPO) is a JPEG to all others.
_TYPES = {
    "JPEG": ("image/jpeg", "jpg"),
    "MPO": ("image/jpeg", "jpg"),
    "PNG": ("image/png", "png"),
    "WEBP": ("image/webp", "webp"),
    "GIF": ("image/gif", "gif"),
    "BMP": ("image/bmp", "bmp"),
    "TIFF": ("image/tiff", "tif"),
    "AVIF": ("image/avif", "avif"),
}


@dataclass(frozen=True, slots=True)
class ImageType:
    """`content_type` as in HTTP, `extension` without a dot."""

    content_type: str
    extension: str


def image_type(data: bytes, limits: ImageLimits = DEFAULT_LIMITS) -> ImageType | Refused:
    """The type of a whole image, or why the bytes are none; decodes all of it. `image.working_bytes`: the memory."""
    if len(data) > limits.max_bytes:
        return Refused("too_large", f"{len(data)} bytes are more than {limits.max_bytes}")
    try:
        with open_photo(data, limits.max_pixels) as photo:
            decode(photo, data, shrink=True)
            return ImageType(*_TYPES[photo.format or ""])
    except Unusable as unusable:
        return unusable.refused
