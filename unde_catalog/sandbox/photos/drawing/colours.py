"""Colours of the sample catalogue and small arithmetic on them."""

Rgb = tuple[int, int, int]

COLOURS: dict[str, Rgb] = {
    "Black": (38, 37, 40),
    "White": (243, 242, 238),
    "Ecru": (232, 222, 200),
    "Sand": (212, 190, 156),
    "Camel": (186, 140, 92),
    "Chocolate": (92, 61, 46),
    "Rust": (178, 84, 46),
    "Orange": (226, 122, 52),
    "Mustard": (214, 166, 52),
    "Butter": (245, 226, 150),
    "Red": (196, 40, 44),
    "Burgundy": (114, 28, 44),
    "Fuchsia": (212, 50, 126),
    "Pink": (240, 180, 190),
    "Lilac": (186, 168, 214),
    "Purple": (106, 72, 140),
    "Navy": (36, 46, 80),
    "Blue": (48, 96, 178),
    "Sky": (158, 198, 228),
    "Indigo": (58, 78, 116),
    "Light blue": (134, 164, 196),
    "Teal": (30, 118, 122),
    "Mint": (172, 218, 196),
    "Emerald": (24, 118, 78),
    "Sage": (160, 176, 144),
    "Khaki": (122, 118, 78),
    "Olive": (92, 94, 54),
    "Grey": (152, 152, 156),
    "Charcoal": (78, 80, 86),
    "Silver": (196, 198, 204),
    "Gold": (204, 170, 96),
}


def mix(a: Rgb, b: Rgb, share: float) -> Rgb:
    """`share` of b in a."""
    return (
        round(a[0] + (b[0] - a[0]) * share),
        round(a[1] + (b[1] - a[1]) * share),
        round(a[2] + (b[2] - a[2]) * share),
    )


def darker(colour: Rgb, share: float) -> Rgb:
    """The colour nearer to black."""
    return mix(colour, (12, 10, 14), share)


def lighter(colour: Rgb, share: float) -> Rgb:
    """The colour nearer to white."""
    return mix(colour, (255, 254, 250), share)


def is_dark(colour: Rgb) -> bool:
    """Whether seams on it have to be lighter than it is."""
    return 0.3 * colour[0] + 0.59 * colour[1] + 0.11 * colour[2] < 70


def line_on(colour: Rgb) -> Rgb:
    """A colour for seams and stitches that shows on this one."""
    return lighter(colour, 0.2) if is_dark(colour) else darker(colour, 0.32)
