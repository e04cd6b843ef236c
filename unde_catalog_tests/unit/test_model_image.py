import random
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from unde_catalog.stages.visual_index.model_image import IMAGE_BYTES, MAX_ASPECT_RATIO, model_image
from unde_catalog_tests.unit.drawn_photos import detailed, exif, near, saved


def image_of(data: bytes) -> Image.Image:
    image = model_image(data)
    assert isinstance(image, Image.Image)
    return image


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((600, 800), (600, 800)),
        ((895, 2_200), (895, 2_200)),
        ((1_600, 2_400), (800, 1_200)),  # half the scale
        ((64, 60_000), (64, 1_280)),
        ((60_000, 64), (1_280, 64)),
        ((63, 1_261), (63, 1_259)),  # whole pixels on both sides
        ((800, 18_000), (267, 5_334)),
    ],
)
def test_an_image_for_a_model_is_bounded(size: tuple[int, int], expected: tuple[int, int]):
    image = image_of(saved(Image.new("L", size, 9)))
    assert image.size == expected and image.width * image.height * 4 <= IMAGE_BYTES
    assert max(image.size) <= MAX_ASPECT_RATIO * min(image.size)


def test_a_large_photo_that_is_no_jpeg_is_reduced():
    assert image_of(saved(Image.new("RGB", (3_000, 4_000)), "PNG")).size == (1_000, 1_334)


@pytest.mark.parametrize("orientation", [1, 6])
def test_the_middle_of_a_long_photo_remains(orientation: int):
    photo = Image.new("RGB", (64, 6_000), "white")
    photo.paste((0, 0, 255), (0, 2_900, 64, 3_100))
    image = image_of(saved(photo, exif=exif(orientation)))
    assert image.size == ((64, 1_280) if orientation == 1 else (1_280, 64))
    assert near(image.getpixel((image.width // 2, image.height // 2)), (0, 0, 255))
    assert near(image.getpixel((1, 1)), (255, 255, 255))


def test_the_middle_of_a_long_photo_is_not_resampled():
    photo = Image.frombytes("RGB", (50, 3_001), random.Random(1).randbytes(50 * 3_001 * 3))
    image = image_of(saved(photo, "PNG"))
    top = (3_001 - image.height) // 2
    assert image.tobytes() == photo.crop((0, top, 50, top + image.height)).tobytes()


_PEAK = """
import sys, time
from pathlib import Path
from unde_catalog.stages.visual_index import clip
from unde_catalog.stages.visual_index.model_image import model_image
from unde_catalog_tests.support.toy_clip import write_toy_clip

def peak():
    return next(int(line.split()[1]) // 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))

folder = Path(sys.argv[1])
model = clip.load(write_toy_clip(folder / "clip"), folder / "home", may_download=False)
photo = (folder / "long.jpg").read_bytes()
before = peak()
model.embed_images([model_image(photo) for _ in range(16)])
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak memory from /proc")
def test_a_batch_of_very_long_photos_takes_little_memory(tmp_path: Path):
    """Sixteen photos of 64 x 60,000 pixels took 5 GB, as CLIP scales the shorter side to 224 pixels."""
    (tmp_path / "long.jpg").write_bytes(saved(detailed((64, 60_000))))
    run = subprocess.run([sys.executable, "-c", _PEAK, str(tmp_path)], capture_output=True, text=True, check=True)
    assert int(run.stdout) < 300  # MB
