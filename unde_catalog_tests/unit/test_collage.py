import io
import subprocess
import sys

import pytest
from PIL import Image, ImageChops, ImageCms, JpegImagePlugin

from unde_catalog.stages.photos.collage import (
    MAX_JPEG_SIDE,
    Collage,
    Refused,
    Size,
    TooEnlarged,
    TooWide,
    collage_size,
    decoded_bytes,
    make_collage,
)
from unde_catalog_tests.unit.drawn_photos import (
    BLUE,
    GREEN,
    RED,
    WHITE,
    corners,
    detailed,
    exif,
    near,
    plain,
    profile,
    saved,
)


def collage_of(*photos: bytes, quality: int = 95) -> JpegImagePlugin.JpegImageFile:
    result = make_collage(photos, quality)
    assert isinstance(result, Collage), result
    image = Image.open(io.BytesIO(result.data))
    assert isinstance(image, JpegImagePlugin.JpegImageFile)
    assert image.mode == "RGB" and image.size == (result.width, result.height)
    image.load()
    return image


def test_photos_are_placed_left_to_right_at_the_greatest_height():
    image = collage_of(saved(plain(RED, (100, 200))), saved(plain(GREEN, (50, 100))), saved(plain(BLUE, (60, 200))))
    assert image.size == (100 + 100 + 60, 200)
    for x, colour in ((2, RED), (97, RED), (102, GREEN), (197, GREEN), (202, BLUE), (257, BLUE)):
        assert all(near(image.getpixel((x, y)), colour, 12) for y in (2, 197)), x


def test_photos_keep_their_order():
    red, blue = saved(plain(RED)), saved(plain(BLUE))
    assert near(collage_of(red, blue).getpixel((5, 5)), RED) and near(collage_of(blue, red).getpixel((5, 5)), BLUE)


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([(1920, 2880)] * 5, (9600, 2880)),
        ([(400, 500)], (400, 500)),
        ([(100, 200), (4000, 6000)], (3000 + 4000, 6000)),
        ([(3, 1000), (1, 100_000)], (301, 100_000)),
        ([(1, 1000), (1, 1)], (1001, 1000)),
        ([(1, 3000), (1, 1)], (3001, 3000)),
        ([(1, 60_000), (30_000, 100)], (18_000_001, 60_000)),
    ],
)
def test_the_size_keeps_proportions(sizes: list[tuple[int, int]], expected: tuple[int, int]):
    assert collage_size(sizes) == expected


def test_a_single_photo_and_a_tall_one_keep_every_pixel():
    photo = detailed((304, 400))  # complete blocks of 8 pixels, so that the neighbour has no influence
    left = collage_of(saved(photo, "PNG"), saved(plain(WHITE, (50, 60)))).crop((0, 0, 304, 400))
    assert collage_of(saved(photo, "PNG")).tobytes() == left.tobytes()
    assert near(left.getpixel((150, 200)), tuple(photo.getpixel((150, 200))), 12)  # pyright: ignore


def test_a_scaled_photo_is_resampled_with_lanczos():
    small = detailed((60, 80))
    expected = small.resize((120, 160), Image.Resampling.LANCZOS)
    actual = collage_of(saved(small, "PNG"), saved(plain(WHITE, (10, 160)))).crop((0, 0, 104, 160))
    difference = ImageChops.difference(expected.crop((0, 0, 104, 160)), actual)
    assert max(difference.tobytes()) <= 16  # the loss of quality 95


def test_the_jpeg_has_the_set_quality_no_subsampling_and_no_metadata():
    photo = saved(detailed(), exif=exif(1), icc_profile=profile(), comment="secret")
    for quality in (80, 95):
        image = collage_of(photo, quality=quality)
        reference = Image.open(io.BytesIO(saved(plain(RED), quality=quality)))
        assert isinstance(reference, JpegImagePlugin.JpegImageFile)
        assert image.quantization == reference.quantization
        assert JpegImagePlugin.get_sampling(image) == 0
        assert not {"exif", "icc_profile", "comment"} & set(image.info)


@pytest.mark.parametrize(
    ("photo", "colour"),
    [
        pytest.param(saved(plain(100, mode="L")), (100, 100, 100), id="grey"),
        pytest.param(saved(plain((0, 255, 255, 0), mode="CMYK")), RED, id="cmyk"),
        pytest.param(saved(plain((9, 9, 9, 0), mode="RGBA"), "PNG"), WHITE, id="alpha"),
        pytest.param(saved(plain(GREEN).convert("P"), "PNG"), GREEN, id="palette"),
        pytest.param(saved(plain(RED), icc_profile=profile(True)), BLUE, id="profile"),
    ],
)
def test_any_stored_photo_becomes_srgb_on_white(photo: bytes, colour: tuple[int, int, int]):
    assert near(collage_of(photo).getpixel((32, 32)), colour)


def test_a_rotated_photo_is_placed_and_measured_upright():
    image = collage_of(saved(corners(), exif=exif(6)), saved(plain(WHITE, (10, 80))))
    assert image.size == (70, 80)
    assert near(image.getpixel((55, 5)), RED, 20) and near(image.getpixel((55, 75)), GREEN, 20)


def test_too_wide_is_detected_from_the_headers_before_decoding():
    headers_only = saved(detailed((6000, 60)))[:3000]  # would be refused as truncated if it were decoded
    assert make_collage([headers_only] * 11) == TooWide(66_000, 60)
    assert "65500" in TooWide(66_000, 60).detail
    decoded = make_collage([headers_only] * 10)
    assert isinstance(decoded, Refused) and decoded.reason == "truncated"


def test_65500_pixels_are_accepted_and_one_more_is_too_wide():
    wide = saved(plain(9, (65_400, 50), "L"))
    assert collage_of(wide, saved(plain(9, (100, 50), "L"))).width == MAX_JPEG_SIDE
    assert make_collage([wide, saved(plain(9, (101, 50), "L"))]) == TooWide(65_501, 50)


def test_a_collage_that_would_be_enlarged_beyond_use_is_not_made():
    tall, other = saved(plain(9, (64, 60_000), "L")), saved(detailed((1_000, 1_500)))
    headers_only = other[:3000]  # would be refused as truncated if it were decoded
    result = make_collage([headers_only, tall])
    assert result == TooEnlarged(40_064, 60_000, 5_340_000)
    assert collage_of(tall).size == (64, 60_000)
    large = saved(plain(9, (4_000, 9_000), "L"))[:3000]  # a collage of 108 megapixels that enlarges nothing
    truncated = make_collage([large] * 3)
    assert isinstance(truncated, Refused) and truncated.reason == "truncated"


def test_an_unreadable_photo_is_named():
    complete = saved(detailed())
    for bad, reason in ((complete[:-50], "truncated"), (b"<html>", "not_an_image"), (b"", "empty")):
        result = make_collage([complete, bad])
        assert isinstance(result, Refused) and result.reason == reason
        assert result.detail.startswith("photo 2: ")


def test_a_photo_of_another_size_than_its_header_is_refused():
    png = saved(corners(), "PNG", exif=exif(6))
    start = png.index(b"eXIf") - 4
    end = start + 12 + int.from_bytes(png[start : start + 4], "big")
    reordered = png[:start] + png[end:-12] + png[start:end] + png[-12:]  # with the orientation after the pixels
    assert collage_of(png).size == (60, 80)
    result = make_collage([reordered])
    assert isinstance(result, Refused) and result.reason == "corrupt"


def test_no_photos_is_a_value_error():
    with pytest.raises(ValueError, match="at least one"):
        make_collage([])


def test_the_same_photos_give_the_same_bytes():
    photos = [saved(detailed((200, 300))), saved(detailed((100, 100)), "WEBP")]
    assert make_collage(photos) == make_collage(photos)


_PEAK = """
import io, sys
from PIL import Image
from unde_catalog.stages.photos.collage import decoded_bytes, make_collage

def peak():
    return next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))

photos = []
sizes = eval(sys.argv[1])
for number, size in enumerate(sizes):
    out = io.BytesIO()
    Image.effect_noise((size[0] // 4, size[1] // 4), 60).resize(size).convert("RGB").save(
        out, "JPEG", progressive=number % 2 == 0)
    photos.append(out.getvalue())
before = peak()
make_collage(photos)
print(peak() - before, decoded_bytes(sizes))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak memory from /proc")
@pytest.mark.parametrize("sizes", [[(1500, 2400), (1500, 1600), (800, 600)], [(1200, 800)] * 12])
def test_memory_stays_within_the_estimate_as_photos_are_freed(sizes: list[Size]):
    run = subprocess.run([sys.executable, "-c", _PEAK, repr(sizes)], capture_output=True, text=True, check=True)
    used, estimate = map(int, run.stdout.split())
    assert used <= estimate <= 2 * used


def test_five_photos_of_24_megapixels_are_about_700_mb():
    assert 650e6 < decoded_bytes([(4000, 6000)] * 5) < 750e6


def test_the_drawn_profile_is_a_valid_icc_profile():
    assert ImageCms.getProfileName(ImageCms.ImageCmsProfile(io.BytesIO(profile(True))))
