"""Photos as embedding models take them.

What a stored photo must be is in `stages/photos/`.
"""

from PIL import Image

from unde_catalog.stages.photos.decode import Refused, Unusable, open_photo
from unde_catalog.stages.photos.image import DEFAULT_LIMITS, decode_upright

_ENOUGH = 448  # pixels a side: twice what the largest model reads


def model_image(data: bytes, max_pixels: int = DEFAULT_LIMITS.max_pixels) -> Image.Image | Refused:
    """The photo as an upright sRGB "RGB" image, a JPEG decoded at a smaller scale; or why it can't be used."""
    try:
        with open_photo(data, max_pixels) as photo:
            photo.draft("RGB", (_ENOUGH, _ENOUGH))
            return decode_upright(photo, data)
    except Unusable as unusable:
        return unusable.refused
