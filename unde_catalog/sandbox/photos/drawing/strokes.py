"""Drawings as text: one row per stroke, painted from back to front. What the rows show belongs elsewhere.

A row is `[CONDITION ...] VERB [COLOUR] [NUMBER ...]: OUTLINE [; OUTLINE ...]`, with lengths in body units:

    fill COLOUR round depth     an area whose edges turn away from the light
    patch COLOUR round depth    the same, with a shadow below it and a seam around it
    line COLOUR width           a seam
    edge COLOUR width           a seam around an outline
    strap COLOUR width          a line that covers the backdrop
    stitches COLOUR width       a dashed line
    dot COLOUR radius           a dot at every point
    shade strength width        a soft dark line
    shadow strength             a soft dark area

A row is painted if the painter has all of its conditions (`front`, `worn`); `both` also paints the mirror image. A
colour is a name in the painter's palette; `name-30` is 30 % darker, `name+30` 30 % lighter. `curves.path` explains
outlines; `*3@1.7,0.9` after an outline paints it 3 times, each time moved by (1.7, 0.9).
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from PIL import Image

from unde_catalog.sandbox.photos.drawing.canvas import Layer
from unde_catalog.sandbox.photos.drawing.colours import Rgb, darker, lighter
from unde_catalog.sandbox.photos.drawing.curves import Points, mirror, moved, path

Paint = Rgb | Image.Image
_COLOUR = re.compile(r"([a-z]+)(?:([-+])(\d+))?")
_FIXED: dict[str, Rgb] = {
    "white": (240, 238, 232),
    "cream": (236, 232, 222),
    "stone": (200, 196, 190),
    "steel": (203, 203, 207),
    "gold": (200, 166, 96),
    "thread": (204, 160, 92),
    "cork": (186, 150, 108),
    "glass": (52, 62, 78),
    "light": (250, 236, 190),
}


class _Row(NamedTuple):
    conditions: frozenset[str]
    both: bool
    verb: str
    colour: str
    numbers: tuple[float, ...]
    outlines: tuple[Points, ...]


class Painter:
    """Paints rows on a layer. `place` moves outlines to where they belong; `size` scales widths."""

    def __init__(
        self,
        layer: Layer,
        palette: Mapping[str, Paint],
        conditions: Collection[str] = (),
        place: Callable[[Points], Points] = lambda points: points,
        size: float = 1.0,
    ) -> None:
        self.layer, self.palette, self.conditions = layer, palette, frozenset(conditions)
        self._place, self._size = place, size

    def draw(self, rows: str) -> None:
        """Paints the rows whose conditions hold."""
        for row in _parse(rows):
            if row.conditions <= self.conditions:
                for outline in row.outlines:
                    for points in (outline, mirror(outline)) if row.both else (outline,):
                        self._stroke(row, self._place(points))

    def _stroke(self, row: _Row, points: Points) -> None:
        layer, size, numbers = self.layer, self._size, row.numbers
        if row.verb == "shade":
            return layer.shade(points, numbers[0], numbers[1] * size)
        if row.verb == "shadow":
            return layer.shade_area(points, numbers[0])
        if row.verb in ("fill", "patch"):
            if row.verb == "patch":
                layer.shade_area(moved(points, 0, 0.6 * size), 0.29)
            layer.fill(points, self._colour(row.colour), numbers[0] * size, numbers[1])
            if row.verb == "patch":
                layer.line([*points, points[0]], self._plain("seam"), 0.17 * size)
            return None
        colour, width = self._plain(row.colour), numbers[0] * size
        match row.verb:
            case "line":
                layer.line(points, colour, width)
            case "edge":
                layer.line([*points, points[0]], colour, width)
            case "strap":
                layer.strap(points, colour, width)
            case "stitches":
                layer.stitches(points, colour, width)
            case "dot":
                for point in points:
                    layer.dot(point, width, colour)
            case verb:
                raise ValueError(f"unknown verb {verb!r}")
        return None

    def _colour(self, text: str) -> Paint:
        match = _COLOUR.fullmatch(text)
        assert match is not None, text
        name, sign, share = match.groups()
        colour = self.palette.get(name) or _FIXED[name]
        if sign is None or isinstance(colour, Image.Image):
            return colour
        return (darker if sign == "-" else lighter)(colour, int(share) / 100)

    def _plain(self, text: str) -> Rgb:
        colour = self._colour(text)
        assert not isinstance(colour, Image.Image), f"{text} is a fabric, not a colour"
        return colour


@lru_cache(maxsize=1024)
def _parse(rows: str) -> tuple[_Row, ...]:
    return tuple(_parse_row(row.strip()) for row in rows.strip().splitlines() if row.strip())


def _parse_row(row: str) -> _Row:
    head, _, outlines = row.partition(":")
    words = re.findall(r"[a-z]\S*", head)
    numbers = tuple(float(word) for word in head.split() if word not in words)
    colour = "" if words[-1] in ("shade", "shadow") else words.pop()
    *conditions, verb = words
    painted = tuple(points for text in outlines.split(";") for points in _repeated(text.strip()))
    return _Row(frozenset(conditions) - {"both"}, "both" in conditions, verb, colour, numbers, painted)


def _repeated(text: str) -> Iterator[Points]:
    text, _, repeat = text.partition("*")
    count, _, step = repeat.partition("@")
    dx, dy = map(float, step.split(",")) if step else (0.0, 0.0)
    for k in range(int(count or 1)):
        yield moved(path(text), dx * k, dy * k)
