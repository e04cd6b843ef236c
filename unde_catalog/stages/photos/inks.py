"""How the inks of a CMYK JPEG without an Adobe marker are stored: as they are, inverted, or as YCCK.

Adobe stores inverted inks and says so in a marker, but tools that remove metadata remove the marker too. Then the
header and the pixels decide. Colours are converted in `colour.py`.
"""

import io
from functools import partial

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms, ImageFile

_Inks = npt.NDArray[np.uint8]  # pixels x 4
_Transforms = tuple[ImageCms.ImageCmsTransform, ImageCms.ImageCmsTransform]

_YCCK_MARKER = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x02"  # Adobe Technical Note 5116
_FRAMES = frozenset({0xC0, 0xC1, 0xC2})
_SAMPLE = 128  # pixels of a side: more decide the same
_MOST_INK = 3.4  # presses take 240 to 340 % of the four inks together
_OVERINKED = 0.01  # a smaller share of pixels above that decides nothing
_CLEARLY = 8  # times as many such pixels the other way round
_NO_BLACK = 0.995  # the share of pixels without black in a photo that was converted without a profile, at least
_FAITHFUL = 10.0  # the mean change of a profile's own colours through Lab and back, in levels of 255, at most
_ERRORS = (ImageCms.PyCMSError, OSError, ValueError, TypeError)


def mark_ycck(data: bytes) -> bytes:
    """The JPEG in `data`, with an Adobe marker if it lacks one and its header shows that it is YCCK.

    Decoders take four components without a marker for CMYK. Nobody stores magenta and yellow more coarsely than cyan,
    but YCCK is stored like that: fewer samples of its colour differences, or a quantization table of their own.
    """
    at, components = 2, b""
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != 0xDA:
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if data[at + 1] == 0xEE and data[at + 4 : at + 9] == b"Adobe":
            return data
        if data[at + 1] in _FRAMES and data[at + 9 : at + 10] == b"\x04":
            components = data[at + 10 : at + 22]
            break
        at += 2 + max(length, 2)
    if len(components) < 12 or components[::3] == b"CMYK":
        return data
    samples, tables = components[1::3], components[2::3]
    coarser = samples[1] == samples[2] != samples[0] and samples[1] <= samples[0]
    own_table = tables[1] == tables[2] != tables[0]
    return data[:2] + _YCCK_MARKER + data[2:] if coarser or own_table else data


def are_inverted(photo: ImageFile.ImageFile) -> bool | None:
    """Whether a decoded CMYK JPEG without an Adobe marker stores inverted inks; None if that can't be told.

    Pillow inverts the inks of all of them. A profile tells, as only its own colours come back unchanged through Lab.
    Without one, what nobody prints tells: more ink than paper takes, or black under all of the picture.
    """
    sample = photo.resize((min(photo.width, _SAMPLE), min(photo.height, _SAMPLE)), Image.Resampling.NEAREST)
    inverted = np.asarray(sample, np.uint8).reshape(-1, 4)  # the inks, if the file stores their inverse
    plain = 255 - inverted
    through_lab = _through_lab(photo.info.get("icc_profile"))
    for is_right in (partial(_fits_profile, through_lab), _takes_less_ink, _is_without_black):
        if is_right(inverted, plain):
            return True
        if is_right(plain, inverted):
            return False
    return None


def _fits_profile(through_lab: _Transforms | None, inks: _Inks, inverse: _Inks) -> bool:
    if through_lab is None:
        return False
    change = _change(inks, through_lab)
    return change < _FAITHFUL and 3 * change < _change(inverse, through_lab)


def _takes_less_ink(inks: _Inks, inverse: _Inks) -> bool:
    share, of_inverse = (float((one.sum(1, dtype=np.int32) > _MOST_INK * 255).mean()) for one in (inks, inverse))
    return of_inverse > share + _OVERINKED and of_inverse > _CLEARLY * share


def _is_without_black(inks: _Inks, inverse: _Inks) -> bool:
    share, of_inverse = (float((one[:, 3] < 8).mean()) for one in (inks, inverse))
    return of_inverse < _NO_BLACK <= share


def _through_lab(icc: object) -> _Transforms | None:
    """The profile's transforms to Lab and back; None without a usable one."""
    if not isinstance(icc, bytes) or icc[16:20] != b"CMYK":
        return None
    try:
        profile, lab = ImageCms.ImageCmsProfile(io.BytesIO(icc)), ImageCms.createProfile("LAB")
        intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
        there = ImageCms.buildTransform(profile, lab, "CMYK", "LAB", renderingIntent=intent)
        return there, ImageCms.buildTransform(lab, profile, "LAB", "CMYK", renderingIntent=intent)
    except _ERRORS:  # malformed, or without the tables of one direction
        return None


def _change(inks: _Inks, through_lab: _Transforms) -> float:
    """The mean change on the way to Lab and back, in levels of 255."""
    image: Image.Image | None = Image.frombytes("CMYK", (len(inks), 1), inks.tobytes())
    for transform in through_lab:
        image = ImageCms.applyTransform(image, transform)
        assert image is not None  # only in-place transforms return None
    return float(np.abs(np.asarray(image, np.int16).reshape(-1, 4) - inks).mean())
