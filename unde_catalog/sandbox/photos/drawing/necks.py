"""The neck of a garment: ribs, collars, lapels, hoods, straps. What else sits on it is `details.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unde_catalog.sandbox.photos.drawing.canvas import Layer
from unde_catalog.sandbox.photos.drawing.colours import darker, is_dark, lighter, line_on, mix
from unde_catalog.sandbox.photos.drawing.curves import mirror, rounded, smooth
from unde_catalog.sandbox.photos.drawing.look import Look

if TYPE_CHECKING:
    from unde_catalog.sandbox.photos.drawing.torso import Torso

_BOTH = (list, mirror)


def inside_of_neck(layer: Layer, look: Look, torso: Torso) -> None:
    """The back of the neck seen from the front, with the label (a worn garment shows skin instead)."""
    if look.worn:
        return
    wide = {"scoop": 5.4, "square": 5.8, "v": 4.1, "lapel": 3.6}.get(torso.neck, 3.6)
    low = 19 + torso.depth
    layer.fill(
        [(-wide, 16.7), *smooth([(-wide, 16.7), (0, 17.9), (wide, 16.7)]), (wide - 0.1, low), (-wide + 0.1, low)],
        look.inside,
        1.0,
        0.3,
    )
    if torso.closure == "buttons" and torso.neck in ("v", "lapel"):
        layer.fill([(-3.2, 18), (3.2, 18), (1.2, low + 2), (-1.2, low + 2)], look.inside, 1.0, 0.4)
    layer.fill(rounded(-0.9, 18.2, 0.9, 19.3, 0.15), (238, 236, 230), 0.3, 0.0)


def neck(layer: Layer, look: Look, torso: Torso) -> None:
    """The neck's edge: rib, collar, lapels, hood, straps."""
    edge = torso.neck_edge(look.front)
    match torso.neck:
        case "turtle":
            layer.fill(
                smooth([(-3.9, 18), (-3.5, 13.2), (0, 12.9), (3.5, 13.2), (3.9, 18), (0, 19.2)], closed=True),
                look.paint(),
                1.2,
                0.35,
            )
            layer.shade([(-3.6, 16), (3.6, 16.2)], 0.18, 0.5)
        case "collar" | "polo":
            _shirt_collar(layer, look)
        case "lapel":
            _lapels(layer, look, torso)
        case "hood":
            _hood(layer, look)
        case "stand":
            layer.fill(
                [(-4, 18.2), (-3.6, 15.2), (3.6, 15.2), (4, 18.2), *smooth([(4, 18.2), (0, 19), (-4, 18.2)])],
                look.paint(),
                0.9,
                0.3,
            )
        case "straps" | "halter":
            _straps(layer, look, torso)
        case _:
            rib = look.seam if torso.ribbed else line_on(look.colour)
            layer.line(edge, mix(look.colour, rib, 0.55), 0.75 if torso.closure == "none" else 0.5)
            layer.line([(x * 1.14, y + 0.55) for x, y in edge], rib, 0.12)


def _shirt_collar(layer: Layer, look: Look) -> None:
    if not look.front:
        layer.fill(
            [
                (-4.2, 18.3),
                *smooth([(-3.7, 15.6), (0, 15.0), (3.7, 15.6)]),
                (4.2, 18.3),
                *smooth([(4.2, 18.3), (0, 19.4), (-4.2, 18.3)]),
            ],
            look.paint(),
            0.8,
            0.25,
        )
        return
    for flip in _BOTH:
        leaf = flip([(3.9, 15.9), (4.9, 18.3), (4.0, 21.4), (0.3, 18.9), (2.2, 17.6)])
        layer.shade_area([(x, y + 0.5) for x, y in leaf], 0.28)
        layer.fill(leaf, look.paint(), 0.6, 0.16)
        layer.line([*leaf, leaf[0]], look.seam, 0.14)


def _lapels(layer: Layer, look: Look, torso: Torso) -> None:
    if not look.front:
        layer.fill(
            [
                (-4.4, 18.5),
                *smooth([(-3.7, 15.5), (0, 15.0), (3.7, 15.5)]),
                (4.4, 18.5),
                *smooth([(4.4, 18.5), (0, 19.8), (-4.4, 18.5)]),
            ],
            look.paint(),
            0.8,
            0.25,
        )
        return
    end = 17 + torso.depth
    for flip in (mirror, list):
        lapel = flip([(3.4, 16.2), (5.0, 18.2), (6.9, 22.4), (5.4, 23.0), (5.9, 24.4), (0.1, end), (1.9, 22)])
        layer.shade_area([(x * 1.03, y + 0.6) for x, y in lapel], 0.3)
        layer.fill(lapel, look.paint(), 0.8, 0.14)
        layer.line([*lapel, lapel[0]], look.seam, 0.16)
        layer.line(flip([(2.6, 20.0), (5.4, 23.0)]), look.seam, 0.16)


def _hood(layer: Layer, look: Look) -> None:
    if look.front and not look.worn:
        layer.fill(
            smooth([(-5.2, 19), (-4.6, 12.6), (0, 10.2), (4.6, 12.6), (5.2, 19), (0, 22)], closed=True),
            look.paint(),
            1.6,
            0.4,
        )
        layer.fill(
            smooth([(-3.4, 19), (-3.0, 13.8), (0, 12.2), (3.0, 13.8), (3.4, 19), (0, 21)], closed=True),
            look.inside,
            1.2,
            0.4,
        )
    elif look.front:
        for flip in _BOTH:
            layer.fill(
                flip(smooth([(3.2, 15.6), (5.6, 17.4), (4.6, 20.6), (0.3, 22.4), (2.6, 19)], closed=True)),
                look.paint(),
                1.0,
                0.35,
            )
    else:
        layer.fill(
            smooth([(-5.6, 18), (0, 15.4), (5.6, 18), (4.6, 25), (0, 28.5), (-4.6, 25)], closed=True),
            look.paint(),
            1.6,
            0.35,
        )
    if look.front:
        for flip in _BOTH:
            cord = flip([(1.4, 20.6), (1.8, 24), (1.5, 27.6)])
            layer.line(
                smooth(cord), lighter(look.colour, 0.55) if is_dark(look.colour) else darker(look.colour, 0.4), 0.3
            )


def _straps(layer: Layer, look: Look, torso: Torso) -> None:
    top = 16.2 if look.worn else 15.2
    for flip in _BOTH:
        if torso.neck == "halter":
            points = flip([(5.2, 22.4), (3.2, 18.0), (0.6, top)])
        else:
            points = flip(smooth([(5.4, 22.4 if look.front else 25.0), (5.0, 19.0), (4.4, top + 0.6)]))
        layer.strap(points, darker(look.colour, 0.06), 0.55)
    layer.line(smooth([(7.2, 24.6), (5.4, 22.5), (2.6, 23.7), (0, 24.1 + torso.depth * 0.2)]), look.seam, 0.15)
    layer.line(smooth([(-7.2, 24.6), (-5.4, 22.5), (-2.6, 23.7), (0, 24.1 + torso.depth * 0.2)]), look.seam, 0.15)
