"""Results for 49 odd images from other projects. They cannot be distributed here, so the tests skip without them."""

import io
import subprocess
import sys

import pytest
from PIL import Image

from unde_catalog.stages.photos.image import Refused, StoredImage, normalise
from unde_catalog_tests.support.servers import REAL_DATA

AWKWARD = REAL_DATA / "awkward"
pytestmark = [
    pytest.mark.skipif(not AWKWARD.is_dir(), reason="the awkward images of shared/data are not on this machine"),
    pytest.mark.filterwarnings("ignore"),  # Pillow warns about broken EXIF and MPO headers
]

KEPT = {
    "derived__zara_trailing_garbage.jpg": (2048, 3072),
    "imagers__cat.jpg": (320, 240),
    "pillow__hopper_bad_exif.jpg": (500, 500),
    "pillow__invalid-exif.jpg": (200, 200),
    "pillow__sugarshack_bad_mpo_header.jpg": (640, 480),
    "sharp__Landscape_9.jpg": (480, 369),
    "sharp__gamma_dalai_lama_gray.jpg": (258, 222),
    "sharp__thRandom.jpg": (200, 200),
}
REFUSED = {
    "derived__zara_4000x6000_cut_60pct.jpg": "truncated",
    "derived__zara_page_saved_as.jpg": "not_an_image",
    "derived__zero_byte.jpg": "empty",
    "imagers__oss-fuzz-36829.jpeg": "too_small",  # 3 x 62728
    "pillow__decompression_bomb.gif": "too_many_pixels",
    "pillow__png_decompression_dos.png": "corrupt",
    "pillow__truncated_end_chunk.png": "truncated",
    "pillow__truncated_jpeg.jpg": "truncated",
    "sharp__2x2_fdcce6.png": "too_small",
    "sharp__big-height.webp": "too_small",  # 13 x 169
    "sharp__corrupt-header.jpg": "truncated",
    "sharp__giant-image.jpg": "too_many_pixels",
    "sharp__truncated.png": "truncated",
    "synthetic__akamai_access_denied.jpg": "not_an_image",
    "vips__17000x17000.avif": "too_many_pixels",
    "vips__truncated.gif": "truncated",
}
# Size, and colours at relative positions, recorded after inspecting each picture.
CONVERTED = {
    "exifex__Landscape_6.jpg": (
        (1800, 1200),
        {
            (0.5, 0.5): (107, 125, 138),
            (0.1, 0.1): (124, 167, 222),
            (0.9, 0.9): (20, 21, 18),
            (0.2, 0.7): (98, 117, 130),
        },
    ),
    "hackupc__mask.jpg": (
        (576, 768),
        {
            (0.5, 0.5): (0, 128, 1),
            (0.1, 0.1): (0, 0, 0),
            (0.9, 0.9): (0, 0, 0),
            (0.2, 0.7): (0, 0, 0),
            (0.5, 0.3): (128, 0, 0),
        },
    ),
    "hackupc__s_c_1.jpg": (
        (1536, 2048),
        {
            (0.5, 0.5): (255, 255, 255),
            (0.1, 0.1): (255, 255, 255),
            (0.9, 0.9): (255, 255, 255),
            (0.2, 0.7): (255, 255, 255),
            (0.5, 0.3): (60, 61, 62),
        },
    ),
    "libavif__poc_b_506387278.avif": (
        (128, 64),
        {(0.5, 0.5): (238, 14, 14), (0.1, 0.1): (238, 14, 14), (0.9, 0.9): (238, 14, 14), (0.2, 0.7): (238, 14, 14)},
    ),
    "pillow__exif_imagemagick_orientation.png": (
        (512, 512),
        {(0.5, 0.5): (251, 251, 251), (0.1, 0.1): (35, 31, 32), (0.9, 0.9): (35, 31, 32), (0.2, 0.7): (120, 118, 119)},
    ),
    "pillow__frozenpond.mpo": (
        (640, 480),
        {(0.5, 0.5): (162, 167, 164), (0.1, 0.1): (36, 21, 6), (0.9, 0.9): (47, 44, 44), (0.2, 0.7): (110, 108, 102)},
    ),
    "pillow__hopper.avif": (
        (128, 128),
        {(0.5, 0.5): (209, 125, 92), (0.1, 0.1): (122, 123, 140), (0.9, 0.9): (16, 13, 22), (0.2, 0.7): (15, 13, 18)},
    ),
    "pillow__hopper.heif": (
        (128, 128),
        {(0.5, 0.5): (209, 125, 92), (0.1, 0.1): (122, 123, 140), (0.9, 0.9): (16, 13, 22), (0.2, 0.7): (15, 13, 18)},
    ),
    "pillow__hopper_orientation_6.webp": (
        (128, 128),
        {(0.5, 0.5): (207, 123, 89), (0.1, 0.1): (124, 122, 145), (0.9, 0.9): (15, 14, 20), (0.2, 0.7): (13, 11, 14)},
    ),
    "pillow__icc_profile_big.jpg": (
        (425, 250),
        {(0.5, 0.5): (3, 129, 209), (0.1, 0.1): (0, 47, 111), (0.9, 0.9): (243, 243, 243), (0.2, 0.7): (38, 114, 173)},
    ),
    "pillow__iss634.webp": (
        (245, 245),
        {
            (0.5, 0.5): (66, 115, 118),
            (0.1, 0.1): (8, 174, 103),
            (0.9, 0.9): (236, 159, 110),
            (0.2, 0.7): (235, 158, 109),
        },
    ),
    "pillow__mode_palette_alpha.png": (
        (128, 64),
        {(0.5, 0.5): (254, 0, 0), (0.1, 0.1): (254, 0, 0), (0.9, 0.9): (254, 0, 0), (0.2, 0.7): (254, 0, 0)},
    ),
    "pillow__pil_sample_cmyk.jpg": (
        (100, 100),
        {
            (0.5, 0.5): (2, 4, 3),
            (0.1, 0.1): (0, 4, 5),
            (0.9, 0.9): (0, 4, 5),
            (0.2, 0.7): (0, 4, 5),
            (0.05, 0.02): (254, 14, 25),
        },
    ),
    "pillow__star.avifs": (
        (159, 159),
        {
            (0.5, 0.5): (253, 238, 171),
            (0.1, 0.1): (255, 255, 255),
            (0.9, 0.9): (255, 255, 255),
            (0.2, 0.7): (254, 254, 254),
        },
    ),
    "pillow__transparency.avif": (
        (64, 64),
        {(0.5, 0.5): (255, 255, 255), (0.1, 0.1): (255, 85, 1), (0.9, 0.9): (255, 0, 188), (0.2, 0.7): (7, 253, 138)},
    ),
    "sharp__16-bit-grey-alpha.png": (
        (109, 96),
        {
            (0.5, 0.5): (249, 249, 249),
            (0.1, 0.1): (243, 243, 243),
            (0.9, 0.9): (254, 254, 254),
            (0.2, 0.7): (239, 239, 239),
        },
    ),
    "sharp__5_webp_a.webp": (
        (300, 300),
        {
            (0.5, 0.5): (207, 220, 210),
            (0.1, 0.1): (255, 255, 255),
            (0.9, 0.9): (255, 255, 255),
            (0.2, 0.7): (185, 187, 219),
        },
    ),
    "sharp__Channel_digital_image_CMYK_color.jpg": (
        (500, 333),
        {
            (0.5, 0.5): (153, 173, 113),
            (0.1, 0.1): (114, 113, 115),
            (0.9, 0.9): (181, 180, 181),
            (0.2, 0.7): (131, 153, 90),
        },
    ),
    "sharp__Flag_of_the_Netherlands-16bit.png": (
        (900, 600),
        {(0.5, 0.5): (255, 255, 255), (0.1, 0.1): (174, 28, 39), (0.9, 0.9): (33, 70, 140), (0.2, 0.7): (33, 70, 140)},
    ),
    "sharp__Portrait_3.jpg": (
        (450, 600),
        {
            (0.5, 0.5): (208, 209, 212),
            (0.1, 0.1): (112, 117, 76),
            (0.9, 0.9): (162, 141, 113),
            (0.2, 0.7): (83, 90, 90),
        },
    ),
    "sharp__rotating-squares.gif": (
        (80, 80),
        {
            (0.5, 0.5): (255, 255, 255),
            (0.1, 0.1): (255, 253, 252),
            (0.9, 0.9): (255, 255, 255),
            (0.2, 0.7): (87, 123, 155),
            (0.2, 0.2): (14, 206, 255),
        },
    ),
    "sharp__swiss.png": (
        (68, 68),
        {
            (0.5, 0.5): (252, 253, 254),
            (0.1, 0.1): (255, 255, 255),
            (0.9, 0.9): (255, 255, 255),
            (0.2, 0.7): (255, 255, 255),
            (0.35, 0.25): (222, 10, 19),
            (0.5, 0.12): (255, 254, 254),
        },
    ),
    "vips__avif-orientation-6.avif": (
        (3024, 4032),
        {
            (0.5, 0.5): (136, 99, 32),
            (0.1, 0.1): (159, 135, 116),
            (0.9, 0.9): (189, 164, 137),
            (0.2, 0.7): (148, 111, 71),
        },
    ),
    "vips__rgba.png": (
        (128, 128),
        {
            (0.5, 0.5): (147, 143, 148),
            (0.1, 0.1): (255, 255, 255),
            (0.9, 0.9): (193, 189, 201),
            (0.2, 0.7): (139, 135, 140),
        },
    ),
    "vips__sample-xyb.jpg": (
        (290, 442),
        {
            (0.5, 0.5): (72, 76, 119),
            (0.1, 0.1): (172, 145, 104),
            (0.9, 0.9): (142, 121, 84),
            (0.2, 0.7): (151, 143, 108),
        },
    ),
}


def result_of(name: str) -> StoredImage | Refused:
    return normalise((AWKWARD / name).read_bytes())


def test_every_file_has_an_expected_result():
    assert {path.name for path in AWKWARD.iterdir()} == KEPT.keys() | REFUSED.keys() | CONVERTED.keys()
    assert len(KEPT) + len(REFUSED) + len(CONVERTED) == 49


@pytest.mark.parametrize("name", KEPT)
def test_valid_photos_are_kept_unchanged(name: str):
    result = result_of(name)
    assert isinstance(result, StoredImage) and not result.converted
    assert result.data == (AWKWARD / name).read_bytes() and (result.width, result.height) == KEPT[name]


@pytest.mark.parametrize("name", REFUSED)
def test_invalid_photos_are_refused(name: str):
    result = result_of(name)
    assert isinstance(result, Refused) and result.reason == REFUSED[name]


@pytest.mark.parametrize("name", CONVERTED)
def test_converted_photos_keep_their_colours(name: str):
    size, colours = CONVERTED[name]
    result = result_of(name)
    assert isinstance(result, StoredImage) and result.converted
    assert (result.width, result.height) == size
    image = Image.open(io.BytesIO(result.data))
    assert image.format == "JPEG" and image.mode == "RGB" and image.size == size
    assert not image.getexif() and "icc_profile" not in image.info
    small = image.reduce(max(1, min(size) // 32))  # averages out noise and codec differences
    for (x, y), expected in colours.items():
        actual = small.getpixel((int(x * small.width), int(y * small.height)))
        assert isinstance(actual, tuple)
        assert all(abs(a - b) <= 12 for a, b in zip(actual, expected, strict=True)), (x, y, actual, expected)


def test_a_500_kb_profile_is_left_out():
    result = result_of("pillow__icc_profile_big.jpg")
    assert isinstance(result, StoredImage) and len(result.data) < 60_000


_PEAK = """
import sys
from pathlib import Path
from unde_catalog.stages.photos.image import Refused, normalise

def peak():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))

bombs = [Path(name).read_bytes() for name in sys.argv[1:]]
before = peak()
assert all(isinstance(normalise(bomb), Refused) for bomb in bombs)
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak memory from /proc")
def test_decompression_bombs_take_less_than_32_mb():
    bombs = ("pillow__png_decompression_dos.png", "pillow__decompression_bomb.gif", "sharp__giant-image.jpg")
    paths = [str(AWKWARD / name) for name in (*bombs, "vips__17000x17000.avif", "imagers__oss-fuzz-36829.jpeg")]
    run = subprocess.run([sys.executable, "-c", _PEAK, *paths], capture_output=True, text=True, check=True)
    assert int(run.stdout) < 32 * 1024
