"""Hats and scarves, in body units around a middle of their own at (0, 50). One recipe a thing; no pixels here."""

from dataclasses import dataclass
from typing import Literal

from unde_catalog.sandbox.photos.drawing.canvas import Layer
from unde_catalog.sandbox.photos.drawing.colours import lighter, mix
from unde_catalog.sandbox.photos.drawing.curves import Points, both_sides, ellipse, moved, rounded, smooth
from unde_catalog.sandbox.photos.drawing.look import Frame, Look


@dataclass(frozen=True, slots=True)
class Hat:
    """A hat, cap or beanie, or a scarf; on a figure at the head."""

    style: Literal["bucket", "cap", "beanie", "scarf"] = "bucket"

    def frame(self, worn: bool) -> Frame:
        """What has to be on the photo."""
        if worn:
            return (-13, -5, 13, 34)
        return (-12, 26, 12, 72) if self.style == "scarf" else (-14, 34, 14, 61)

    def paint(self, layer: Layer, look: Look) -> None:
        """The crown, then the brim."""

        def at(points: Points) -> Points:
            return moved(points, 0, -21.6, 0.47) if look.worn else points

        wide = 1.0
        match self.style:
            case "bucket":
                layer.fill(
                    at(both_sides([*smooth([(0, 41), (5.4, 41.4), (7.4, 44), (8.4, 51)])])), look.paint(), 2, 0.34
                )
                layer.fill(
                    at(
                        smooth(
                            [(-8.6, 50.4), (0, 51.6), (8.6, 50.4), (12.6, 57), (0, 59), (-12.6, 57)],
                            closed=True,
                            steps=9,
                        )
                    ),
                    look.paint(),
                    1.6,
                    0.34,
                )
                layer.line(at(smooth([(-8.6, 50.4), (0, 51.8), (8.6, 50.4)])), look.seam, 0.3)
                for k in (0.35, 0.65):
                    layer.line(
                        at(
                            smooth([(-8.6 - 4 * k, 50.4 + 6.6 * k), (0, 51.6 + 7.4 * k), (8.6 + 4 * k, 50.4 + 6.6 * k)])
                        ),
                        look.seam,
                        0.14,
                    )
            case "cap":
                layer.fill(
                    at(both_sides([*smooth([(0, 41), (5.6, 42.2), (8.4, 47), (8.8, 53)])])), look.paint(), 2, 0.36
                )
                for x in (-4.6, 0, 4.6):
                    layer.line(at(smooth([(x * 0.1, 41.2), (x * 0.85, 45), (x, 53)])), look.seam, 0.2)
                layer.dot(at([(0, 41.2)])[0], 0.6 * (0.47 if look.worn else 1), look.accent)
                if look.front:
                    layer.fill(
                        at(
                            smooth(
                                [(-8.8, 52.6), (0, 51.4), (8.8, 52.6), (9.4, 56), (0, 58.4), (-9.4, 56)], closed=True
                            )
                        ),
                        mix(look.colour, look.accent, 0.5),
                        1.4,
                        0.34,
                    )
                    layer.fill(at(rounded(-2, 45.4, 2, 49, 0.6)), look.accent, 0.4, 0.1)
                else:
                    layer.fill(at(ellipse(0, 53, 3.2, 2.2)), (226, 222, 216), 0.6, 0.3)
            case "beanie":
                layer.fill(
                    at(both_sides([*smooth([(0, 39.4), (5.6, 41), (8.6, 46.6), (9, 54)])])), look.paint(), 2.2, 0.36
                )
                layer.fill(at(rounded(-9.8, 51.6, 9.8, 58, 1.2)), look.paint(), 1.4, 0.34)
                layer.shade(at([(-9, 51.4), (9, 51.4)]), 0.4, 0.6)
                layer.fill(at(ellipse(0, 38.6, 2.8, 2.7)), lighter(look.accent, 0.1), 1.2, 0.35)
            case "scarf":
                wide = 0.47 if look.worn else 1.0
                loop = smooth([(-8, 34), (0, 30.5), (8, 34), (9, 40), (0, 45.5), (-9, 40)], closed=True)
                tails = ([(0.8, 42), (6.6, 41), (8, 68), (1.6, 69)], [(-6, 41), (-0.5, 43), (0.4, 62), (-6.6, 61)])
                for tail in tails:
                    hung = moved(tail, 0, -0.5, 0.47) if look.worn else tail
                    layer.fill(hung, look.paint(), 1.6 * wide, 0.36)
                    for k in range(9):
                        x0 = hung[3][0] + (hung[2][0] - hung[3][0]) * k / 8
                        layer.strap([(x0, hung[2][1] - 0.4), (x0, hung[2][1] + 2.2 * wide)], look.colour, 0.3 * wide)
                ring = moved(loop, 0, -0.5, 0.47) if look.worn else loop
                layer.fill(ring, look.paint(), 2 * wide, 0.42)
                hole = smooth([(-4.6, 35.6), (0, 33.6), (4.6, 35.6), (0, 37.6)], closed=True)
                layer.fill(moved(hole, 0, -0.5, 0.47) if look.worn else hole, look.inside, 1.0 * wide, 0.4)
