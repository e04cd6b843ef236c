"""Colour and orientation: converts decoded pixels of any mode and profile to upright sRGB, with alpha on white."""

import io
from collections.abc import Callable
from functools import lru_cache

from PIL import Image, ImageChops, ImageCms, ImageFile

from unde_catalog.stages.photos.decode import Unusable
from unde_catalog.stages.photos.inks import are_inverted

_STRIP_ROWS = 256  # pixels are converted in strips, so memory holds one strip besides source and result
_TOLERANCE = 3  # levels of 255: a smaller difference from sRGB is invisible
_CACHED_PROFILE_BYTES = 65_536
_CMS_ERRORS = (ImageCms.PyCMSError, OSError, ValueError, TypeError)
_PIXEL_CLASSES = frozenset({b"scnr", b"mntr", b"prtr", b"spac"})  # not device links, abstract or named colours
_SPACES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ALPHA_MODES = frozenset({"LA", "La", "PA", "RGBA", "RGBa"})
_16_BIT = frozenset({"I;16", "I;16B", "I;16L", "I;16N"})
_MODES = _ALPHA_MODES | _16_BIT | {"1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr"}


def to_srgb(photo: ImageFile.ImageFile) -> Image.Image:
    """A decoded photo as "RGB" in sRGB, with transparent parts white. It may be `photo` itself; raises `Unusable`.

    Takes about 8 bytes a pixel (source and result), 4 if nothing has to change.
    """
    if photo.mode not in _MODES:
        raise Unusable("unsupported_format", f"{photo.format} with pixels of type {photo.mode}")
    space = _space(photo)
    transform = _transform(photo, space)
    if photo.mode == "RGB" and transform is None and "transparency" not in photo.info:
        return photo
    prepare = _reader(photo, space)
    result = Image.new("RGB", photo.size, "white")
    for top in range(0, photo.height, _STRIP_ROWS):
        box = (0, top, photo.width, min(top + _STRIP_ROWS, photo.height))
        colours, alpha = prepare(photo.crop(box))
        rgb = ImageCms.applyTransform(colours, transform) if transform else colours.convert("RGB")
        assert rgb is not None  # only in-place transforms return None
        result.paste(rgb, box, alpha)
    return result


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """`image` turned and flipped as EXIF's orientation (1 to 8) says; for 1 the same object."""
    turn = _TURNS.get(orientation)
    return image if turn is None else image.transpose(turn)


def has_foreign_profile(photo: ImageFile.ImageFile) -> bool:
    """Whether an embedded profile gives these pixels other colours than sRGB.

    This is measured on sample colours, because names vary: brands' files have "c2", "sRGB black scaled", "Artifex
    sRGB" and so on. A profile that can't be read, or that is for another colour space, is ignored.
    """
    return _transform(photo, _space(photo)) is not None


def _space(photo: ImageFile.ImageFile) -> str:
    """The colour space of a profile for these pixels: "L", "RGB" or "CMYK"."""
    if photo.mode in ("1", "L", "LA", "La") or photo.mode in _16_BIT:
        return "L"
    if photo.format == "PNG" and photo.mode == "RGBA" and _profile_space(photo) == "GRAY":
        return "L"  # Pillow decodes 16-bit grey with alpha as RGBA
    return "CMYK" if photo.mode == "CMYK" else "RGB"


def _profile_space(photo: ImageFile.ImageFile) -> str:
    # Every version of ICC has it at byte 16 of the header; reading it is cheaper than opening the profile.
    icc = photo.info.get("icc_profile") or b""
    return icc[16:20].decode("latin-1").strip()


def _transform(photo: ImageFile.ImageFile, space: str) -> ImageCms.ImageCmsTransform | None:
    icc = photo.info.get("icc_profile")
    if not isinstance(icc, bytes) or _SPACES.get(_profile_space(photo)) != space:
        return None
    looks_same = _looks_like_srgb if len(icc) <= _CACHED_PROFILE_BYTES else _looks_like_srgb.__wrapped__
    return None if looks_same(icc, space) else _to_srgb_transform(icc, space)


def _to_srgb_transform(
    icc: bytes, space: str, flags: ImageCms.Flags = ImageCms.Flags.NONE
) -> ImageCms.ImageCmsTransform | None:
    """Relative colorimetric with black point compensation: white stays white, black stays black."""
    if icc[12:16] not in _PIXEL_CLASSES:
        return None
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        return ImageCms.buildTransform(
            profile,
            ImageCms.createProfile("sRGB"),
            space,
            "RGB",
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            flags=flags | ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except _CMS_ERRORS:  # a malformed profile is ignored: the pixels are still a photo
        return None


@lru_cache(maxsize=32)  # the photos of a brand share one or two profiles; at most 2 MB
def _looks_like_srgb(icc: bytes, space: str) -> bool:
    """Whether this readable profile leaves RGB or grey as they are; an unreadable one does too."""
    if space == "CMYK":
        return False
    transform = _to_srgb_transform(icc, space, ImageCms.Flags.NOOPTIMIZE)
    if transform is None:
        return True
    greys = [(level,) * 3 for level in range(0, 256, 5)]
    steps = range(0, 256, 51)
    samples = greys if space == "L" else greys + [(r, g, b) for r in steps for g in steps for b in steps]
    plain = Image.frombytes("RGB", (len(samples), 1), b"".join(bytes(sample) for sample in samples))
    shown = ImageCms.applyTransform(plain.convert(space), transform)
    assert shown is not None  # only in-place transforms return None
    return all(abs(a - b) <= _TOLERANCE for a, b in zip(plain.tobytes(), shown.tobytes(), strict=True))


def _reader(photo: ImageFile.ImageFile, space: str) -> Callable[[Image.Image], tuple[Image.Image, Image.Image | None]]:
    """A function that converts a strip of this photo to 8-bit colours in `space`, and to alpha if it has any."""
    if photo.mode in _16_BIT:
        # Pillow's own conversion clips at 255. The fully transparent level becomes white here.
        table = [level // 257 for level in range(65_536)]
        if isinstance(clear := photo.info.get("transparency"), int):
            table[clear & 0xFFFF] = 255
        return lambda strip: (strip.convert("I").point(table, "L"), None)
    if photo.mode in _ALPHA_MODES or "transparency" in photo.info:
        clear = photo.info.get("transparency")
        if isinstance(clear, tuple) and max(clear) > 255:  # 16-bit RGB, of which Pillow keeps the high bytes
            photo.info["transparency"] = tuple(level >> 8 for level in clear)
        return lambda strip: _split_alpha(strip, space)
    if photo.mode == "CMYK" and photo.format in ("JPEG", "MPO") and "adobe" not in photo.info:
        inverted = are_inverted(photo)
        if inverted is None:
            raise Unusable("ambiguous_inks", "a CMYK JPEG without an Adobe marker, whose inks may be inverted or not")
        if not inverted:  # Pillow inverts every CMYK JPEG
            return lambda strip: (ImageChops.invert(strip), None)
    return lambda strip: (strip.convert(space), None)


def _split_alpha(strip: Image.Image, space: str) -> tuple[Image.Image, Image.Image]:
    rgba = (strip.convert("LA") if strip.mode == "La" else strip).convert("RGBA")
    colours = rgba.getchannel("R") if space == "L" else rgba.convert("RGB")
    return colours, rgba.getchannel("A")
