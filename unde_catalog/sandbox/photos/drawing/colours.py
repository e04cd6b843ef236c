"""The colours of the sample catalogue and arithmetic on colours. Fabrics belong in `fabrics.py`."""

Rgb = tuple[int, int, int]

_TABLE = """
    Black 262528, White f3f2ee, Ecru e8dec8, Sand d4be9c, Camel ba8c5c, Chocolate 5c3d2e, Rust b2542e, Orange e27a34,
    Mustard d6a634, Butter f5e296, Red c4282c, Burgundy 721c2c, Fuchsia d4327e, Pink f0b4be, Lilac baa8d6,
    Purple 6a488c, Navy 242e50, Blue 3060b2, Sky 9ec6e4, Indigo 3a4e74, Light blue 86a4c4, Teal 1e767a, Mint acdac4,
    Emerald 18764e, Sage a0b090, Khaki 7a764e, Olive 5c5e36, Grey 98989c, Charcoal 4e5056, Silver c4c6cc, Gold ccaa60
"""


def _parse(code: str) -> Rgb:
    red, green, blue = bytes.fromhex(code)
    return red, green, blue


COLOURS: dict[str, Rgb] = {
    name: _parse(code) for name, _, code in (cell.strip().rpartition(" ") for cell in _TABLE.split(","))
}


def mix(a: Rgb, b: Rgb, share: float) -> Rgb:
    """Returns a with a share of b."""
    red, green, blue = (round(x + (y - x) * share) for x, y in zip(a, b, strict=True))
    return red, green, blue


def darker(colour: Rgb, share: float) -> Rgb:
    """Returns the colour, mixed with black."""
    return mix(colour, (12, 10, 14), share)


def lighter(colour: Rgb, share: float) -> Rgb:
    """Returns the colour, mixed with white."""
    return mix(colour, (255, 254, 250), share)


def is_dark(colour: Rgb) -> bool:
    """Returns whether seams on the colour must be lighter than it."""
    return 0.3 * colour[0] + 0.59 * colour[1] + 0.11 * colour[2] < 70


def line_on(colour: Rgb) -> Rgb:
    """Returns a colour for seams and stitches that is visible on this one."""
    return lighter(colour, 0.2) if is_dark(colour) else darker(colour, 0.32)
