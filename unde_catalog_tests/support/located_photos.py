"""Photos with the metadata of a phone, for tests, and what is left of it."""

import io

from PIL import Image


def private_exif(orientation: int) -> bytes:
    """EXIF of a phone: orientation, place, camera and time."""
    tags = Image.Exif()
    tags[0x0112] = orientation
    tags[0x010E] = "Secret Street 5"
    tags[0x010F] = "SecretCam"
    tags.get_ifd(0x8769)[0x9003] = "2026:01:02 03:04:05"
    tags.get_ifd(0x8825).update({1: "N", 2: (25.0, 11.0, 48.5), 3: "E", 4: (55.0, 16.0, 30.25)})
    return tags.tobytes()


def place_of(data: bytes) -> dict[int, object]:
    """The tags of the place in a photo's EXIF that have a value."""
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        return {tag: value for tag, value in image.getexif().get_ifd(0x8825).items() if value not in ("", (), b"")}


def pixels(data: bytes) -> tuple[int, bytes]:
    """The orientation and the RGB pixels of a photo."""
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        return image.getexif().get(0x0112, 1), image.convert("RGB").tobytes()
