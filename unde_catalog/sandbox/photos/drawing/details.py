"""Details of garments that hang from the shoulders: closures, pockets, belts, prints. Necks belong in `necks.py`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from unde_catalog.sandbox.photos.drawing.look import Look
from unde_catalog.sandbox.photos.drawing.strokes import Painter

if TYPE_CHECKING:
    from unde_catalog.sandbox.photos.drawing.torso import Torso

_POCKETS = {
    "none": "",
    "patch": """
        edge seam 0.16: box 2.6 26.2 7 31.6 0.6
        line seam 0.12: 2.7,27.2 6.9,27.2
    """,
    "flap": """
        both patch fabric 0.5 0.16: box 4 {flap} 8.6 {flap_end} 0.4
        line seam 0.3: 3.4,28.4 6.6,27.8
    """,
    "kangaroo": """
        edge seam 0.2: -3.6,37.5 3.6,37.5 6.8,42.5 6.8,46.5 -6.8,46.5 -6.8,42.5
        both shade 0.3 0.6: 3.6,37.8 6.8,42.8
    """,
    "side": "both line seam 0.24: {side_top},42 {side_low},49",
}
_PRINTS = {
    "none": "",
    "bars": """
        fill accent 1 0: -5.5,27.5 5.5,27.5 5.5,28.5 -5.5,28.5
        fill tint 1 0: -5.5,29.2 3.7,29.2 3.7,30.2 -5.5,30.2
        fill blend 1 0: -5.5,30.9 1.9,30.9 1.9,31.9 -5.5,31.9; -5.5,32.6 0.1,32.6 0.1,33.6 -5.5,33.6
    """,
    "heart": "fill accent 1 0: (0,29.2 1.6,27.6 3.4,28.6 2.9,31 0,34 -2.9,31 -3.4,28.6 -1.6,27.6)z",
    "wave": "line accent 0.55: "
    + " ".join(f"{s * 0.5 - 5.5:g},{29 + math.sin(s * 0.8) * 0.8:.2f}" for s in range(23))
    + " *3@0,1.6",
    "sun": "fill accent 1 0: oval 0 31 3.6 3.6\nline accent 0.42: "
    + "; ".join(
        " ".join(f"{math.cos(a) * r:.2f},{31 + math.sin(a) * r:.2f}" for r in (4.3, 5.6))
        for a in (k * math.pi / 6 for k in range(12))
    ),
}


def paint_body(painter: Painter, look: Look, torso: Torso) -> None:
    """Paints what front and back have: quilting, waistline, ruffles, a ribbed hem."""
    if torso.quilted:
        y = 24.0
        while y < torso.hem - 1:
            wide = torso.half_width(y) - 0.2
            seam = f"({-wide},{y} {-wide / 2},{y + 0.5} 0,{y + 0.2} {wide / 2},{y + 0.5} {wide},{y})"
            painter.draw(f"line seam 0.18: {seam}\nshade 0.36 1.1: {seam}")
            y += 4.4
    if torso.waistline:
        _paint_gathers(painter, look, torso, torso.waistline, 9)
    for tier in range(torso.ruffles):
        _paint_gathers(painter, look, torso, torso.hem - 9.5 * (tier + 1) + 2, 11)
    if torso.ribbed:
        wide, high, low = torso.width, torso.hem - 2.4, torso.hem + 1
        painter.draw(f"""
            fill colour-10 0.9 0.3: {-wide},{high} {wide},{high} {wide - 0.5},{low} {0.5 - wide},{low}
            line colour-28 0.16: {0.5 - wide},{high + 0.2} {0.5 - wide},{low - 0.1} *{int(wide * 2 / 0.8)}@0.8,0
        """)


def _paint_gathers(painter: Painter, look: Look, torso: Torso, y: float, count: int) -> None:
    """Paints a seam with the folds of gathered fabric below it."""
    wide = torso.half_width(y) - 0.1
    starts = [-wide + (k + 0.5) * wide * 2 / count for k in range(count)]
    folds = "; ".join(f"{x},{y + 0.3} {x * 1.15},{y + 4.5 + look.wobble(f'{y}{x}', 2)}" for x in starts)
    painter.draw(f"""
        line seam 0.23: {-wide},{y} 0,{y + 0.4} {wide},{y}
        shade 0.3 0.8: {-wide},{y + 0.4} 0,{y + 0.9} {wide},{y + 0.4}
        shade 0.21 0.5: {folds}
    """)


def paint_front(painter: Painter, torso: Torso) -> None:
    """Paints what only the front has: print, pockets, closure."""
    flap = 40.5 if torso.hem > 44 else 36.0
    sides = {"side_top": torso.half_width(46) - 2.6, "side_low": torso.half_width(50) - 1.2}
    painter.draw(_PRINTS[torso.print_])
    painter.draw(_POCKETS[torso.pockets].format(flap=flap, flap_end=flap + 2.1, **sides))
    top, end = 17.5 + torso.depth, torso.hem + (1.8 if torso.curved_hem else 0.6)
    match torso.closure:
        case "buttons" | "half":
            end = 32.0 if torso.closure == "half" else end
            count = 3 if torso.closure == "half" else max(round((end - top) / 5.5), 3)
            step = (end - top - 2.5) / max(count - 0.5, 1)
            painter.draw(f"""
                both line seam 0.12: 1,{top} 1,{end}
                shade 0.16 0.5: 1.2,{top} 1.2,{end}
                dot button 0.42: 0,{top + 1.5} *{count}@0,{step}
            """)
        case "double":
            painter.draw(f"""
                line seam 0.18: 1.5,{top} 3.2,{end}
                shade 0.3 0.6: 1.8,{top} 3.4,{end}
                both dot button 0.62: 2.6,{top + 2.5} *3@0,5.5
            """)
        case "zip":
            painter.draw(f"""
                line colour-40 0.7: 0,{top - 1} 0,{end}
                line steel 0.42: 0,{top - 1} 0,{top - 0.55} *{int((end - top + 1) / 0.9)}@0,0.9
                fill steel 0.3 0.1: box -0.35 {top + 0.2} 0.35 {top + 2} 0.2
            """)
        case "wrap":
            waist = 1 - torso.waist_width
            painter.draw(f"""
                line seam 0.2: (4,17.2 0.5,26 {waist},37.5); (-6.5,38 -4.6,44 -2.5,{torso.hem})
                shade 0.3 0.8: (3.6,17.7 0.1,26.5 {waist - 0.4},38); (-6.5,38 -4.6,44 -2.5,{torso.hem})
            """)
        case "none":
            pass


def paint_back(painter: Painter, torso: Torso) -> None:
    """Paints what only the back has: a yoke, a middle seam, a vent."""
    if torso.neck in ("collar", "polo"):
        end = torso.shoulder - 1
        painter.draw(f"""
            line seam 0.16: {-end},23.2 (-8,23.2 0,23.8 8,23.2) {end},23.2
            shade 0.14 0.8: 0,24 0,34
        """)
    if torso.neck == "lapel" or torso.closure == "zip":
        painter.draw(f"""
            line seam 0.16: 0,19.5 0,{torso.hem}
            shade 0.35 0.6: 0.3,{torso.hem - 9} 0.3,{torso.hem}
        """)


def paint_belt(painter: Painter, torso: Torso) -> None:
    """Paints a tied belt at the waist."""
    wide = torso.half_width(38) + 0.2
    painter.draw(f"""
        shade 0.35 0.8: {-wide},39.8 {wide},39.8
        fill colour-14 0.7 0.2: | {wide},37 {wide},39.4
        front line colour-20 1.3: (0.6,38 2.8,44 2.4,50); (0.2,38 -1.4,43 -0.6,47.5)
        front fill colour-5 0.6 0.3: box -1.2 36.6 1.4 39.8 0.7
    """)
