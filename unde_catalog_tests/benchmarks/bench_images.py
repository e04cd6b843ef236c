"""Compares photos and collages with Pillow and with the codec alone. It takes about 20 s.

All variants take turns in one process, so that a busy machine slows them equally, and medians are printed. Photos are
drawn in 1920 x 2880 with the detail of a product photo on a plain background.
"""

import io
import statistics
import time
from collections.abc import Callable

from PIL import Image

from unde_catalog.stages.photos.collage import Collage, make_collage
from unde_catalog.stages.photos.image import StoredImage, normalise

SIZE = (1920, 2880)
ROUNDS = 9


def draw(seed: int) -> Image.Image:
    """A photo: a textured shape on a plain background."""
    width, height = SIZE
    image = Image.new("RGB", SIZE, (236, 234, 231))
    cloth = [Image.effect_noise((width // 8, height // 8), 40 + 10 * seed) for _ in range(3)]
    texture = Image.merge("RGB", cloth).resize((width // 2, height * 2 // 3), Image.Resampling.BICUBIC)
    image.paste(texture, (width // 4, height // 6))
    return image


def encode(image: Image.Image, format: str = "JPEG", **options: object) -> bytes:
    """Encode the image."""
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def full_decode(data: bytes) -> None:
    """A plain check of the complete photo."""
    with Image.open(io.BytesIO(data)) as image:
        image.load()


def plain_conversion(data: bytes) -> None:
    """A plain conversion to a stored JPEG."""
    with Image.open(io.BytesIO(data)) as image:
        encode(image.convert("RGB"), quality=95, subsampling=0)


def plain_collage(photos: list[bytes]) -> None:
    """The obvious loop: decode all photos, then paste them."""
    images = [Image.open(io.BytesIO(photo)).convert("RGB") for photo in photos]
    canvas = Image.new("RGB", (sum(i.width for i in images), max(i.height for i in images)), "white")
    left = 0
    for image in images:
        canvas.paste(image, (left, 0))
        left += image.width
    encode(canvas, quality=95, subsampling=0)


def medians(variants: dict[str, Callable[[], object]]) -> dict[str, float]:
    """The median milliseconds of each variant; the variants take turns."""
    taken: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(ROUNDS):
        for name, run in variants.items():
            before = time.perf_counter()
            run()
            taken[name].append((time.perf_counter() - before) * 1000)
    return {name: statistics.median(times) for name, times in taken.items()}


def main() -> None:
    """Print the figures."""
    drawn = [draw(seed) for seed in range(5)]
    photos = [encode(image, quality=90) for image in drawn]
    progressive = encode(drawn[0], quality=90, progressive=True)
    webp, png = encode(drawn[0], "WEBP", quality=90), encode(drawn[0], "PNG")
    assert all(isinstance(normalise(data), StoredImage) for data in (*photos, progressive, webp, png))
    assert isinstance(make_collage(photos), Collage)
    canvas = Image.new("RGB", (SIZE[0] * 5, SIZE[1]))
    for number, image in enumerate(drawn):
        canvas.paste(image, (number * SIZE[0], 0))

    def codec() -> None:
        for photo in photos:
            full_decode(photo)
        encode(canvas, quality=95, subsampling=0)

    pairs: list[tuple[str, dict[str, Callable[[], object]]]] = [
        (
            f"a JPEG of {SIZE[0]} x {SIZE[1]}, {len(photos[0]) // 1000} KB, kept",
            {"normalise": lambda: normalise(photos[0]), "full decode": lambda: full_decode(photos[0])},
        ),
        (
            "the same, progressive",
            {"normalise": lambda: normalise(progressive), "full decode": lambda: full_decode(progressive)},
        ),
        ("a WebP", {"normalise": lambda: normalise(webp), "plain conversion": lambda: plain_conversion(webp)}),
        ("a PNG", {"normalise": lambda: normalise(png), "plain conversion": lambda: plain_conversion(png)}),
        (
            "a collage of five",
            {
                "make_collage": lambda: make_collage(photos),
                "plain loop": lambda: plain_collage(photos),
                "codec alone": codec,
            },
        ),
    ]
    for title, variants in pairs:
        print(title)
        for name, milliseconds in medians(variants).items():
            print(f"  {name:18}{milliseconds:8.1f} ms")


if __name__ == "__main__":
    main()
