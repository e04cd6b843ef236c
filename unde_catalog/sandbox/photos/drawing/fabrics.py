"""Fabrics: small tiles of pattern that repeat without a seam. No outlines here."""

import math
import random
from collections.abc import Callable
from functools import lru_cache

from PIL import Image, ImageDraw

from unde_catalog.sandbox.photos.drawing.colours import Rgb, darker, lighter, mix

Weave = Callable[[ImageDraw.ImageDraw, int, Rgb, Rgb, random.Random], None]


def fabric(pattern: str, colour: Rgb, accent: Rgb, unit: float) -> Rgb | Image.Image:
    """The paint of a fabric: a plain colour, or a tile; `unit` is pixels a body unit.

    `LookupError` names an unknown pattern.
    """
    if pattern == "plain":
        return colour
    _, period = _WEAVES[pattern]
    return _tile(pattern, colour, accent, max(round(period * unit), 8))


@lru_cache(maxsize=8)
def _tile(pattern: str, colour: Rgb, accent: Rgb, size: int) -> Image.Image:
    weave, _ = _WEAVES[pattern]
    tile = Image.new("RGB", (size, size), colour)
    weave(ImageDraw.Draw(tile), size, colour, accent, random.Random(f"{pattern}{colour}{accent}"))
    return tile


def _stripes(pen: ImageDraw.ImageDraw, n: int, colour: Rgb, accent: Rgb, dice: random.Random) -> None:
    pen.rectangle((0, n * 0.3, n, n * 0.62), fill=accent)


def _bands(pen: ImageDraw.ImageDraw, n: int, colour: Rgb, accent: Rgb, dice: random.Random) -> None:
    pen.rectangle((0, 0, n, n * 0.5), fill=accent)
    pen.rectangle((0, n * 0.7, n, n * 0.8), fill=mix(colour, accent, 0.5))


def _pinstripes(pen: ImageDraw.ImageDraw, n: int, colour: Rgb, accent: Rgb, dice: random.Random) -> None:
    pen.rectangle((n * 0.45, 0, n * 0.55, n), fill=mix(colour, accent, 0.8))


def _check(pen: ImageDraw.ImageDraw, n: int, colour: Rgb, accent: Rgb, dice: random.Random) -> None:
    half, thin = mix(colour, accent, 0.5), mix(colour, (250, 240, 220), 0.6)
    pen.rectangle((n * 0.1, 0, n * 0.45, n), fill=half)
    pen.rectangle((0, n * 0.1, n, n * 0.45), fill=half)
    pen.rectangle((n * 0.1, n * 0.1, n * 0.45, n * 0.45), fill=accent)
    pen.rectangle((n * 0.7, 0, n * 0.74, n), fill=thin)
    pen.rectangle((0, n * 0.7, n, n * 0.74), fill=thin)


def _gingham(pen: ImageDraw.ImageDraw, n: int, colour: Rgb, accent: Rgb, dice: random.Random) -> None:
    half = mix(colour, accent, 0.5)
    pen.rectangle((0, 0, n / 2 - 1, n), fill=half)
    pen.rectangle((0, 0, n, n / 2 - 1), fill=half)
    pen.rectangle((0, 0, n / 2 - 1, n / 2 - 1), fill=accent)


def _dots(pen: ImageDraw.ImageDraw, n: int, colour: Rgb, accent: Rgb, dice: random.Random) -> None:
    r = n * 0.15
    for x, y in ((n * 0.25, n * 0.25), (n * 0.75, n * 0.75)):
        pen.ellipse((x - r, y - r, x + r, y + r), fill=accent)


def _flowers(pen: ImageDraw.ImageDraw, n: int, colour: Rgb, accent: Rgb, dice: random.Random) -> None:
    leaf = mix(accent, (64, 112, 66), 0.75)
    petals = (accent, lighter(accent, 0.35), mix(accent, (244, 190, 90), 0.5))
    for index, (x, y, r) in enumerate(((0.22, 0.24, 0.15), (0.72, 0.36, 0.12), (0.38, 0.74, 0.13), (0.84, 0.82, 0.1))):
        cx, cy, radius, turn = x * n, y * n, r * n, dice.random() * 6
        for side in (-1, 1):
            lx, ly = cx + math.cos(turn) * radius * 1.3 * side, cy + math.sin(turn) * radius * 1.3 * side
            pen.ellipse((lx - radius * 0.4, ly - radius * 0.4, lx + radius * 0.4, ly + radius * 0.4), fill=leaf)
        for petal in range(5):
            a = turn + petal * 2 * math.pi / 5
            px, py, pr = cx + math.cos(a) * radius * 0.6, cy + math.sin(a) * radius * 0.6, radius * 0.46
            pen.ellipse((px - pr, py - pr, px + pr, py + pr), fill=petals[index % 3])
        pen.ellipse(
            (cx - radius * 0.25, cy - radius * 0.25, cx + radius * 0.25, cy + radius * 0.25), fill=(240, 204, 96)
        )


def _leaves(pen: ImageDraw.ImageDraw, n: int, colour: Rgb, accent: Rgb, dice: random.Random) -> None:
    for index, (x, y) in enumerate(((0.25, 0.25), (0.7, 0.2), (0.5, 0.55), (0.2, 0.8), (0.78, 0.76))):
        a, r = dice.random() * 6.3, n * 0.17
        tone = accent if index % 2 else mix(accent, colour, 0.4)
        tip, end = (math.cos(a) * r, math.sin(a) * r), (-math.sin(a) * r * 0.36, math.cos(a) * r * 0.36)
        cx, cy = x * n, y * n
        outline = [(cx + tip[0], cy + tip[1]), (cx + end[0], cy + end[1]), (cx - tip[0], cy - tip[1])]
        pen.polygon([*outline, (cx - end[0], cy - end[1])], fill=tone)


def _houndstooth(pen: ImageDraw.ImageDraw, n: int, colour: Rgb, accent: Rgb, dice: random.Random) -> None:
    q = n / 4
    for x, y in ((0, 0), (1, 0), (0, 1), (1, 1)):
        pen.rectangle((x * q, y * q, (x + 1) * q, (y + 1) * q), fill=accent)
    for x, y in ((2, 0), (3, 1), (0, 2), (1, 3)):
        pen.polygon([(x * q, y * q), ((x + 1) * q, y * q), (x * q, (y + 1) * q)], fill=accent)
    pen.polygon([(2 * q, q), (3 * q, 0), (3 * q, q * 0.5), (2.5 * q, q)], fill=accent)


def _leopard(pen: ImageDraw.ImageDraw, n: int, colour: Rgb, accent: Rgb, dice: random.Random) -> None:
    for row in range(4):
        for column in range(4):
            x = (column + 0.5 + (row % 2) * 0.4 + dice.uniform(-0.1, 0.1)) * n / 4 % (n * 0.98)
            y, r = (row + 0.5 + dice.uniform(-0.1, 0.1)) * n / 4, n * dice.uniform(0.06, 0.085)
            pen.ellipse((x - r * 0.6, y - r * 0.6, x + r * 0.6, y + r * 0.6), fill=darker(colour, 0.25))
            start = dice.randrange(360)
            pen.arc((x - r, y - r, x + r, y + r), start, start + 250, fill=accent, width=max(round(n * 0.03), 1))


def _argyle(pen: ImageDraw.ImageDraw, n: int, colour: Rgb, accent: Rgb, dice: random.Random) -> None:
    pen.polygon([(n / 2, 0), (n, n / 2), (n / 2, n), (0, n / 2)], fill=accent)
    thin = lighter(mix(colour, accent, 0.5), 0.4)
    for a, b in (((0, 0), (n, n)), ((n, 0), (0, n))):
        pen.line([a, b], fill=thin, width=max(n // 50, 1))


def _waves(pen: ImageDraw.ImageDraw, n: int, colour: Rgb, accent: Rgb, dice: random.Random) -> None:
    for row, tone in ((0.25, accent), (0.75, mix(colour, accent, 0.5))):
        path = [(x, n * row + math.sin(x / n * 2 * math.pi) * n * 0.12) for x in range(-4, n + 5, 2)]
        pen.line(path, fill=tone, width=max(round(n * 0.16), 2), joint="curve")


def _rib(pen: ImageDraw.ImageDraw, n: int, colour: Rgb, accent: Rgb, dice: random.Random) -> None:
    pen.rectangle((0, 0, n * 0.25, n), fill=darker(colour, 0.22))
    pen.rectangle((n * 0.55, 0, n * 0.75, n), fill=lighter(colour, 0.1))


def _knit(pen: ImageDraw.ImageDraw, n: int, colour: Rgb, accent: Rgb, dice: random.Random) -> None:
    dark, light = darker(colour, 0.2), lighter(colour, 0.12)
    width = max(round(n * 0.1), 1)
    for y in (-0.5, 0.0, 0.5, 1.0):
        pen.line([(0, y * n), (n / 2, (y + 0.4) * n), (n, y * n)], fill=dark, width=width)
        pen.line([(0, (y + 0.2) * n), (n / 2, (y + 0.6) * n), (n, (y + 0.2) * n)], fill=light, width=width)


def _cable(pen: ImageDraw.ImageDraw, n: int, colour: Rgb, accent: Rgb, dice: random.Random) -> None:
    dark, light = darker(colour, 0.26), lighter(colour, 0.14)
    pen.rectangle((0, 0, n * 0.08, n), fill=dark)
    for y in (-1, 0, 1):
        for shift, tone in ((0, dark), (0.1, light), (0.2, light)):
            top = (y + shift) * n
            pen.line([(n * 0.2, top), (n * 0.9, top + n * 0.5)], fill=tone, width=max(round(n * 0.08), 1))
            pen.line([(n * 0.9, top + n * 0.5), (n * 0.2, top + n)], fill=tone, width=max(round(n * 0.08), 1))


def _denim(pen: ImageDraw.ImageDraw, n: int, colour: Rgb, accent: Rgb, dice: random.Random) -> None:
    light, dark = lighter(colour, 0.13), darker(colour, 0.1)
    step = max(n // 16, 2)
    for x in range(-n, n * 2, step):
        tone = light if (x // step) % 2 else dark
        pen.line([(x, 0), (x + n, n)], fill=tone, width=max(step // 2, 1))


def _tweed(pen: ImageDraw.ImageDraw, n: int, colour: Rgb, accent: Rgb, dice: random.Random) -> None:
    cell = max(n // 12, 2)
    for y in range(0, n, cell):
        for x in range(0, n, cell):
            tone = dice.choice((colour, lighter(colour, 0.2), darker(colour, 0.18), mix(colour, accent, 0.6)))
            pen.rectangle((x, y, x + cell, y + cell // 2 + 1), fill=tone)


def _sequins(pen: ImageDraw.ImageDraw, n: int, colour: Rgb, accent: Rgb, dice: random.Random) -> None:
    cell = n / 8
    for row in range(9):
        for column in range(9):
            x, y = column * cell + (row % 2) * cell / 2, row * cell
            share = dice.choice((0.0, 0.1, 0.25, 0.55)) if row < 8 and column < 8 else 0.1
            pen.ellipse((x - cell / 2, y - cell / 2, x + cell / 2, y + cell / 2), fill=lighter(colour, share))


_WEAVES: dict[str, tuple[Weave, float]] = {
    "stripes": (_stripes, 2.0),
    "bands": (_bands, 6.0),
    "pinstripes": (_pinstripes, 1.3),
    "check": (_check, 5.0),
    "gingham": (_gingham, 1.8),
    "dots": (_dots, 2.6),
    "flowers": (_flowers, 7.0),
    "leaves": (_leaves, 6.0),
    "houndstooth": (_houndstooth, 1.9),
    "leopard": (_leopard, 7.0),
    "argyle": (_argyle, 6.0),
    "waves": (_waves, 4.0),
    "rib": (_rib, 0.7),
    "knit": (_knit, 0.9),
    "cable": (_cable, 3.0),
    "denim": (_denim, 2.4),
    "tweed": (_tweed, 3.2),
    "sequins": (_sequins, 5.0),
}
PATTERNS = ("plain", *_WEAVES)
