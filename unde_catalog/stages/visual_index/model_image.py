"""Decodes photos for embedding models.

The requirements of stored photos are in `stages/photos/`.
"""

import math

from PIL import Image

from unde_catalog.stages.photos.decode import Refused, Unusable, open_photo
from unde_catalog.stages.photos.image import DEFAULT_LIMITS, decode_upright

MAX_ASPECT_RATIO = 20  # CLIP scales the shorter side to 224 pixels, and the longer one with it
_SIDE = 448  # pixels: twice the input of the largest model
_MAX_PIXELS = 2_000_000  # no JPEG that is up to twice as long as wide has more at its reduced scale
IMAGE_BYTES = 4 * _MAX_PIXELS  # the memory of an image while it waits for its batch, at most


def model_image(data: bytes, max_pixels: int = DEFAULT_LIMITS.max_pixels) -> Image.Image | Refused:
    """The photo as an upright sRGB "RGB" image of at most 2 megapixels, or why it can't be used.

    A JPEG is decoded at a reduced scale. Of a photo that is more than 20 times as long as wide, this is the middle,
    which is what CLIP looks at.
    """
    try:
        with open_photo(data, max_pixels) as photo:
            photo.draft("RGB", (_SIDE, _SIDE))
            return _bounded(decode_upright(photo, data))
    except Unusable as unusable:
        return unusable.refused


def _bounded(image: Image.Image) -> Image.Image:
    longest = MAX_ASPECT_RATIO * min(image.size)
    if max(image.size) > longest:
        # Whole pixels are left out on both sides, so that the middle stays where it was.
        left, top = (max(0, side - longest + 1) // 2 for side in image.size)
        image = image.crop((left, top, image.width - left, image.height - top))
    pixels = image.width * image.height
    return image if pixels <= _MAX_PIXELS else image.reduce(math.ceil(math.sqrt(pixels / _MAX_PIXELS)))
