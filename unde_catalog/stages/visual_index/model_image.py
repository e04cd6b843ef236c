"""Decodes photos for embedding models.

The requirements of stored photos are in `stages/photos/`.
"""

from PIL import Image

from unde_catalog.stages.photos.decode import Refused, Unusable, open_photo
from unde_catalog.stages.photos.image import DEFAULT_LIMITS, decode_upright

_SIDE = 448  # pixels: twice the input of the largest model


def model_image(data: bytes, max_pixels: int = DEFAULT_LIMITS.max_pixels) -> Image.Image | Refused:
    """The photo as an upright sRGB "RGB" image, or why it can't be used. A JPEG is decoded at a reduced scale."""
    try:
        with open_photo(data, max_pixels) as photo:
            photo.draft("RGB", (_SIDE, _SIDE))
            return decode_upright(photo, data)
    except Unusable as unusable:
        return unusable.refused
