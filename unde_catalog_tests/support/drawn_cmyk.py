"""CMYK JPEGs for tests: stored inverted or not, as YCCK, without a marker, and with a drawn profile."""

import struct

import numpy as np
import numpy.typing as npt
from PIL import Image

from unde_catalog_tests.unit.drawn_photos import saved

Floats = npt.NDArray[np.floating]
_D50 = np.array([0.9642, 1.0, 0.8249])
_TO_XYZ = np.array([[0.4361, 0.3851, 0.1431], [0.2225, 0.7169, 0.0606], [0.0139, 0.0971, 0.7141]])  # sRGB, for D50


def cmyk_jpeg(inks: Image.Image, *, inverted: bool, icc: bytes | None = None, marker: bool = False) -> bytes:
    """A JPEG of a "CMYK" image of inks. `marker`: with Adobe's, which belongs to inverted inks."""
    stored = inks if inverted else Image.frombytes("CMYK", inks.size, bytes(255 - level for level in inks.tobytes()))
    jpeg = saved(stored, quality=95, icc_profile=icc)  # Pillow inverts
    return jpeg if marker else without_marker(jpeg)


def without_marker(jpeg: bytes) -> bytes:
    """The JPEG without its Adobe marker, as tools write it that remove metadata."""
    at = jpeg.rindex(b"\xff\xee\x00\x0eAdobe")  # metadata may hold a thumbnail with another
    return jpeg[:at] + jpeg[at + 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big") :]


def ycck_jpeg(inks: Image.Image, *, inverted: bool) -> bytes:
    """The same as YCCK, which Photoshop writes: luma and chroma of three inks, with two quantization tables."""
    stored = 255 - np.asarray(inks) if inverted else np.asarray(inks)
    colours = Image.fromarray(255 - stored[..., :3], "RGB").convert("YCbCr")
    luma = np.dstack([np.asarray(colours), stored[..., 3]])
    raw = saved(Image.fromarray(255 - luma, "CMYK"), qtables=[[2] * 64, [2] * 64])
    frame = raw.index(b"\xff\xc0") + 10
    components = b"".join(bytes((n, 0x11, table)) for n, table in ((1, 0), (2, 1), (3, 1), (4, 0)))
    scan = raw.index(b"\xff\xda") + 5
    ids = bytes(level for n in range(4) for level in (n + 1, raw[scan + 2 * n + 1]))
    raw = raw[:frame] + components + raw[frame + 12 : scan] + ids + raw[scan + 8 :]
    return without_marker(raw)


def separated(image: Image.Image) -> Image.Image:
    """The inks of an "RGB" image as presses take them: black replaces a part of the three colours in the shadows."""
    darkness = 1 - np.asarray(image, np.float64) / 255
    return Image.fromarray(np.round(_inks(darkness) * 255).astype(np.uint8), "CMYK")


def separation_profile() -> bytes:
    """An ICC profile of `separated`, with tables from inks to Lab and back."""
    grid = np.linspace(0, 1, 9)
    inks = np.stack(np.meshgrid(grid, grid, grid, grid, indexing="ij"), -1).reshape(-1, 4)
    lab = _lab((1 - inks[:, :3]) * (1 - inks[:, 3:]))
    axis = np.linspace(0, 1, 25)
    labs = np.stack(np.meshgrid(axis * 100, axis * 255 - 128, axis * 255 - 128, indexing="ij"), -1).reshape(-1, 3)
    back = _inks(1 - np.clip(_rgb(labs), 0, 1))
    tables = {
        b"A2B0": _lut(4, 3, 9, np.column_stack([lab[:, 0] / 100 * 255, lab[:, 1] + 128, lab[:, 2] + 128])),
        b"B2A0": _lut(3, 4, 25, back * 255),
        b"wtpt": b"XYZ " + bytes(4) + struct.pack(">3I", 0xF6D6, 0x10000, 0xD32D),
    }
    entries, data, at = b"", b"", 128 + 4 + 12 * len(tables)
    for name, table in tables.items():
        table += bytes(-len(table) % 4)
        entries += struct.pack(">4sII", name, at + len(data), len(table))
        data += table
    head = struct.pack(">I4sI4s4s4s", at + len(data), b"lcms", 0x02400000, b"prtr", b"CMYK", b"Lab ")
    head += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3I", 0xF6D6, 0x10000, 0xD32D)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tables)) + entries + data


def _inks(darkness: Floats) -> Floats:
    black = np.clip(darkness.min(-1, keepdims=True) * 1.6 - 0.8, 0, 0.75)
    return np.concatenate([1 - (1 - darkness) / (1 - black), black], -1)


def _lab(rgb: Floats) -> Floats:
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = linear @ _TO_XYZ.T / _D50
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], -1)


def _rgb(lab: Floats) -> Floats:
    y = (lab[:, 0] + 16) / 116
    f = np.stack([y + lab[:, 1] / 500, y, y - lab[:, 2] / 200], -1)
    xyz = np.where(f > 0.2069, f**3, (f - 16 / 116) / 7.787) * _D50
    linear = np.clip(xyz @ np.linalg.inv(_TO_XYZ).T, 0, 1)
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)


def _lut(inputs: int, outputs: int, points: int, table: Floats) -> bytes:
    """A table of the type lut8Type (ICC.1:2001, 6.5.8), with linear curves."""
    matrix = struct.pack(">9i", *(0x10000 if n % 4 == 0 else 0 for n in range(9)))
    curve = bytes(range(256))
    body = np.round(np.clip(table, 0, 255)).astype(np.uint8).tobytes()
    return b"mft1" + bytes((0, 0, 0, 0, inputs, outputs, points, 0)) + matrix + curve * inputs + body + curve * outputs
