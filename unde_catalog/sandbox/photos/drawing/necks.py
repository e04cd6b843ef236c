"""Necks of garments: ribs, collars, lapels, hoods, straps. Closures and pockets belong in `details.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unde_catalog.sandbox.photos.drawing.colours import line_on, mix
from unde_catalog.sandbox.photos.drawing.look import Look
from unde_catalog.sandbox.photos.drawing.strokes import Painter

if TYPE_CHECKING:
    from unde_catalog.sandbox.photos.drawing.torso import Torso

_NECKS = {
    "turtle": """
        fill fabric 1.2 0.35: (-3.9,18 -3.5,13.2 0,12.9 3.5,13.2 3.9,18 0,19.2)z
        shade 0.18 0.5: -3.6,16 3.6,16.2
    """,
    "collar": """
        back fill fabric 0.8 0.25: -4.2,18.3 (-3.7,15.6 0,15 3.7,15.6) (4.2,18.3 0,19.4 -4.2,18.3)
        front both patch fabric 0.6 0.16: 3.9,15.9 4.9,18.3 4,21.4 0.3,18.9 2.2,17.6
    """,
    "lapel": """
        back fill fabric 0.8 0.25: -4.4,18.5 (-3.7,15.5 0,15 3.7,15.5) (4.4,18.5 0,19.8 -4.4,18.5)
        front both patch fabric 0.8 0.14: 3.4,16.2 5,18.2 6.9,22.4 5.4,23 5.9,24.4 0.1,{end} 1.9,22
        front both line seam 0.16: 2.6,20 5.4,23
    """,
    "hood": """
        front flat fill fabric 1.6 0.4: (-5.2,19 -4.6,12.6 0,10.2 4.6,12.6 5.2,19 0,22)z
        front flat fill inside 1.2 0.4: (-3.4,19 -3,13.8 0,12.2 3,13.8 3.4,19 0,21)z
        front worn both fill fabric 1 0.35: (3.2,15.6 5.6,17.4 4.6,20.6 0.3,22.4 2.6,19)z
        back fill fabric 1.6 0.35: (-5.6,18 0,15.4 5.6,18 4.6,25 0,28.5 -4.6,25)z
        front both line contrast 0.3: (1.4,20.6 1.8,24 1.5,27.6)
    """,
    "stand": "fill fabric 0.9 0.3: -4,18.2 -3.6,15.2 3.6,15.2 (4,18.2 0,19 -4,18.2)",
    "straps": """
        flat front both strap colour-6 0.55: (5.4,22.4 5,19 4.4,15.8)
        flat back both strap colour-6 0.55: (5.4,25 5,19 4.4,15.8)
        worn front both strap colour-6 0.55: (5.4,22.4 5,19 4.4,16.8)
        both line seam 0.15: (7.2,24.6 5.4,22.5 2.6,23.7 0,{low})
    """,
    "halter": """
        flat both strap colour-6 0.55: 5.2,22.4 3.2,18 0.6,15.2
        worn both strap colour-6 0.55: 5.2,22.4 3.2,18 0.6,16.2
        both line seam 0.15: (7.2,24.6 5.4,22.5 2.6,23.7 0,{low})
    """,
}
_NECKS["polo"] = _NECKS["collar"]


def paint_inside(painter: Painter, torso: Torso) -> None:
    """Paints the back of the neck as seen from the front, with a label; a figure shows skin instead."""
    wide = {"scoop": 5.4, "square": 5.8, "v": 4.1, "lapel": 3.6}.get(torso.neck, 3.6)
    low = 19 + torso.depth
    rows = f"flat fill inside 1 0.3: ({-wide},16.7 0,17.9 {wide},16.7) {wide - 0.1},{low} {0.1 - wide},{low}"
    if torso.closure == "buttons" and torso.neck in ("v", "lapel"):
        rows += f"\nflat fill inside 1 0.4: -3.2,18 3.2,18 1.2,{low + 2} -1.2,{low + 2}"
    painter.draw(f"{rows}\nflat fill white 0.3 0: box -0.9 18.2 0.9 19.3 0.15")


def paint(painter: Painter, look: Look, torso: Torso) -> None:
    """Paints the neck's edge: rib, collar, lapels, hood or straps."""
    if torso.neck in _NECKS:
        painter.draw(_NECKS[torso.neck].format(end=17 + torso.depth, low=24.1 + torso.depth * 0.2))
        return
    edge, rib = torso.neck_edge(look.front), line_on(look.colour)
    painter.layer.line(edge, mix(look.colour, rib, 0.55), 0.75 if torso.closure == "none" else 0.5)
    painter.layer.line([(x * 1.14, y + 0.55) for x, y in edge], rib, 0.12)
