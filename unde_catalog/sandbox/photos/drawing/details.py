"""What sits on a garment that hangs from the shoulders: buttons, pockets, belts, prints. Its neck is `necks.py`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from unde_catalog.sandbox.photos.drawing.canvas import Layer
from unde_catalog.sandbox.photos.drawing.colours import darker, is_dark, mix
from unde_catalog.sandbox.photos.drawing.curves import Points, ellipse, mirror, rounded, smooth
from unde_catalog.sandbox.photos.drawing.look import Look

if TYPE_CHECKING:
    from unde_catalog.sandbox.photos.drawing.torso import Torso

_BOTH = (list, mirror)


def closure(layer: Layer, look: Look, torso: Torso) -> None:
    """Buttons, zip, wrap; down the front's middle."""
    top, end = 17.5 + torso.depth, torso.hem + (1.8 if torso.curved_hem else 0.6)
    button = (236, 232, 222) if is_dark(look.colour) or look.pattern != "plain" else darker(look.colour, 0.55)
    match torso.closure:
        case "buttons" | "half":
            end = 32.0 if torso.closure == "half" else end
            for x in (-1.0, 1.0):
                layer.line([(x, top), (x, end)], look.seam, 0.12)
            layer.shade([(1.2, top), (1.2, end)], 0.16, 0.5)
            count = 3 if torso.closure == "half" else max(round((end - top) / 5.5), 3)
            for k in range(count):
                layer.dot((0, top + 1.5 + k * (end - top - 2.5) / max(count - 0.5, 1)), 0.42, button)
        case "double":
            layer.line([(1.5, top), (3.2, end)], look.seam, 0.18)
            layer.shade([(1.8, top), (3.4, end)], 0.3, 0.6)
            for y in (top + 2.5, top + 8.0, top + 13.5):
                for x in (-2.6, 2.6):
                    layer.dot((x, y), 0.62, button)
        case "zip":
            layer.line([(0, top - 1), (0, end)], darker(look.colour, 0.4), 0.7)
            layer.stitches([(0, top - 1 + k * 0.45) for k in range(int((end - top + 1) / 0.45))], (206, 206, 210), 0.42)
            layer.fill(rounded(-0.35, top + 0.2, 0.35, top + 2.0, 0.2), (206, 206, 210), 0.3, 0.1)
        case "open":
            opening = [(-0.4, top - 0.6), (0.5, top - 0.6), (1.7, end), (-1.7, end)]
            layer.shade([(0, top), (0, end)], 0.5, 1.6)
            layer.fill(opening, look.inside if not look.worn else (228, 222, 214), 0.8, 0.4)
        case "wrap":
            path = smooth([(4.0, 17.2), (0.5, 26), (-torso.waist_width + 1, 37.5)])
            layer.line(path, look.seam, 0.2)
            layer.shade([(x - 0.4, y + 0.5) for x, y in path], 0.3, 0.8)
            tail = smooth([(-6.5, 38), (-4.6, 44), (-2.5, torso.hem)])
            layer.line(tail, look.seam, 0.18)
            layer.shade(tail, 0.3, 0.9)
        case "none":
            pass


def pockets(layer: Layer, look: Look, torso: Torso) -> None:
    """Pockets of the kind the recipe names."""
    match torso.pockets:
        case "patch":
            pocket = rounded(2.6, 26.2, 7.0, 31.6, 0.6)
            layer.line([*pocket, pocket[0]], look.seam, 0.16)
            layer.line([(2.7, 27.2), (6.9, 27.2)], look.seam, 0.12)
        case "flap":
            low = 40.5 if torso.hem > 44 else 36.0
            for flip in _BOTH:
                flap = flip(rounded(4.0, low, 8.6, low + 2.1, 0.4))
                layer.shade_area([(x, y + 0.5) for x, y in flap], 0.25)
                layer.fill(flap, look.paint(), 0.5, 0.16)
                layer.line([*flap, flap[0]], look.seam, 0.16)
            layer.line([(3.4, 28.4), (6.6, 27.8)], look.seam, 0.3)
        case "kangaroo":
            pocket = [(-3.6, 37.5), (3.6, 37.5), (6.8, 42.5), (6.8, 46.5), (-6.8, 46.5), (-6.8, 42.5)]
            layer.line([*pocket, pocket[0]], look.seam, 0.2)
            layer.shade([(3.6, 37.8), (6.8, 42.8)], 0.3, 0.6)
            layer.shade([(-3.6, 37.8), (-6.8, 42.8)], 0.3, 0.6)
        case "side":
            for flip in _BOTH:
                layer.line(flip([(torso.half_width(46) - 2.6, 42), (torso.half_width(50) - 1.2, 49)]), look.seam, 0.24)
        case "none":
            pass


def back(layer: Layer, look: Look, torso: Torso) -> None:
    """What only the back has: a yoke, a middle seam, a vent."""
    if torso.neck in ("collar", "polo"):
        layer.line(
            [(-torso.shoulder + 1, 23.2), *smooth([(-8, 23.2), (0, 23.8), (8, 23.2)]), (torso.shoulder - 1, 23.2)],
            look.seam,
            0.16,
        )
        layer.shade([(0, 24), (0, 34)], 0.14, 0.8)
    if torso.neck == "lapel" or torso.closure == "zip":
        layer.line([(0, 19.5), (0, torso.hem)], look.seam, 0.16)
        layer.shade([(0.3, torso.hem - 9), (0.3, torso.hem)], 0.35, 0.6)


def ribbed_hem(layer: Layer, look: Look, torso: Torso) -> None:
    """A knitted band at the hem."""
    wide = torso.hem_width + torso.flare
    high = torso.hem - 2.4
    layer.fill(
        [(-wide, high), (wide, high), (wide - 0.5, torso.hem + 1.0), (-wide + 0.5, torso.hem + 1.0)],
        darker(look.colour, 0.1),
        0.9,
        0.3,
    )
    for k in range(int(wide * 2 / 0.8)):
        layer.line(
            [(-wide + 0.5 + k * 0.8, high + 0.2), (-wide + 0.5 + k * 0.8, torso.hem + 0.9)],
            darker(look.colour, 0.28),
            0.16,
        )


def quilting(layer: Layer, look: Look, torso: Torso) -> None:
    """The seams of a padded jacket, each with the roll above it."""
    y = 24.0
    while y < torso.hem - 1:
        wide = torso.half_width(y) - 0.2
        seam = smooth([(-wide, y), (-wide / 2, y + 0.5), (0, y + 0.2), (wide / 2, y + 0.5), (wide, y)])
        layer.line(seam, look.seam, 0.18)
        layer.shade(seam, 0.36, 1.1)
        y += 4.4


def waistline(layer: Layer, look: Look, torso: Torso) -> None:
    """The seam between a dress's bodice and its skirt, gathered."""
    wide = torso.half_width(torso.waistline) - 0.1
    layer.line([(-wide, torso.waistline), (0, torso.waistline + 0.4), (wide, torso.waistline)], look.seam, 0.24)
    for k in range(9):
        x = -wide + (k + 0.5) * wide * 2 / 9
        layer.shade([(x, torso.waistline + 0.3), (x * 1.25, torso.waistline + 5 + look.wobble(f"g{k}", 2))], 0.2, 0.5)


def ruffle(layer: Layer, look: Look, torso: Torso, tier: int) -> None:
    """A gathered tier of a skirt."""
    y = torso.hem - 9.5 * (tier + 1) + 2
    wide = torso.half_width(y)
    layer.line([(-wide, y), (0, y + 0.5), (wide, y)], look.seam, 0.22)
    layer.shade([(-wide, y + 0.4), (0, y + 0.9), (wide, y + 0.4)], 0.35, 0.8)
    for k in range(11):
        x = -wide + (k + 0.5) * wide * 2 / 11
        layer.shade([(x, y), (x * 1.05, y + 4 + look.wobble(f"r{tier}{k}", 2))], 0.22, 0.5)


def belt(layer: Layer, look: Look, torso: Torso) -> None:
    """A tied belt at the waist."""
    wide = torso.half_width(38) + 0.2
    band = [(-wide, 37.0), (wide, 37.0), (wide, 39.4), (-wide, 39.4)]
    layer.shade([(-wide, 39.8), (wide, 39.8)], 0.35, 0.8)
    layer.fill(band, darker(look.colour, 0.14), 0.7, 0.2)
    if look.front:
        for points in (smooth([(0.6, 38), (2.8, 44), (2.4, 50)]), smooth([(0.2, 38), (-1.4, 43), (-0.6, 47.5)])):
            layer.line(points, darker(look.colour, 0.2), 1.3)
        layer.fill(rounded(-1.2, 36.6, 1.4, 39.8, 0.7), darker(look.colour, 0.05), 0.6, 0.3)


def print_on(layer: Layer, look: Look, print_: str) -> None:
    """A picture on the chest."""
    match print_:
        case "sun":
            layer.fill(ellipse(0, 31, 3.6, 3.6), look.accent, 1, 0)
            for k in range(12):
                a = k * math.pi / 6
                layer.line(
                    [(math.cos(a) * 4.3, 31 + math.sin(a) * 4.3), (math.cos(a) * 5.6, 31 + math.sin(a) * 5.6)],
                    look.accent,
                    0.42,
                )
        case "bars":
            for k in range(4):
                layer.fill(
                    [
                        (-5.5, 27.5 + k * 1.7),
                        (5.5 - k * 1.8, 27.5 + k * 1.7),
                        (5.5 - k * 1.8, 28.5 + k * 1.7),
                        (-5.5, 28.5 + k * 1.7),
                    ],
                    mix(look.accent, look.colour, k * 0.2),
                    1,
                    0,
                )
        case "wave":
            for k in range(3):
                path: Points = [(-5.5 + s * 0.5, 29 + k * 1.6 + math.sin(s * 0.8) * 0.8) for s in range(23)]
                layer.line(path, look.accent, 0.55)
        case "heart":
            layer.fill(
                smooth(
                    [(0, 29.2), (1.6, 27.6), (3.4, 28.6), (2.9, 31), (0, 34), (-2.9, 31), (-3.4, 28.6), (-1.6, 27.6)],
                    closed=True,
                    steps=5,
                ),
                look.accent,
                1,
                0,
            )
        case _:
            pass
