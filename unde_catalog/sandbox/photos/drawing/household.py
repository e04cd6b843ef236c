"""Things of the house and small electronics, in body units around a middle of their own at (0, 50). No pixels here."""

from dataclasses import dataclass
from typing import Literal

from unde_catalog.sandbox.photos.drawing.canvas import Layer
from unde_catalog.sandbox.photos.drawing.colours import Rgb, darker, lighter
from unde_catalog.sandbox.photos.drawing.curves import both_sides, ellipse, rounded, smooth
from unde_catalog.sandbox.photos.drawing.look import Frame, Look

_GLASS: Rgb = (52, 62, 78)
_LIGHT: Rgb = (250, 236, 190)


@dataclass(frozen=True, slots=True)
class Thing:
    """A thing that nobody wears; `worn` makes no difference."""

    style: Literal["phone", "headphones", "speaker", "lamp", "mug", "cushion"]

    def frame(self, worn: bool) -> Frame:
        """What has to be on the photo."""
        return (-16, 26, 16, 74)

    def paint(self, layer: Layer, look: Look) -> None:
        """The body of the thing, then what is on it."""
        match self.style:
            case "phone":
                self._phone(layer, look)
            case "headphones":
                layer.strap(smooth([(-10.5, 54), (-11, 40), (0, 30), (11, 40), (10.5, 54)]), look.colour, 2.2)
                for x in (-10.6, 10.6):
                    layer.fill(ellipse(x, 56, 4.4, 7), look.paint(), 2, 0.4)
                    layer.fill(ellipse(x * 0.82, 56, 2.2, 5.4), darker(look.accent, 0.2), 1, 0.3)
            case "speaker":
                layer.fill(rounded(-10, 31, 10, 69, 4), look.paint(), 2.4, 0.4)
                for y, radius in ((42.0, 5.0), (57.5, 7.4)) if look.front else ():
                    layer.fill(ellipse(0, y, radius, radius), darker(look.colour, 0.45), 1.2, 0.4)
                    layer.fill(ellipse(0, y, radius * 0.45, radius * 0.45), look.accent, 1, 0.4)
            case "lamp":
                layer.strap([(0, 44), (0, 68)], darker(look.accent, 0.3), 1.4)
                layer.fill(ellipse(0, 69, 7.5, 2.2), darker(look.accent, 0.2), 1, 0.4)
                layer.fill(ellipse(0, 48, 5.5, 2.4), _LIGHT, 0.6, 0.1)
                layer.fill(both_sides([(5.4, 30), (10.8, 48)]), look.paint(), 2.4, 0.34)
            case "mug":
                layer.strap(smooth([(8, 44), (15, 45), (15, 57), (7.4, 58)]), look.colour, 2.0)
                layer.fill(
                    both_sides([(9, 38), *smooth([(9, 38), (9, 56), (7.4, 64)]), (5, 65)]), look.paint(), 2, 0.38
                )
                layer.fill(ellipse(0, 38.4, 9, 2.1), look.inside, 0.8, 0.3)
                if look.front:
                    layer.fill(ellipse(-1, 52, 3.2, 3.2), look.accent, 0.4, 0.1)
            case "cushion":
                sides = smooth(
                    [(-13, 37), (0, 39.5), (13, 37), (11, 50), (13, 63), (0, 60.5), (-13, 63), (-11, 50)], True
                )
                layer.fill(sides, look.paint(), 4, 0.4)
                layer.shade(smooth([(-8, 44), (-2, 49), (-6, 57)]), 0.25, 1.4)
                if not look.front:
                    layer.line([(-9, 58), (9, 58)], look.seam, 0.3)

    def _phone(self, layer: Layer, look: Look) -> None:
        layer.fill(rounded(-9.4, 30, 9.4, 70, 2.6), look.paint(), 1.2, 0.36)
        if look.front:
            layer.fill(rounded(-8.5, 31, 8.5, 69, 2.0), _GLASS, 1.0, 0.2)
            for row in range(4):
                for column in range(3):
                    x, y = -6.4 + column * 4.7, 36 + row * 6.4
                    tone = lighter(look.accent, 0.12 * ((row + column) % 4))
                    layer.fill(rounded(x, y, x + 3.4, y + 3.4, 0.8), tone, 0.3, 0.1)
            layer.dot((0, 32.6), 0.5, darker(_GLASS, 0.5))
        else:
            layer.fill(rounded(-8, 31.6, -1.4, 40.4, 1.8), darker(look.colour, 0.25), 0.6, 0.3)
            for y in (34.0, 38.0):
                layer.fill(ellipse(-4.7, y, 1.5, 1.5), _GLASS, 0.4, 0.3)


HOUSEHOLD: dict[str, Thing] = {
    "phone": Thing("phone"),
    "headphones": Thing("headphones"),
    "speaker": Thing("speaker"),
    "lamp": Thing("lamp"),
    "mug": Thing("mug"),
    "cushion": Thing("cushion"),
}
