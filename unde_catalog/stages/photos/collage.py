"""Makes a collage: the photos of a product side by side in one image, for virtual try-on.

The rules are in docs/reference/rules.md; the stage that stores collages is in `collages.py`.
"""

import hashlib
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from PIL import Image, ImageFile

from unde_catalog.stages.photos.decode import Refused, Unusable, open_photo, orientation
from unde_catalog.stages.photos.image import DEFAULT_LIMITS, JPEG_QUALITY, MAX_JPEG_SIDE, decode_upright, encode_jpeg

MAX_ENLARGED_PIXELS = 100_000_000  # of a collage with more than twice the pixels of its photos
_FIXED_BYTES = 10_000_000  # memory that a collage takes besides its pixels
Size = tuple[int, int]  # width, height in pixels, upright


@dataclass(frozen=True, slots=True)
class Collage:
    """A collage to store: JPEG bytes, width and height in pixels, the bytes' SHA-256 in hex."""

    data: bytes
    width: int
    height: int
    sha256: str


@dataclass(frozen=True, slots=True)
class TooWide:
    """The collage would have a side longer than libjpeg can write; the product is given up."""

    width: int
    height: int

    @property
    def detail(self) -> str:
        """The reason in words."""
        return f"{self.width} x {self.height} pixels; a JPEG has at most {MAX_JPEG_SIDE} a side"


@dataclass(frozen=True, slots=True)
class TooEnlarged:
    """One photo is so much taller than the others that they would be enlarged beyond all use; the product is given up.

    `own_pixels`: the pixels of all photos as they are stored.
    """

    width: int
    height: int
    own_pixels: int

    @property
    def detail(self) -> str:
        """The reason in words."""
        return (
            f"{self.width} x {self.height} pixels of photos that have {self.own_pixels / 1e6:.1f} megapixels; above "
            f"{MAX_ENLARGED_PIXELS / 1e6:g} megapixels, a collage has at most twice the pixels of its photos"
        )


def collage_size(sizes: Sequence[Size]) -> Size:
    """Width and height of the collage of photos of these sizes, all at the height of the tallest."""
    height = _height(sizes)
    return sum(_scaled_width(size, height) for size in sizes), height


def decoded_bytes(sizes: Sequence[Size]) -> int:
    """The peak memory of making the collage, in bytes, which counts towards `COLLAGE_MEMORY_MB`.

    Pillow uses 4 bytes a pixel. Besides the canvas, memory holds either one photo (4 bytes a pixel, up to 6 more for
    the coefficients of a progressive JPEG, and when it is scaled, the intermediate and final image of LANCZOS), or
    finally the encoded JPEG (at most about a byte a pixel).
    """
    width, height = collage_size(sizes)
    canvas = width * height
    return _FIXED_BYTES + 4 * canvas + max(canvas, *(_photo_bytes(size, height) for size in sizes))


def make_collage(photos: Sequence[bytes], quality: int = JPEG_QUALITY) -> Collage | TooWide | TooEnlarged | Refused:
    """The photos from left to right on white, as a 4:4:4 JPEG; the same input gives the same bytes.

    Photos need not be normalised: EXIF orientation, CMYK, alpha and colour profiles are applied. Sizes are read from
    the headers, so `TooWide` and `TooEnlarged` need no decoding; then one photo at a time is decoded, pasted and
    freed. `Refused` names the photo that can't be read. Raises ValueError without photos.
    """
    if not photos:
        raise ValueError("a collage needs at least one photo")
    with ExitStack() as open_photos:
        opened: list[ImageFile.ImageFile] = []
        for number, data in enumerate(photos, start=1):
            try:
                photo = open_photo(data, DEFAULT_LIMITS.max_pixels)
            except Unusable as unusable:
                return _named(unusable, number)
            opened.append(open_photos.enter_context(photo))
        sizes = [_upright_size(photo) for photo in opened]
        width, height = collage_size(sizes)
        if max(width, height) > MAX_JPEG_SIDE:
            return TooWide(width, height)
        own_pixels = sum(size[0] * size[1] for size in sizes)
        if width * height > max(MAX_ENLARGED_PIXELS, 2 * own_pixels):
            return TooEnlarged(width, height, own_pixels)
        canvas = Image.new("RGB", (width, height), "white")
        left = 0
        for number, (photo, data, size) in enumerate(zip(opened, photos, sizes, strict=True), start=1):
            try:
                _paste(canvas, photo, data, (left, size))
            except Unusable as unusable:
                return _named(unusable, number)
            left += _scaled_width(size, height)
        encoded = encode_jpeg(canvas, quality)
    return Collage(encoded, width, height, hashlib.sha256(encoded).hexdigest())


def _paste(canvas: Image.Image, photo: ImageFile.ImageFile, data: bytes, position: tuple[int, Size]) -> None:
    left, size = position
    image = decode_upright(photo, data)
    if image.size != size:  # the EXIF orientation of a PNG may come after its pixels
        raise Unusable("corrupt", f"header says {size[0]} x {size[1]}, decoded {image.width} x {image.height}")
    if size[1] != canvas.height:
        scaled = (_scaled_width(size, canvas.height), canvas.height)
        image = image.resize(scaled, Image.Resampling.LANCZOS)
    canvas.paste(image, (left, 0))
    photo.close()  # free its pixels before the next photo is decoded


def _named(unusable: Unusable, number: int) -> Refused:
    return Refused(unusable.refused.reason, f"photo {number}: {unusable.refused.detail}")


def _upright_size(photo: ImageFile.ImageFile) -> Size:
    width, height = photo.size
    return (height, width) if orientation(photo) >= 5 else (width, height)


def _height(sizes: Sequence[Size]) -> int:
    return max(height for _, height in sizes)


def _scaled_width(size: Size, height: int) -> int:
    return max(1, round(size[0] * height / size[1]))


def _photo_bytes(size: Size, height: int) -> int:
    pixels = size[0] * size[1]
    if size[1] == height:
        return 10 * pixels
    scaled_width = _scaled_width(size, height)
    return max(10 * pixels, 4 * (pixels + scaled_width * size[1] + scaled_width * height))
