import random
import resource
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import ImageFile, PngImagePlugin

from unde_catalog.stages.photos.image import ImageLimits, Refused, StoredImage, normalise, working_bytes
from unde_catalog_tests.unit.drawn_photos import RED, corners, detailed, exif, plain, profile, saved, stored


def reason(data: bytes, limits: ImageLimits | None = None) -> str:
    result = normalise(data, limits) if limits else normalise(data)
    assert isinstance(result, Refused), "the photo was accepted"
    return result.reason


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("subsampling", [0, 2])
def test_a_jpeg_cut_anywhere_is_reported_as_truncated(progressive: bool, subsampling: int):
    complete = saved(detailed((640, 480)), progressive=progressive, subsampling=subsampling)
    assert not stored(complete).converted
    for missing in (1, 2, 3, 5, 9, 40, 300, len(complete) // 2, len(complete) - 400, len(complete) - 40):
        assert reason(complete[:-missing]) == "truncated", missing


@pytest.mark.parametrize("format", ["PNG", "GIF", "WEBP", "AVIF", "HEIF", "BMP"])
def test_other_formats_cut_short_are_reported_as_truncated(format: str):
    complete = saved(detailed(), format)
    for missing in (1, 13, len(complete) // 2):
        result = normalise(complete[:-missing])
        if isinstance(result, StoredImage):  # a GIF's first frame may be complete without the trailer
            assert format == "GIF" and missing == 1
        else:
            assert result.reason == "truncated" and result.retryable, missing


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html><svg></svg>", "not_an_image"),
        (b"<HTML><HEAD><TITLE>Access Denied</TITLE>", "not_an_image"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0isommp42", "not_an_image"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "unsupported_format"),
        (b"<?xml version='1.0'?>\n<svg xmlns='http://www.w3.org/2000/svg'/>", "unsupported_format"),
        (saved(plain(1, mode="I"), "TIFF"), "unsupported_format"),
        (saved(plain(1.0, mode="F"), "TIFF"), "unsupported_format"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 90 + b"IEND\xaeB`\x82", "corrupt"),
        (saved(plain(RED, (49, 400))), "too_small"),
        (saved(plain(RED, (400, 49)), "PNG"), "too_small"),
        (saved(plain(RED, (50, 65_501)), "PNG"), "too_long"),
    ],
)
def test_a_refusal_has_its_reason(data: bytes, expected: str):
    assert reason(data) == expected


def test_only_reasons_that_a_second_download_may_fix_are_retried():
    retryable = {b"", b"<html>", saved(plain(RED))[:-9]}
    permanent = {b"8BPS", saved(plain(RED, (9, 9))), saved(plain(RED, (50, 65_501)), "PNG")}
    for data in retryable | permanent:
        result = normalise(data)
        assert isinstance(result, Refused) and result.retryable is (data in retryable)


def test_a_side_of_50_pixels_and_one_of_65500_are_accepted():
    assert stored(saved(plain(9, (50, 65_500), "L"), "PNG")).height == 65_500


def test_bytes_and_pixels_are_limited_as_configured():
    data = saved(detailed((100, 100)), "PNG")
    assert reason(data, ImageLimits(max_bytes=len(data) - 1)) == "too_large"
    assert reason(data, ImageLimits(max_pixels=9_999)) == "too_many_pixels"
    assert isinstance(normalise(data, ImageLimits(max_bytes=len(data), max_pixels=10_000)), StoredImage)


def bomb_headers() -> dict[str, bytes]:
    png = saved(plain(0, mode="L"), "PNG")
    ihdr = struct.pack(">4sII", b"IHDR", 20_000, 20_000) + png[24:29]
    webp = saved(plain((1, 2, 3, 4), mode="RGBA"), "WEBP", lossless=True)
    extended = saved(plain(RED), "WEBP", exif=exif(1))
    assert extended[12:16] == b"VP8X" and webp[12:16] == b"VP8L"
    side = (16_000 - 1).to_bytes(3, "little")
    jpeg = saved(plain(RED))
    sof = jpeg.index(b"\xff\xc0") + 5
    tiff = saved(plain(RED), "TIFF", compression="tiff_lzw")
    return {
        "png": png[:12] + ihdr + struct.pack(">I", PngImagePlugin._crc32(ihdr)) + png[33:],  # pyright: ignore
        "webp": extended[:24] + side * 2 + extended[30:],
        "webp lossless": webp[:21] + struct.pack("<I", 15_999 | 15_999 << 14) + webp[25:],
        "jpeg": jpeg[:sof] + struct.pack(">HH", 30_000, 30_000) + jpeg[sof + 4 :],
        "gif": b"GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\x02\x02D\x01\0;",
        "bmp": b"BM" + struct.pack("<IHHIIiiHHIIiiII", 99, 0, 0, 54, 40, 30_000, 30_000, 1, 24, *[0] * 6),
        "tiff": tiff.replace(struct.pack("<HHII", 256, 3, 1, 64), struct.pack("<HHII", 256, 4, 1, 9**8)),
    }


@pytest.mark.parametrize("kind", bomb_headers())
def test_a_bomb_is_refused_by_its_header(kind: str):
    data = bomb_headers()[kind]
    assert reason(data) == "too_many_pixels"
    assert working_bytes(data) == 0


def test_a_tiff_of_one_enormous_tile_is_refused_by_its_header():
    # For such a file of 23 KB, a picture of 64 x 64, libtiff needs 1.5 GB.
    tags = {256: 64, 257: 64, 258: 8, 259: 8, 262: 1, 277: 1, 322: 40_000, 323: 40_000, 324: 130, 325: 9}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    data = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(20)
    assert reason(data) == "too_many_pixels"


_PEAK = """
import sys
from pathlib import Path
from unde_catalog.stages.photos.image import StoredImage, normalise, working_bytes

def peak():
    return next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))

data = Path(sys.argv[1]).read_bytes()
estimate, before = working_bytes(data), peak()
assert isinstance(normalise(data), StoredImage)
print(peak() - before, estimate)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak memory from /proc")
@pytest.mark.parametrize("kind", ["JPEG kept", "JPEG progressive", "JPEG turned", "PNG", "WEBP", "AVIF", "HEIF"])
def test_memory_stays_within_the_estimate(kind: str, tmp_path: Path):
    image, file = plain((200, 100, 50, 200), (3000, 2000), "RGBA"), tmp_path / "photo"
    options = {"JPEG progressive": {"progressive": True, "subsampling": 0}, "JPEG turned": {"exif": exif(6)}}
    image = image.convert("RGB") if kind.startswith("JPEG") else image
    file.write_bytes(saved(image, kind.split()[0], **options.get(kind, {})))
    run = subprocess.run([sys.executable, "-c", _PEAK, str(file)], capture_output=True, text=True, check=True)
    used, estimate = map(int, run.stdout.split())
    assert used <= estimate + 4_000_000, (used, estimate)  # plus code pages that are loaded at first use


def test_a_progressive_jpeg_of_thousands_of_scans_is_refused_at_once():
    jpeg = saved(detailed(), progressive=True)
    last_scan = jpeg[jpeg.rindex(b"\xff\xda") : -2]
    result = normalise(jpeg[:-2] + last_scan * 5_000 + jpeg[-2:])
    assert isinstance(result, Refused)
    assert result.detail.startswith("a JPEG of more than ")  # detected before decoding


def test_a_process_that_accepts_truncated_images_is_reported(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with pytest.raises(RuntimeError, match="LOAD_TRUNCATED_IMAGES"):
        normalise(saved(corners()))


def mutated(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    match rng.randrange(4):
        case 0:
            return data[: rng.randrange(len(data))]
        case 1:
            del changed[(at := rng.randrange(len(data))) : at + rng.randrange(1, 2_000)]
        case 2:
            changed[(at := rng.randrange(len(data))) : at] = rng.randbytes(rng.randrange(1, 9))
        case _:
            region = rng.choice((64, 700, len(data)))
            for _ in range(rng.choice((1, 3, 20))):
                changed[rng.randrange(min(len(data), region))] = rng.randrange(256)
    return bytes(changed)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Pillow warns about most of them
def test_2000_mutated_photos_never_raise_never_hang_and_stay_small():
    rng, image = random.Random(20_261_120), detailed()
    complete = [saved(image, exif=exif(6), icc_profile=profile(True)), saved(image, progressive=True)]
    complete += [saved(image.convert("CMYK")), saved(image, "MPO", save_all=True, append_images=[image])]
    complete += [saved(image, format, exif=exif(6)) for format in ("PNG", "WEBP", "AVIF", "TIFF", "HEIF")]
    complete += [saved(image, "GIF"), saved(image.convert("P"), "BMP")]
    outcomes = set()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(2_000):
        result = normalise(mutated(complete[number % len(complete)], rng))  # a hang exceeds the test's time limit
        outcomes.add(result.reason if isinstance(result, Refused) else result.converted)
    assert {"truncated", "corrupt", True, False} <= outcomes, "the mutations no longer reach every path"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < 300_000  # kilobytes
