"""Bags, in body units around a middle of their own at (0, 50). One recipe a thing; no pixels here."""

from dataclasses import dataclass
from typing import Literal

from unde_catalog.sandbox.photos.drawing.canvas import Layer
from unde_catalog.sandbox.photos.drawing.colours import Rgb, darker
from unde_catalog.sandbox.photos.drawing.curves import Points, both_sides, moved, rounded, smooth
from unde_catalog.sandbox.photos.drawing.look import Frame, Look

_GOLD: Rgb = (200, 166, 96)


@dataclass(frozen=True, slots=True)
class Bag:
    """A bag; on a figure it hangs at the hand."""

    style: Literal["tote", "shoulder", "bucket", "backpack"] = "tote"

    def frame(self, worn: bool) -> Frame:
        """What has to be on the photo."""
        return (6, 44, 30, 84) if worn else (-14, 28, 14, 67)

    def paint(self, layer: Layer, look: Look) -> None:
        """The handles, the body, the hardware."""

        def at(points: Points) -> Points:
            return moved(points, 16.5, 37.5, 0.62) if look.worn else points

        size = 0.62 if look.worn else 1.0
        dark = darker(look.colour, 0.24)
        match self.style:
            case "tote":
                for dx in (0.9, 0.0):
                    layer.strap(
                        at(smooth([(-6 + dx, 46), (-5.4 + dx, 34), (0 + dx, 30.5), (5.4 + dx, 34), (6 + dx, 46)])),
                        dark if dx else look.colour,
                        0.9 * size,
                    )
                body = both_sides([(10.6, 44), *smooth([(10.6, 44), (10.4, 55), (9.2, 64)]), (8.6, 65)])
            case "shoulder":
                layer.strap(at(smooth([(-9, 47), (-7.5, 36), (0, 30), (7.5, 36), (9, 47)])), dark, 1.1 * size)
                body = smooth(
                    [(-10, 46), (0, 45), (10, 46), (12, 54), (10, 62), (0, 63.5), (-10, 62), (-12, 54)], closed=True
                )
            case "bucket":
                layer.strap(at(smooth([(-7, 45), (-6, 33), (0, 29.5), (6, 33), (7, 45)])), dark, 0.8 * size)
                body = both_sides(
                    [(7.2, 43), *smooth([(7.2, 43), (9.2, 52), (9.4, 62)]), *smooth([(9.4, 62), (6, 65), (0, 65.6)])]
                )
            case "backpack":
                layer.strap(at(smooth([(-2, 40), (-2, 34), (0, 32.6), (2, 34), (2, 40)])), dark, 0.9 * size)
                if not look.front:
                    for x in (-5, 5):
                        layer.strap(at(smooth([(x, 40), (x * 2.1, 52), (x * 1.6, 64)])), dark, 1.8 * size)
                body = rounded(-10, 38.5, 10, 66, 6.0)
        layer.fill(at(body), look.paint(), 3.0 * size, 0.42)
        self._hardware(layer, look, at, size)

    def _hardware(self, layer: Layer, look: Look, at, size: float) -> None:  # noqa: ANN001
        layer.line(
            at([(-9, 46.5), (9, 46.5)]) if self.style != "shoulder" else at([(-9, 47.4), (0, 46.6), (9, 47.4)]),
            look.seam,
            0.18,
        )
        if not look.front:
            layer.line(at(rounded(-5, 50, 5, 58, 0.6)), look.seam, 0.2)
            return
        match self.style:
            case "tote":
                for x in (-6, 6):
                    layer.fill(at(rounded(x - 1, 45, x + 1, 48.6, 0.3)), darker(look.colour, 0.2), 0.4, 0.2)
                    layer.dot(at([(x, 47.6)])[0], 0.34 * size, _GOLD)
                layer.line(at([(-2, 52.5), (2, 52.5)]), _GOLD, 0.5 * size)
            case "shoulder":
                flap = smooth([(-10.2, 46), (0, 45.2), (10.2, 46), (10.8, 52), (0, 57.5), (-10.8, 52)], closed=True)
                layer.shade_area(at([(x, y + 0.8) for x, y in flap]), 0.35)
                layer.fill(at(flap), look.paint(), 2.0 * size, 0.3)
                layer.line(at([*flap, flap[0]]), look.seam, 0.2)
                layer.fill(at(rounded(-1.5, 54.6, 1.5, 57.8, 0.6)), _GOLD, 0.6, 0.3)
            case "bucket":
                layer.line(
                    at(
                        smooth(
                            [
                                (-7, 45.2),
                                (
                                    0,
                                    46,
                                ),
                                (7, 45.2),
                            ]
                        )
                    ),
                    darker(look.colour, 0.5),
                    0.6 * size,
                )
                for x in (-1.2, 1.2):
                    layer.line(
                        at(smooth([(x, 46), (x * 2.2, 50), (x * 1.8, 54)])), darker(look.colour, 0.5), 0.5 * size
                    )
            case "backpack":
                pocket = rounded(-7, 52, 7, 64, 2.4)
                layer.shade_area(at(moved(pocket, 0, 0.7)), 0.3)
                layer.fill(at(pocket), look.paint(), 1.6 * size, 0.3)
                layer.line(at([*pocket, pocket[0]]), look.seam, 0.2)
                layer.line(at(smooth([(-8.6, 50), (-7, 43), (0, 41), (7, 43), (8.6, 50)])), (200, 200, 204), 0.4 * size)
