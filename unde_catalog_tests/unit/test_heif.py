"""HEIC, the photos of iPhones: only the first picture, at the size that the header says, with or without the extra."""

import io
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from unde_catalog.services.user_media.content import image_type
from unde_catalog.stages.photos import decode
from unde_catalog.stages.photos.image import Refused, normalise, working_bytes
from unde_catalog.stages.visual_index.model_image import model_image
from unde_catalog_tests.unit.drawn_photos import BLUE, RED, detailed, near, plain, saved, stored


def with_declared_size(heic: bytes, side: int) -> bytes:
    at = heic.index(b"ispe") + 8
    return heic[:at] + struct.pack(">2I", side, side) + heic[at + 8 :]


def test_a_photo_of_tiles_is_stored_as_a_jpeg():
    photo = detailed((1_200, 900))
    result = stored(saved(photo, "HEIF", quality=95, tile_size=512))
    assert result.converted and (result.width, result.height) == (1_200, 900)
    image = Image.open(io.BytesIO(result.data))
    for at in ((5, 5), (600, 450), (1_190, 890)):
        assert near(image.getpixel(at), photo.getpixel(at), 12)  # pyright: ignore[reportArgumentType]


def test_of_several_pictures_the_primary_one_is_stored():
    data = saved(plain(RED), "HEIF", save_all=True, append_images=[plain(BLUE)], primary_index=1)
    image = Image.open(io.BytesIO(stored(data).data))
    assert near(image.getpixel((30, 30)), BLUE, 12)


def test_damage_is_found_although_the_file_has_a_thumbnail():
    data = saved(detailed((1_200, 900)), "HEIF", thumbnails=[128])
    at = data.rindex(b"mdat") + 4
    damaged = data[:at] + bytes(2_000) + data[at + 2_000 :]
    result = normalise(damaged)
    assert isinstance(result, Refused) and result.reason == "corrupt" and result.retryable
    assert isinstance(image_type(damaged), Refused)


def test_a_photo_for_a_model_is_not_its_thumbnail():
    image = model_image(saved(detailed((1_200, 900)), "HEIF", thumbnails=[500]))
    assert isinstance(image, Image.Image) and image.size == (1_200, 900)


def test_too_many_pixels_are_refused_by_the_header():
    data = with_declared_size(saved(detailed(), "HEIF"), 20_000)
    result = normalise(data)
    assert isinstance(result, Refused) and result.reason == "too_many_pixels" and working_bytes(data) == 0


def test_without_the_extra_the_refusal_names_it(monkeypatch: pytest.MonkeyPatch):
    data = saved(detailed(), "HEIF")
    monkeypatch.setattr(decode, "has_heif", lambda: False)
    result = normalise(data)
    assert isinstance(result, Refused) and result.reason == "unsupported_format" and not result.retryable
    assert result.detail == "HEIC and HEIF need the extra heif: pip install 'unde-catalog[heif]'"


_WITHOUT = """
import sys
sys.modules["pillow_heif"] = None
from unde_catalog.stages.photos.image import normalise
print(normalise(sys.stdin.buffer.read()).reason)
"""


def test_the_package_works_without_the_extra():
    heic = saved(detailed(), "HEIF")
    run = subprocess.run([sys.executable, "-c", _WITHOUT], input=heic, capture_output=True, check=True)
    assert run.stdout == b"unsupported_format\n"


_PEAK = """
import sys
from pathlib import Path
from unde_catalog.stages.photos.heif import has_heif
from unde_catalog.stages.photos.image import Refused, normalise

def peak():
    return next(int(line.split()[1]) // 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))

data, _, before = Path(sys.argv[1]).read_bytes(), has_heif(), peak()
assert isinstance(normalise(data), Refused)
print(peak() - before)
"""


@pytest.mark.slow  # encoding such a photo takes ten seconds
@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak memory from /proc")
def test_a_photo_that_holds_more_than_it_declares_takes_little_memory(tmp_path: Path):
    bomb = tmp_path / "bomb.heic"
    bomb.write_bytes(with_declared_size(saved(plain(RED, (4_000, 4_000)), "HEIF"), 100))
    run = subprocess.run([sys.executable, "-c", _PEAK, str(bomb)], capture_output=True, text=True, check=True)
    assert int(run.stdout) < 32
