"""CMYK JPEGs without an Adobe marker: what is stored looks like the photo."""

import io

import pytest
from PIL import Image, ImageDraw

from unde_catalog.stages.photos.collage import make_collage
from unde_catalog.stages.photos.image import Refused, StoredImage, normalise
from unde_catalog.stages.visual_index.model_image import model_image
from unde_catalog_tests.support.drawn_cmyk import cmyk_jpeg, separated, separation_profile, without_marker, ycck_jpeg
from unde_catalog_tests.support.servers import REAL_DATA
from unde_catalog_tests.unit.drawn_photos import detailed, near, plain

FIELD, AWKWARD = REAL_DATA / "field", REAL_DATA / "awkward"


def garment(ground: tuple[int, int, int], colour: tuple[int, int, int]) -> Image.Image:
    image = plain(ground, (320, 400))
    ImageDraw.Draw(image).rectangle((80, 60, 240, 340), fill=colour)
    return image


LIGHT = garment((245, 244, 240), (120, 30, 40))
DARK = garment((70, 60, 50), (40, 20, 25))


def shown(data: bytes) -> tuple[object, object]:
    """The colours of ground and garment of the photo as it is stored."""
    result = normalise(data)
    assert isinstance(result, StoredImage), result
    image = Image.open(io.BytesIO(result.data))
    return image.getpixel((20, 20)), image.getpixel((160, 200))


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("make", [cmyk_jpeg, ycck_jpeg])
@pytest.mark.parametrize(
    ("photo", "inks"),
    [
        pytest.param(LIGHT, LIGHT.convert("CMYK"), id="light, without black"),
        pytest.param(DARK, DARK.convert("CMYK"), id="dark, without black"),
        pytest.param(LIGHT, separated(LIGHT), id="light, separated"),
    ],
)
def test_the_pixels_tell_whether_inks_are_inverted(photo: Image.Image, inks: Image.Image, make, inverted: bool):
    ground, colour = shown(make(inks, inverted=inverted))
    assert near(ground, photo.getpixel((20, 20)), 12) and near(colour, photo.getpixel((160, 200)), 12)  # pyright: ignore


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("photo", [LIGHT, DARK], ids=["light", "dark"])
def test_a_profile_tells_whether_inks_are_inverted(photo: Image.Image, inverted: bool):
    ground, colour = shown(cmyk_jpeg(separated(photo), inverted=inverted, icc=separation_profile()))
    assert near(ground, photo.getpixel((20, 20)), 16) and near(colour, photo.getpixel((160, 200)), 16)  # pyright: ignore


@pytest.mark.parametrize("icc", [None, b"\0" * 16 + b"CMYK" + b"nonsense" * 40], ids=["no profile", "malformed"])
def test_a_photo_that_does_not_tell_is_refused(icc: bytes | None):
    data = cmyk_jpeg(separated(DARK), inverted=True, icc=icc)
    result = normalise(data)
    assert isinstance(result, Refused) and result.reason == "ambiguous_inks" and not result.retryable
    assert isinstance(model_image(data), Refused) and isinstance(make_collage([data]), Refused)


def test_an_adobe_marker_decides_alone():
    ground, _ = shown(cmyk_jpeg(separated(DARK), inverted=True, marker=True))
    assert near(ground, (70, 60, 50), 16)
    assert near(shown(cmyk_jpeg(LIGHT.convert("CMYK"), inverted=False, marker=True))[0], (0, 0, 0), 16)


def test_detail_survives_ycck_without_a_marker():
    photo = detailed((320, 400))
    data = ycck_jpeg(photo.convert("CMYK"), inverted=True)
    result = normalise(data)
    assert isinstance(result, StoredImage)
    image = Image.open(io.BytesIO(result.data))
    for at in ((10, 10), (100, 300), (300, 50)):
        assert near(image.getpixel(at), photo.getpixel(at), 16)  # pyright: ignore[reportArgumentType]


@pytest.mark.skipif(not FIELD.is_dir(), reason="the inputs from the field are not on this machine")
@pytest.mark.parametrize("name", ["31_inverted_inks_no_app14.jpg", "31_control_plain_inks_no_app14.jpg"])
def test_a_dark_red_garment_on_a_light_ground(name: str):
    ground, colour = shown((FIELD / name).read_bytes())
    assert near(ground, (250, 250, 250)) and near(colour, (170, 30, 39))


@pytest.mark.skipif(not AWKWARD.is_dir(), reason="the awkward images are not on this machine")
def test_photoshops_ycck_looks_the_same_without_its_marker():
    data = (AWKWARD / "sharp__Channel_digital_image_CMYK_color.jpg").read_bytes()
    with_marker = normalise(data)
    assert isinstance(with_marker, StoredImage) and normalise(without_marker(data)) == with_marker
