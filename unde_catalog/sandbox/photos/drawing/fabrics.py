"""Fabrics: small tiles of pattern that repeat without a seam. Outlines do not belong here."""

import math
import random
from collections.abc import Callable, Sequence
from functools import lru_cache

from PIL import Image, ImageDraw

from unde_catalog.sandbox.photos.drawing.colours import Rgb, darker, lighter, mix

# NAME, side of the tile in body units: rectangles as COLOUR left top right bottom, in shares of the tile.
_RECTANGLES = """
    stripes 2: accent 0 0.3 1 0.62
    bands 6: accent 0 0 1 0.5; half 0 0.7 1 0.8
    pinstripes 1.3: strong 0.45 0 0.55 1
    check 5: half 0.1 0 0.45 1; half 0 0.1 1 0.45; accent 0.1 0.1 0.45 0.45; thin 0.7 0 0.74 1; thin 0 0.7 1 0.74
    gingham 1.8: half 0 0 0.49 1; half 0 0 1 0.49; accent 0 0 0.49 0.49
    rib 0.7: dark 0 0 0.25 1; light 0.55 0 0.75 1
"""


class _Tile:
    """A tile to draw on; positions and lengths are shares of its side."""

    def __init__(self, pattern: str, colour: Rgb, accent: Rgb, side: int) -> None:
        self.side, self.colour, self.accent = side, colour, accent
        self.image = Image.new("RGB", (side, side), colour)
        self.random = random.Random(f"{pattern}{colour}{accent}")
        self.dark, self.light = darker(colour, 0.22), lighter(colour, 0.12)
        self.half, self.strong = mix(colour, accent, 0.5), mix(colour, accent, 0.8)
        self.thin = mix(colour, (250, 240, 220), 0.6)
        self._pen = ImageDraw.Draw(self.image)

    def box(self, x0: float, y0: float, x1: float, y1: float, fill: Rgb) -> None:
        n = self.side
        self._pen.rectangle((x0 * n, y0 * n, x1 * n, y1 * n), fill=fill)

    def circle(self, x: float, y: float, r: float, fill: Rgb) -> None:
        n = self.side
        self._pen.ellipse(((x - r) * n, (y - r) * n, (x + r) * n, (y + r) * n), fill=fill)

    def arc(self, x: float, y: float, r: float, start: int, fill: Rgb) -> None:
        n, box = self.side, (x - r, y - r, x + r, y + r)
        self._pen.arc([share * n for share in box], start, start + 250, fill=fill, width=max(round(n * 0.03), 1))

    def polygon(self, points: Sequence[tuple[float, float]], fill: Rgb) -> None:
        self._pen.polygon([(x * self.side, y * self.side) for x, y in points], fill=fill)

    def line(self, points: Sequence[tuple[float, float]], width: float, fill: Rgb) -> None:
        path = [(x * self.side, y * self.side) for x, y in points]
        self._pen.line(path, fill=fill, width=max(round(width * self.side), 1), joint="curve")


def fabric(pattern: str, colour: Rgb, accent: Rgb, unit: float) -> Rgb | Image.Image:
    """Returns a plain colour, or a tile; `unit` is pixels per body unit. Raises `LookupError`."""
    if pattern == "plain":
        return colour
    _, side = _WEAVES[pattern]
    return _tile(pattern, colour, accent, max(round(side * unit), 8))


@lru_cache(maxsize=8)
def _tile(pattern: str, colour: Rgb, accent: Rgb, side: int) -> Image.Image:
    tile = _Tile(pattern, colour, accent, side)
    _WEAVES[pattern][0](tile)
    return tile.image


def _parse_row(row: str) -> tuple[str, tuple[Callable[[_Tile], None], float]]:
    head, _, rectangles = row.partition(":")
    name, side = head.split()

    def weave(tile: _Tile) -> None:
        for colour, *box in (rectangle.split() for rectangle in rectangles.split(";")):
            x0, y0, x1, y1 = map(float, box)
            tile.box(x0, y0, x1, y1, getattr(tile, colour))

    return name, (weave, float(side))


def _dots(tile: _Tile) -> None:
    for at in (0.25, 0.75):
        tile.circle(at, at, 0.15, tile.accent)


def _flowers(tile: _Tile) -> None:
    leaf = mix(tile.accent, (64, 112, 66), 0.75)
    petals = (tile.accent, lighter(tile.accent, 0.35), mix(tile.accent, (244, 190, 90), 0.5))
    for index, (x, y, r) in enumerate(((0.22, 0.24, 0.15), (0.72, 0.36, 0.12), (0.38, 0.74, 0.13), (0.84, 0.82, 0.1))):
        turn = tile.random.random() * 6
        for angle in (turn, turn + math.pi):
            tile.circle(x + math.cos(angle) * r * 1.3, y + math.sin(angle) * r * 1.3, r * 0.4, leaf)
        for angle in (turn + petal * 2 * math.pi / 5 for petal in range(5)):
            tile.circle(x + math.cos(angle) * r * 0.6, y + math.sin(angle) * r * 0.6, r * 0.46, petals[index % 3])
        tile.circle(x, y, r * 0.25, (240, 204, 96))


def _leaves(tile: _Tile) -> None:
    for index, (x, y) in enumerate(((0.25, 0.25), (0.7, 0.2), (0.5, 0.55), (0.2, 0.8), (0.78, 0.76))):
        turn = tile.random.random() * 6.3
        dx, dy = math.cos(turn) * 0.17, math.sin(turn) * 0.17
        corners = [(x + dx, y + dy), (x - dy * 0.36, y + dx * 0.36), (x - dx, y - dy), (x + dy * 0.36, y - dx * 0.36)]
        tile.polygon(corners, tile.accent if index % 2 else mix(tile.accent, tile.colour, 0.4))


def _houndstooth(tile: _Tile) -> None:
    tile.box(0, 0, 0.5, 0.5, tile.accent)
    for x, y in ((0.5, 0), (0.75, 0.25), (0, 0.5), (0.25, 0.75)):
        tile.polygon([(x, y), (x + 0.25, y), (x, y + 0.25)], tile.accent)
    tile.polygon([(0.5, 0.25), (0.75, 0), (0.75, 0.125), (0.625, 0.25)], tile.accent)


def _leopard(tile: _Tile) -> None:
    for row in range(4):
        for column in range(4):
            x = (column + 0.5 + (row % 2) * 0.4 + tile.random.uniform(-0.1, 0.1)) / 4 % 0.98
            y, r = (row + 0.5 + tile.random.uniform(-0.1, 0.1)) / 4, tile.random.uniform(0.06, 0.085)
            tile.circle(x, y, r * 0.6, darker(tile.colour, 0.25))
            tile.arc(x, y, r, tile.random.randrange(360), tile.accent)


def _argyle(tile: _Tile) -> None:
    tile.polygon([(0.5, 0), (1, 0.5), (0.5, 1), (0, 0.5)], tile.accent)
    for line in ([(0, 0), (1, 1)], [(1, 0), (0, 1)]):
        tile.line(line, 0.02, lighter(tile.half, 0.4))


def _waves(tile: _Tile) -> None:
    for y, tone in ((0.25, tile.accent), (0.75, tile.half)):
        xs = [step / 40 - 0.05 for step in range(45)]
        tile.line([(x, y + math.sin(x * 2 * math.pi) * 0.12) for x in xs], 0.16, tone)


def _knit(tile: _Tile) -> None:
    for y in (-0.5, 0.0, 0.5, 1.0):
        tile.line([(0, y), (0.5, y + 0.4), (1, y)], 0.1, tile.dark)
        tile.line([(0, y + 0.2), (0.5, y + 0.6), (1, y + 0.2)], 0.1, tile.light)


def _cable(tile: _Tile) -> None:
    tile.box(0, 0, 0.08, 1, tile.dark)
    for y in (-1, 0, 1):
        for shift, tone in ((0, tile.dark), (0.1, tile.light), (0.2, tile.light)):
            tile.line([(0.2, y + shift), (0.9, y + shift + 0.5), (0.2, y + shift + 1)], 0.08, tone)


def _denim(tile: _Tile) -> None:
    for step in range(-16, 32):
        tone = lighter(tile.colour, 0.13) if step % 2 else darker(tile.colour, 0.1)
        tile.line([(step / 16, 0), (step / 16 + 1, 1)], 1 / 32, tone)


def _tweed(tile: _Tile) -> None:
    tones = (tile.colour, lighter(tile.colour, 0.2), darker(tile.colour, 0.18), mix(tile.colour, tile.accent, 0.6))
    for cell in range(144):
        x, y = cell % 12 / 12, cell // 12 / 12
        tile.box(x, y, x + 1 / 12, y + 1 / 20, tile.random.choice(tones))


def _sequins(tile: _Tile) -> None:
    for row in range(9):
        for column in range(9):
            share = tile.random.choice((0.0, 0.1, 0.25, 0.55)) if row < 8 and column < 8 else 0.1
            tile.circle(column / 8 + row % 2 / 16, row / 8, 1 / 16, lighter(tile.colour, share))


_WEAVES: dict[str, tuple[Callable[[_Tile], None], float]] = {
    **dict(map(_parse_row, _RECTANGLES.strip().splitlines())),
    "dots": (_dots, 2.6),
    "flowers": (_flowers, 7.0),
    "leaves": (_leaves, 6.0),
    "houndstooth": (_houndstooth, 1.9),
    "leopard": (_leopard, 7.0),
    "argyle": (_argyle, 6.0),
    "waves": (_waves, 4.0),
    "knit": (_knit, 0.9),
    "cable": (_cable, 3.0),
    "denim": (_denim, 2.4),
    "tweed": (_tweed, 3.2),
    "sequins": (_sequins, 5.0),
}
PATTERNS = ("plain", *_WEAVES)
