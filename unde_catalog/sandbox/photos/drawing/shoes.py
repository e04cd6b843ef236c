"""Shoes, in body units around a middle of their own at (0, 50). One recipe a thing; no pixels here."""

from dataclasses import dataclass
from typing import Literal

from unde_catalog.sandbox.photos.drawing.canvas import Layer
from unde_catalog.sandbox.photos.drawing.colours import Rgb, darker
from unde_catalog.sandbox.photos.drawing.curves import Points, mirror, rounded, smooth
from unde_catalog.sandbox.photos.drawing.look import Frame, Look

_GOLD: Rgb = (200, 166, 96)


@dataclass(frozen=True, slots=True)
class Shoes:
    """A pair, seen from the side one behind the other; on a figure from the front."""

    style: Literal["sneaker", "boot", "heel", "sandal", "loafer"] = "sneaker"

    def frame(self, worn: bool) -> Frame:
        """What has to be on the photo."""
        return (-14, 84, 14, 105) if worn else (-16, 30 if self.style == "boot" else 36, 19, 62)

    def paint(self, layer: Layer, look: Look) -> None:
        """Both shoes."""
        if look.worn:
            self._worn(layer, look)
            return
        for dx, dy in ((4.0, -4.0), (-1.5, 3.0)):
            self._side(layer, look, dx, dy, -1 if not look.front else 1)

    def _side(self, layer: Layer, look: Look, dx: float, dy: float, facing: int) -> None:
        def at(points: Points) -> Points:
            return [(x * facing + dx, y + dy) for x, y in points]

        dark = darker(look.colour, 0.3)
        white: Rgb = (240, 238, 232)
        match self.style:
            case "sneaker":
                layer.fill(
                    at(
                        smooth(
                            [
                                (-11.5, 50),
                                (-11, 44),
                                (-8, 42.6),
                                (-3.5, 43.4),
                                (1, 47),
                                (7, 49.2),
                                (11, 51),
                                (12, 54),
                                (-11.6, 54),
                            ],
                            closed=True,
                        )
                    ),
                    look.paint(),
                    1.8,
                    0.36,
                )
                layer.fill(at(rounded(-12, 53, 12.6, 56.4, 1.5)), white, 0.8, 0.28)
                layer.line(at([(-12, 54.8), (12.4, 54.8)]), (200, 196, 190), 0.2)
                for k in range(5):
                    layer.line(at([(-3 + k * 1.7, 44.6 + k * 0.9), (-1.2 + k * 1.6, 46.8 + k * 0.5)]), white, 0.5)
                layer.fill(
                    at(smooth([(-6, 52.5), (-1, 47.6), (2.5, 49), (-1.5, 52.8)], closed=True)), look.accent, 0.8, 0.2
                )
            case "boot":
                layer.fill(
                    at(
                        [
                            (-10.5, 33),
                            (-2.2, 32.6),
                            *smooth([(-2.2, 32.6), (-2.4, 42), (-0.5, 46.6), (7, 49.4), (11, 52), (11.6, 54.4)]),
                            (-11, 54.4),
                            *smooth([(-11, 54.4), (-11.2, 46), (-10.5, 33)]),
                        ]
                    ),
                    look.paint(),
                    2.2,
                    0.4,
                )
                layer.fill(
                    at([(-11.4, 54), (12, 54), (12, 55.6), (-4.6, 55.6), (-4.8, 58.4), (-11.4, 58.4)]), dark, 0.8, 0.3
                )
                layer.fill(at([(-7.4, 34.5), (-5.2, 34.5), (-5.0, 42), (-7.6, 42)]), dark, 0.5, 0.2)
            case "heel":
                layer.fill(
                    at(
                        smooth(
                            [
                                (-10, 47),
                                (-9.4, 44.4),
                                (-6.4, 46.4),
                                (0, 50.4),
                                (6, 53),
                                (11.4, 56),
                                (9, 57.6),
                                (2, 56.6),
                                (-5, 52.6),
                                (-9.6, 50),
                            ],
                            closed=True,
                        )
                    ),
                    look.paint(),
                    1.4,
                    0.4,
                )
                layer.fill(at([(-10.2, 48), (-8.0, 50.8), (-8.9, 58.6), (-9.9, 58.6)]), dark, 0.5, 0.3)
                layer.strap(at(smooth([(-8.6, 45.6), (-5.6, 42.4), (-2.4, 45.0), (-3.2, 48)])), look.colour, 0.6)
            case "sandal":
                layer.fill(
                    at(smooth([(-11, 54), (-4, 53.6), (4, 54.4), (11, 54.4), (12, 56.4), (-11.4, 56.6)], closed=True)),
                    (186, 150, 108),
                    0.8,
                    0.3,
                )
                band = [(-1.4, 54.4), (0.4, 49.4), (4.6, 48.2), (8.4, 50.4), (10.2, 54.8), (4, 55.2)]
                layer.fill(at(smooth(band, closed=True)), look.paint(), 1.2, 0.36)
                layer.strap(at(smooth([(-9.6, 54.2), (-8.4, 48.4), (-4.6, 47.6), (-1.4, 52)])), look.colour, 0.9)
            case "loafer":
                layer.fill(
                    at(
                        smooth(
                            [
                                (-11, 53),
                                (-10.6, 47.4),
                                (-8, 46.4),
                                (-3.4, 48.4),
                                (1.6, 47.8),
                                (7, 49.6),
                                (11.4, 52),
                                (12, 54.4),
                                (-11, 54.6),
                            ],
                            closed=True,
                        )
                    ),
                    look.paint(),
                    1.8,
                    0.4,
                )
                layer.fill(
                    at([(-11.4, 54), (12.4, 54), (12.2, 55.6), (-4.8, 55.6), (-5, 57.4), (-11.4, 57.4)]), dark, 0.6, 0.3
                )
                layer.fill(
                    at(smooth([(-3.6, 48.6), (-0.4, 47.4), (2.4, 48), (3.0, 51.6), (-1.6, 53)], closed=True)),
                    darker(look.colour, 0.14),
                    0.8,
                    0.3,
                )
                layer.line(at([(-0.6, 50), (2.2, 49.6)]), _GOLD, 0.6)

    def _worn(self, layer: Layer, look: Look) -> None:
        high = {"boot": 84.0, "sneaker": 94.4, "loafer": 96.4, "heel": 97.0, "sandal": 97.6}[self.style]
        for flip in (list, mirror):
            shoe = [
                (2.4, high),
                (5.9, high),
                *smooth([(6.2, 96), (7.3, 100.5), (6.9, 103)]),
                *smooth([(6.9, 103), (4.8, 104), (2.6, 103)]),
                *smooth([(2.0, 100.5), (2.4, 96)]),
            ]
            layer.fill(flip(shoe), look.paint(), 1.0, 0.36)
            if self.style == "sneaker":
                layer.fill(flip(rounded(2.0, 102.2, 7.2, 104.2, 0.8)), (240, 238, 232), 0.5, 0.2)
                for y in (97, 98.4, 99.8):
                    layer.line(flip([(3.4, y), (5.6, y)]), (240, 238, 232), 0.36)
