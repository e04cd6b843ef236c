import io
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image, JpegImagePlugin, PngImagePlugin

from unde_catalog.stages.photos import image as image_module
from unde_catalog.stages.photos.decode import jpeg_process
from unde_catalog.stages.photos.image import StoredImage, normalise
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
    stored,
)

ANIMATED = (("GIF", {}), ("WEBP", {"lossless": True}), ("PNG", {}), ("AVIF", {"quality": 95}), ("MPO", {}))


def pixels(result: StoredImage) -> Image.Image:
    image = Image.open(io.BytesIO(result.data))
    assert image.format == "JPEG" and image.size == (result.width, result.height)
    assert image.mode == "RGB" or not result.converted
    image.load()
    return image


def centre_of(data: bytes) -> object:
    image = pixels(stored(data))
    return image.getpixel((image.width // 2, image.height // 2))


def linear_grey_profile() -> bytes:
    """The smallest profile there is: grey with gamma 1.0, so 128 is shown as sRGB's 188."""
    curve, white = b"curv" + bytes(8), b"XYZ " + bytes(4) + struct.pack(">3I", 0xF6D6, 0x10000, 0xD32D)
    table = struct.pack(">I4sII4sII", 2, b"kTRC", 156, 12, b"wtpt", 168, 20)
    head = struct.pack(">I4sI4s4s4s", 188, b"lcms", 0x02400000, b"mntr", b"GRAY", b"XYZ ")
    head += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3I", 0xF6D6, 0x10000, 0xD32D)
    return head.ljust(128, b"\0") + table + curve + white


def without_segment(jpeg: bytes, marker: int) -> bytes:
    at = jpeg.index(bytes((0xFF, marker)))
    return jpeg[:at] + jpeg[at + 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big") :]


def png_info(**texts: str) -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    for name, text in texts.items():
        info.add_text(name.replace("_", " "), text)
    return info


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(saved(corners()), id="rgb"),
        pytest.param(saved(corners().convert("L")), id="grey"),
        pytest.param(saved(corners(), progressive=True), id="progressive"),
        pytest.param(saved(corners(), exif=exif(1)), id="orientation 1"),
        pytest.param(saved(corners(), exif=exif(9)), id="orientation that does not exist"),
        pytest.param(saved(corners(), exif=b"Exif\0\0MM\0*\xff\xff\xff\xff"), id="malformed EXIF"),
        pytest.param(saved(corners(), icc_profile=profile()), id="sRGB profile"),
        pytest.param(saved(corners(), icc_profile=b"nonsense" * 40), id="malformed profile"),
        pytest.param(saved(corners().convert("L"), icc_profile=profile(True)), id="profile for other pixels"),
        pytest.param(saved(corners(), xmp=b'<x tiff:Orientation="6"/>'), id="orientation only in XMP"),
        pytest.param(saved(corners()) + b"trailing garbage" * 99, id="trailing garbage"),
    ],
)
def test_an_upright_srgb_jpeg_is_stored_byte_for_byte(data: bytes):
    result = stored(data)
    assert result.data == data and not result.converted and (result.width, result.height) == (80, 60)


# Where the stored top left (red) and top right (green) corners belong: EXIF 2.3, tag 0x0112.
TURNED = {2: "tr tl", 3: "br bl", 4: "bl br", 5: "tl bl", 6: "tr br", 7: "br tr", 8: "bl tl"}


@pytest.mark.parametrize("orientation", TURNED)
@pytest.mark.parametrize("format", ["JPEG", "PNG", "PNG raw profile", "WEBP", "AVIF", "TIFF", "HEIF"])
def test_a_rotated_photo_is_stored_upright(format: str, orientation: int):
    tags = exif(orientation)
    if format == "PNG raw profile":
        text = f"\nexif\n{len(tags):8}\n{tags.hex()}\n"
        data = saved(corners(), "PNG", pnginfo=png_info(Raw_profile_type_exif=text))
    else:
        data = saved(corners(), format, exif=tags, **({"quality": 95} if format in ("WEBP", "AVIF", "HEIF") else {}))
    image = pixels(stored(data))
    assert image.size == ((60, 80) if orientation >= 5 else (80, 60))
    for colour, corner in zip((RED, GREEN), TURNED[orientation].split(), strict=True):
        at = (image.width - 8 if "r" in corner else 8, image.height - 8 if "b" in corner else 8)
        assert near(image.getpixel(at), colour, 30), corner
    assert not image.getexif()


def palette(clear: bytes | int) -> bytes:
    image = plain(0, mode="P")
    image.putpalette([*RED, *GREEN, *BLUE])
    return saved(image, "PNG", transparency=clear)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(saved(plain((255, 0, 0, 128), mode="RGBA"), "PNG"), (255, 127, 127), id="rgba"),
        pytest.param(saved(plain((0, 0, 0, 0), mode="RGBA"), "PNG"), WHITE, id="clear black"),
        pytest.param(saved(plain((0, 128), mode="LA"), "PNG"), (127, 127, 127), id="grey and alpha"),
        pytest.param(palette(b"\x80"), (255, 127, 127), id="palette with half alpha"),
        pytest.param(palette(0), WHITE, id="palette with a clear entry"),
        pytest.param(palette(1), RED, id="palette with another clear entry"),
        pytest.param(saved(plain(GREEN), "PNG", transparency=GREEN), WHITE, id="clear colour"),
        pytest.param(saved(plain(GREEN), "PNG", transparency=RED), GREEN, id="other clear colour"),
        pytest.param(saved(plain(9, mode="L"), "PNG", transparency=9), WHITE, id="clear grey"),
        pytest.param(saved(plain(9, mode="L"), "GIF", transparency=9), WHITE, id="gif"),
        pytest.param(saved(plain((255, 0, 0, 128), mode="RGBA"), "WEBP"), (255, 127, 127), id="webp"),
        pytest.param(saved(plain((255, 0, 0, 128), mode="RGBA"), "AVIF"), (255, 127, 127), id="avif"),
        pytest.param(saved(plain((255, 0, 0, 128), mode="RGBA"), "TIFF"), (255, 127, 127), id="tiff"),
        pytest.param(saved(plain((255, 0, 0, 128), mode="RGBA"), "HEIF"), (255, 127, 127), id="heif"),
    ],
)
def test_transparent_pixels_become_white(data: bytes, expected: tuple[int, int, int]):
    assert near(centre_of(data), expected)


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
@pytest.mark.parametrize(("level", "expected"), [(0, 0), (257, 1), (0x8000, 127), (0xFFFF, 255)])
def test_16_bit_grey_is_scaled_not_clipped(format: str, level: int, expected: int):
    assert near(centre_of(saved(plain(level, mode="I;16"), format)), (expected,) * 3, 1)


def test_a_clear_level_of_16_bit_grey_becomes_white():
    assert near(centre_of(saved(plain(700, mode="I;16"), "PNG", transparency=700)), WHITE)


@pytest.mark.parametrize(
    ("image", "format", "expected"),
    [
        (plain(1, mode="1"), "PNG", WHITE),
        (plain((0, 255, 255, 0), mode="CMYK"), "TIFF", RED),
        (plain((255, 0, 0, 0), mode="CMYK"), "JPEG", (0, 255, 255)),
        (plain(BLUE), "BMP", BLUE),
        (plain(BLUE).convert("P"), "GIF", BLUE),
        (plain(RED).convert("YCbCr"), "TIFF", RED),
    ],
)
def test_every_kind_of_pixel_keeps_its_colour(image: Image.Image, format: str, expected: tuple[int, int, int]):
    assert near(centre_of(saved(image, format)), expected)


def test_cmyk_without_an_adobe_marker_is_not_inverted():
    inverted_cyan = saved(plain((0, 255, 255, 255), mode="CMYK"))  # Pillow stores its inverse, as Adobe does
    assert near(centre_of(without_segment(inverted_cyan, 0xEE)), (0, 255, 255))


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF", "HEIF"])
def test_a_foreign_profile_is_applied_and_a_malformed_one_is_not(format: str):
    assert near(centre_of(saved(plain(RED), format, icc_profile=profile(True))), BLUE)
    assert near(centre_of(saved(plain(RED), format, icc_profile=b"nonsense" * 40)), RED)


def test_a_profile_is_applied_under_alpha_and_not_to_the_white_behind_it():
    icc = profile(True)
    assert near(centre_of(saved(plain((255, 0, 0, 128), mode="RGBA"), "PNG", icc_profile=icc)), (127, 127, 255))
    assert near(centre_of(saved(plain((255, 0, 0, 0), mode="RGBA"), "PNG", icc_profile=icc)), WHITE)


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_a_grey_gamma_profile_is_applied_to_grey(format: str):
    assert near(centre_of(saved(plain(128, mode="L"), format, icc_profile=linear_grey_profile())), (188,) * 3)


def test_jpegs_browsers_cannot_show_are_detected_by_their_frame_marker():
    assert jpeg_process(saved(corners())) == 0xC0
    assert jpeg_process(saved(corners(), progressive=True)) == 0xC2
    assert jpeg_process(saved(corners()).replace(b"\xff\xc0", b"\xff\xff\xff\xc9", 1)) == 0xC9
    assert jpeg_process(b"\xff\xd8\xff\xe0") == 0


@pytest.mark.parametrize(("format", "options"), ANIMATED)
def test_only_the_first_frame_is_stored(format: str, options: dict[str, object]):
    data = saved(plain(RED), format, save_all=True, append_images=[plain(BLUE)] * 2, **options)
    assert stored(data).converted and near(centre_of(data), RED)


@pytest.mark.parametrize(
    "segment",
    [
        b"\xff\xe1" + b'http://ns.adobe.com/xap/1.0/\0<x:xmpmeta><rdf:Description hdrgm:Version="1.0"/></x:xmpmeta>',
        b"\xff\xe2" + b"urn:iso:std:iso:ts:21496:-1\0\0\0\0\0",
    ],
    ids=["Ultra HDR", "ISO 21496-1"],
)
def test_of_a_jpeg_with_a_gain_map_the_first_picture_is_stored_alone(segment: bytes):
    both = saved(corners(), "MPO", save_all=True, append_images=[plain(BLUE)])  # the second is the gain map
    body = segment[2:]
    data = both[:2] + segment[:2] + struct.pack(">H", len(body) + 2) + body + both[2:]
    result = stored(data)
    assert result.converted and result.data.count(b"\xff\xd8\xff") == 1 and len(result.data) < len(data)
    assert (result.width, result.height) == (80, 60) and near(pixels(result).getpixel((8, 8)), RED, 12)
    alone = without_segment(saved(corners()), 0xE0)
    marked = alone[:2] + data[2 : 6 + len(body)] + alone[2:] + saved(plain(BLUE))
    assert stored(marked).converted and stored(marked).data.count(b"\xff\xd8\xff") == 1


def test_a_jpeg_that_browsers_cannot_show_is_converted(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(image_module, "jpeg_process", lambda _: 0xC9)  # no encoder at hand writes arithmetic coding
    assert stored(saved(corners())).converted


def png_16_bit(colour_type: int, samples: tuple[int, ...], **chunks: bytes) -> bytes:
    """A 64 x 64 PNG of 16-bit samples, which Pillow reads but doesn't write."""
    row = b"\0" + struct.pack(f">{len(samples)}H", *samples) * 64
    parts = {"IHDR": struct.pack(">IIBBBBB", 64, 64, 16, colour_type, 0, 0, 0), **chunks}
    parts |= {"IDAT": zlib.compress(row * 64), "IEND": b""}
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name.encode() + data + struct.pack(">I", zlib.crc32(name.encode() + data))
        for name, data in parts.items()
    )


def test_a_clear_colour_of_16_bit_rgb_becomes_white():
    green = (0x1234, 0xFF00, 0x0056)
    assert near(centre_of(png_16_bit(2, green)), (0x12, 0xFF, 0))
    assert near(centre_of(png_16_bit(2, green, tRNS=struct.pack(">3H", *green))), WHITE)


def test_a_grey_profile_is_applied_to_16_bit_grey_with_alpha():
    icc = b"grey\0\0" + zlib.compress(linear_grey_profile())
    assert near(centre_of(png_16_bit(4, (0x8000, 0xFFFF), iCCP=icc)), (188,) * 3)
    assert near(centre_of(png_16_bit(4, (0x8000, 0xFFFF))), (128,) * 3)


def test_the_orientation_in_the_xmp_of_a_tiff_is_ignored():
    xmp = {700: b'<x tiff:Orientation="6"/>'}
    assert pixels(stored(saved(corners(), "TIFF", tiffinfo=xmp))).size == (80, 60)


def test_a_converted_photo_has_no_metadata():
    tags = Image.Exif()
    tags[0x0112] = 3
    tags[0x010E] = "secret place"
    for icc in (None, profile(True)):
        data = saved(corners(), exif=tags.tobytes(), icc_profile=icc, comment="secret")
        result = stored(data)
        assert result.converted and data.count(b"secret") == 2
        assert not any(left in result.data for left in (b"secret", b"Exif", b"ICC_PROFILE"))


def test_a_converted_photo_has_quality_95_without_subsampling():
    image = Image.open(io.BytesIO(stored(saved(detailed(), "PNG")).data))
    assert isinstance(image, JpegImagePlugin.JpegImageFile)
    assert JpegImagePlugin.get_sampling(image) == 0
    assert image.quantization == Image.open(io.BytesIO(saved(detailed(), quality=95))).quantization  # pyright: ignore


def test_the_same_photo_gives_the_same_bytes_in_many_threads():
    photos = [saved(detailed((200, 150)), f) for f in ("PNG", "WEBP", "AVIF", "TIFF")] * 8
    once = [normalise(photo) for photo in photos]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(normalise, photos)) == once
