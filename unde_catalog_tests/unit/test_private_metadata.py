import io
import struct

import pytest
from PIL import Image, PngImagePlugin

from unde_catalog.services.user_media.content import ImageType, image_type
from unde_catalog.services.user_media.private_metadata import without_private_metadata
from unde_catalog_tests.support.located_photos import pixels, place_of, private_exif
from unde_catalog_tests.unit.drawn_photos import corners, exif, profile, saved

SECRETS = (b"Secret Street", b"SecretCam", b"2026:01:02", b"secretXmp")
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF>secretXmp exif:GPSLatitude="25,11.8N"</rdf:RDF></x:xmpmeta>'


def with_private_metadata(format: str) -> bytes:
    options: dict[str, object] = {"exif": private_exif(6), "icc_profile": profile()}
    if format == "PNG":
        info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", XMP.decode(), zip=True)
        info.add_text("Comment", "Secret Street 5")
        options["pnginfo"] = info
    elif format == "TIFF":
        tags = Image.Exif()
        tags.load(private_exif(1))
        options = {"exif": tags, "tiffinfo": {700: XMP}}
    else:
        options["xmp"] = XMP
    return saved(corners(), format, **options)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF", "TIFF"])
def test_place_time_and_camera_are_removed_and_pixels_stay(format: str):
    data = with_private_metadata(format)
    if format != "TIFF":  # Pillow writes no GPS directory into one here
        assert place_of(data)
    result = without_private_metadata(data)
    assert not place_of(result) and not any(secret in result for secret in SECRETS)
    assert struct.pack(">2I", 97, 2) not in result and struct.pack("<2I", 97, 2) not in result  # 48.5 seconds
    assert pixels(result) == pixels(data)
    assert isinstance(image_type(result), ImageType)
    assert without_private_metadata(result) == result


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_place_in_a_tiff_is_overwritten(order: str):
    data = saved(corners(), "TIFF")
    first = int(struct.unpack_from("<I", data, 4)[0])
    count = int(struct.unpack_from("<H", data, first)[0])
    entries = data[first + 2 : first + 2 + 12 * count]
    gps_at = len(data) + len(data) % 2
    gps = struct.pack("<HHHII", 1, 2, 5, 3, gps_at + 18) + bytes(4) + struct.pack("<6I", 25, 1, 11, 1, 97, 2)
    directory = struct.pack("<H", count + 1) + entries + struct.pack("<HHII", 0x8825, 4, 1, gps_at) + bytes(4)
    at = gps_at + len(gps)
    tiff = data[:4] + struct.pack("<I", at) + data[8:].ljust(gps_at - 8, b"\0") + gps + directory
    assert place_of(tiff)
    result = without_private_metadata(tiff)
    assert not place_of(result) and struct.pack("<2I", 97, 2) not in result and pixels(result) == pixels(tiff)


def test_further_pictures_of_a_jpeg_are_removed_with_their_metadata():
    data = saved(corners(), "MPO", save_all=True, append_images=[corners()], exif=private_exif(3))
    second = data.rindex(b"\xff\xd8\xff")
    data = data[: second + 2] + saved(corners(), exif=private_exif(6))[2:]
    result = without_private_metadata(data)
    assert not any(secret in result for secret in SECRETS) and len(result) < second
    with Image.open(io.BytesIO(result)) as image:
        assert image.format == "JPEG" and image.getexif()[0x0112] == 3


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF", "TIFF", "GIF", "BMP"])
def test_a_file_without_private_metadata_stays_byte_for_byte(format: str):
    options = {"comment": b"not about a place"} if format == "JPEG" else {}
    data = saved(corners(), format, **options)
    assert without_private_metadata(data) == data


@pytest.mark.filterwarnings("ignore")  # Pillow warns about broken EXIF
def test_malformed_metadata_is_no_error():
    for broken in (b"Exif\0\0MM\0*\xff\xff\xff\xff", b"Exif\0\0II*\0\x08\0\0\0\xff\xff", exif(6)[:12]):
        result = without_private_metadata(saved(corners(), exif=broken))
        assert pixels(result)[1] == pixels(saved(corners()))[1]
    whole = with_private_metadata("AVIF")
    for end in range(0, len(whole), 7):
        without_private_metadata(whole[:end])
    for format in ("JPEG", "PNG", "WEBP", "TIFF"):
        whole = with_private_metadata(format)
        for end in range(0, len(whole), 7):
            without_private_metadata(whole[:end])


def test_a_film_behind_a_jpeg_is_removed():
    plain = saved(corners(), "JPEG")
    film = b"\x00\x00\x00\x18ftypmp42" + b"\xa9xyz+25.1972+055.2744/"  # a motion photo's, behind its picture
    assert without_private_metadata(plain + film) == plain


def test_xmp_in_a_gif_is_overwritten():
    magic = b"\x01" + bytes(range(255, -1, -1)) + b"\x00"
    block = b"\x21\xff\x0bXMP DataXMP" + XMP + magic
    gif = saved(corners(), "GIF").removesuffix(b";") + block + b";"
    result = without_private_metadata(gif)
    assert b"secretXmp" not in result and pixels(result) == pixels(gif) and len(result) == len(gif)
