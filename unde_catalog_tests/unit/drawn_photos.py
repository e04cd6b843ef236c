"""Drawn photos for the tests of images, and functions that inspect the results."""

import io
import random

from PIL import Image, ImageCms

from unde_catalog.stages.photos.heif import has_heif
from unde_catalog.stages.photos.image import StoredImage, normalise

RED, GREEN, BLUE, YELLOW, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (255, 255, 255)


has_heif()  # registers the format, also for saving


def saved(image: Image.Image, format: str = "JPEG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def plain(colour: object, size: tuple[int, int] = (64, 64), mode: str = "RGB") -> Image.Image:
    return Image.new(mode, size, colour)  # pyright: ignore[reportArgumentType]


def detailed(size: tuple[int, int] = (320, 240)) -> Image.Image:
    """Soft coloured noise, always the same."""
    noise = Image.frombytes("RGB", (40, 30), random.Random(1).randbytes(40 * 30 * 3))
    return noise.resize(size)


def corners() -> Image.Image:
    """80 x 60: red top left, green top right, blue bottom left, yellow bottom right."""
    image = plain(RED, (80, 60))
    for colour, at in ((GREEN, (40, 0)), (BLUE, (0, 30)), (YELLOW, (40, 30))):
        image.paste(plain(colour, (40, 30)), at)
    return image


def near(actual: object, expected: tuple[int, ...], tolerance: int = 6) -> bool:
    assert isinstance(actual, tuple)
    return all(abs(a - b) <= tolerance for a, b in zip(actual, expected, strict=True))


def profile(swap_red_and_blue: bool = False) -> bytes:
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    if not swap_red_and_blue:
        return icc
    return icc.replace(b"rXYZ", b"tmpX", 1).replace(b"bXYZ", b"rXYZ", 1).replace(b"tmpX", b"bXYZ", 1)


def exif(orientation: int) -> bytes:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags.tobytes()


def stored(data: bytes) -> StoredImage:
    result = normalise(data)
    assert isinstance(result, StoredImage), result
    return result
