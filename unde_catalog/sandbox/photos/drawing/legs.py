"""Everything that hangs from the waist: trousers, jeans, shorts, leggings, skirts. One recipe a garment."""

from dataclasses import dataclass
from typing import Literal

from unde_catalog.sandbox.photos.drawing.canvas import Layer
from unde_catalog.sandbox.photos.drawing.colours import darker, is_dark
from unde_catalog.sandbox.photos.drawing.curves import Points, both_sides, mirror, rounded, smooth
from unde_catalog.sandbox.photos.drawing.look import Frame, Look

_BOTH = (list, mirror)
_TOP = 39.0


@dataclass(frozen=True, slots=True)
class Trousers:
    """A recipe, in body units: `end` is where the leg ends, `knee` and `cuff` are half the leg's width."""

    end: float = 94.0
    knee: float = 4.4
    cuff: float = 4.2
    style: Literal["tailored", "jeans", "cargo", "jogger", "leggings", "shorts"] = "tailored"

    def frame(self, worn: bool) -> Frame:
        """What has to be on the photo."""
        reach = 6.4 + max(self.cuff, self.knee) + (1 if worn else 3)
        return (-max(reach, 12), _TOP - 3, max(reach, 12), self.end + 3)

    def paint(self, layer: Layer, look: Look) -> None:
        """Legs, then the waist and what is sewn on."""
        spread = 0.0 if look.worn else 1.6
        if look.front and not look.worn:
            layer.fill([(-7.6, _TOP - 0.9), (7.6, _TOP - 0.9), (7.4, _TOP + 3), (-7.4, _TOP + 3)], look.inside, 1, 0.3)
        knee_y = 72.0
        for flip in (mirror, list):
            centre = 4.9 + spread
            outer = smooth(
                [
                    (7.9, _TOP),
                    (10.2, 47.5),
                    (10.4, 54),
                    (centre + self.knee, knee_y),
                    (centre + self.cuff + spread, self.end),
                ]
            )
            hem = smooth(
                [
                    (centre + self.cuff + spread, self.end),
                    (centre + spread, self.end + 0.9),
                    (centre - self.cuff + spread, self.end),
                ]
            )
            inner = smooth(
                [(centre - self.cuff + spread, self.end), (centre - self.knee, knee_y), (0.4, 55), (-0.1, 53)]
            )
            if self.end < 70:  # shorts have no knee
                outer = smooth([(7.9, _TOP), (10.2, 47.5), (centre + self.cuff + spread, self.end)])
                inner = smooth([(centre - self.cuff + spread, self.end), (0.6, 54.6), (-0.1, 53)])
            layer.fill(flip([(-0.1, _TOP + 0.5), *outer, *hem, *inner]), look.paint(), 2.0, 0.36)
            self._leg_details(layer, look, flip, centre, spread)
        layer.shade([(0.1, 47), (0, 54)], 0.3, 0.6)
        for flip in _BOTH:
            layer.shade(flip([(0.5, 53), (5.5, 50.5)]), 0.24, 0.8)
            layer.shade(flip([(1.2, 55.5), (5, 55)]), 0.18, 0.7)
        self._waist(layer, look)

    def _leg_details(self, layer: Layer, look: Look, flip: type[list] | object, centre: float, spread: float) -> None:
        turn = mirror if flip is mirror else list
        if self.style == "tailored":
            crease = smooth([(4.6, _TOP + 3), (centre + 0.4, 66), (centre + spread, self.end)])
            layer.line(turn(crease), look.seam, 0.14)
            layer.shade(turn([(x + 0.6, y) for x, y in crease]), 0.2, 0.9)
        if self.style in ("jeans", "cargo", "jogger", "leggings") and self.end > 80:
            for k in range(3):
                y = 70 + k * 2.2
                layer.shade(
                    turn([(centre - self.knee + 0.6, y + look.wobble(f"k{k}", 1)), (centre + 1, y + 0.8)]), 0.2, 0.6
                )
            for k in range(2):
                y = self.end - 3 - k * 2.2
                layer.shade(turn([(centre - self.cuff + spread, y), (centre + self.cuff + spread, y - 0.9)]), 0.22, 0.6)
        if self.style == "jeans":
            side = smooth(
                [
                    (9.4, 44),
                    (9.9, 54),
                    (centre + self.knee - 0.5, 72),
                    (centre + self.cuff + spread - 0.5, self.end - 1),
                ]
            )
            if self.end > 70:
                layer.stitches(turn(side), (204, 160, 92), 0.16)
            layer.line(
                turn([(centre - self.cuff + spread, self.end - 1.2), (centre + self.cuff + spread, self.end - 1.2)]),
                (204, 160, 92),
                0.16,
            )
        if self.style == "cargo":
            pocket = turn(rounded(7.2, 62, 11.4, 70.5, 0.6))
            layer.shade_area([(x, y + 0.6) for x, y in pocket], 0.3)
            layer.fill(pocket, look.paint(), 0.8, 0.24)
            layer.line([*pocket, pocket[0]], look.seam, 0.18)
            layer.line(turn([(7.2, 64.6), (11.4, 64.6)]), look.seam, 0.2)
        if self.style == "jogger":
            cuff = turn(
                [
                    (centre - self.cuff + spread, self.end - 3.2),
                    (centre + self.cuff + spread, self.end - 3.2),
                    (centre + self.cuff * 0.8 + spread, self.end + 0.9),
                    (centre - self.cuff * 0.8 + spread, self.end + 0.9),
                ]
            )
            layer.fill(cuff, darker(look.colour, 0.12), 0.8, 0.3)

    def _waist(self, layer: Layer, look: Look) -> None:
        soft = self.style in ("jogger", "leggings")
        band = [
            (-8.0, _TOP - 0.6),
            *smooth([(-8.0, _TOP - 0.6), (0, _TOP + (0.3 if look.front else -0.5)), (8.0, _TOP - 0.6)]),
            (8.5, _TOP + 2.2),
            *smooth([(8.5, _TOP + 2.2), (0, _TOP + 3.1), (-8.5, _TOP + 2.2)]),
        ]
        layer.fill(band, darker(look.colour, 0.1) if soft else look.paint(), 0.8, 0.2)
        layer.line(smooth([(8.5, _TOP + 2.2), (0, _TOP + 3.1), (-8.5, _TOP + 2.2)]), look.seam, 0.16)
        thread = (204, 160, 92) if self.style == "jeans" else look.seam
        if not soft:
            for x in (-5.6, 5.6):
                layer.fill(
                    [(x - 0.4, _TOP - 0.7), (x + 0.4, _TOP - 0.7), (x + 0.4, _TOP + 3), (x - 0.4, _TOP + 3)],
                    darker(look.colour, 0.08),
                    0.4,
                    0.2,
                )
        if not look.front:
            for flip in _BOTH:
                if self.style in ("jeans", "cargo", "shorts"):
                    pocket = flip([(2.0, 46), (7.4, 45.4), (7.4, 51.4), (4.8, 53), (2.2, 51.6)])
                    layer.line([*pocket, pocket[0]], thread, 0.18)
                else:
                    layer.line(flip([(2.6, 46.5), (7, 46)]), look.seam, 0.24)
            layer.line([(0, _TOP + 3), (0, 54)], look.seam, 0.16)
            return
        if soft:
            if self.style == "jogger":
                for x in (-0.9, 0.9):
                    layer.line(smooth([(x, _TOP + 2.4), (x * 1.6, 45), (x * 1.3, 48)]), (236, 232, 224), 0.34)
            return
        layer.line(smooth([(1.5, _TOP + 3), (1.5, 48.5), (0.2, 51.5)]), thread, 0.16)
        layer.line([(0, _TOP + 3), (0, 53.4)], look.seam, 0.14)
        layer.dot((0.2, _TOP + 1.4), 0.6, (188, 148, 96) if self.style == "jeans" else darker(look.colour, 0.45))
        for flip in _BOTH:
            layer.line(flip(smooth([(4.6, _TOP + 2.8), (6.0, 45.5), (9.6, 47.5)])), thread, 0.18)


@dataclass(frozen=True, slots=True)
class Skirt:
    """A recipe, in body units: `hem` is where it ends, `width` half its width there."""

    hem: float = 75.0
    width: float = 13.0
    style: Literal["plain", "pleated", "buttons", "wrap", "tiered", "slit"] = "plain"

    def frame(self, worn: bool) -> Frame:
        """What has to be on the photo."""
        return (-self.width - 1.5, _TOP - 3, self.width + 1.5, self.hem + 3)

    def paint(self, layer: Layer, look: Look) -> None:
        """The skirt, its folds and its waist."""
        if look.front and not look.worn:
            layer.fill([(-7.6, _TOP - 0.9), (7.6, _TOP - 0.9), (7.4, _TOP + 3), (-7.4, _TOP + 3)], look.inside, 1, 0.3)
        hip = max(10.2, 8 + (self.width - 8) * 0.35)
        side = smooth(
            [(7.8, _TOP), (hip, 48), ((hip + self.width) / 2 + 0.3, (48 + self.hem) / 2), (self.width, self.hem)]
        )
        layer.fill(both_sides([*side, *self._hem(look)]), look.paint(), 2.6, 0.36)
        self._folds(layer, look)
        self._style(layer, look)
        band = [
            (-7.9, _TOP - 0.6),
            *smooth([(-7.9, _TOP - 0.6), (0, _TOP + (0.2 if look.front else -0.5)), (7.9, _TOP - 0.6)]),
            (8.3, _TOP + 1.8),
            *smooth([(8.3, _TOP + 1.8), (0, _TOP + 2.6), (-8.3, _TOP + 1.8)]),
        ]
        layer.fill(band, look.paint(), 0.8, 0.2)
        layer.line(smooth([(8.3, _TOP + 1.8), (0, _TOP + 2.6), (-8.3, _TOP + 1.8)]), look.seam, 0.18)
        if not look.front:
            layer.line([(0, _TOP + 2), (0, _TOP + 13)], look.seam, 0.18)
            layer.fill(rounded(-0.3, _TOP + 0.4, 0.3, _TOP + 2, 0.15), (200, 200, 204), 0.3, 0.1)

    def _hem(self, look: Look) -> Points:
        steps = 16 if self.style == "pleated" else 10
        deep = 0.8 if self.style == "pleated" or self.width > 14 else 0.25
        return smooth(
            [
                (
                    self.width * (1 - k / steps),
                    self.hem + 0.8 + (deep if k % 2 else 0) + look.wobble(f"hem{k}", deep / 4),
                )
                for k in range(1, steps + 1)
            ],
            steps=3,
        )

    def _folds(self, layer: Layer, look: Look) -> None:
        if self.style == "pleated":
            for k in range(17):
                share = (k - 8) / 8.5
                layer.line([(share * 7.8, _TOP + 2), (share * self.width, self.hem + 0.8)], look.seam, 0.14)
                layer.shade([(share * 7.8 + 0.3, _TOP + 3), (share * self.width + 0.6, self.hem + 1)], 0.3, 0.7)
            return
        for k in range(6):
            share = (k + 0.5) / 3 - 1 + look.wobble(f"fold{k}", 0.1)
            top = 44 + abs(look.wobble(f"top{k}", 9))
            layer.shade([(share * 8.4, top), (share * self.width * 0.95, self.hem + 1)], 0.18, 0.8 + self.width * 0.03)

    def _style(self, layer: Layer, look: Look) -> None:
        if self.style == "tiered":
            for k in (1, 2):
                y = _TOP + (self.hem - _TOP) * k / 3
                wide = 8.6 + (self.width - 8.6) * k / 3 + 0.6
                layer.line([(-wide, y), (0, y + 0.7), (wide, y)], look.seam, 0.22)
                layer.shade([(-wide, y + 0.6), (0, y + 1.2), (wide, y + 0.6)], 0.4, 0.8)
                for n in range(13):
                    x = -wide + (n + 0.5) * wide * 2 / 13
                    layer.shade([(x, y + 0.4), (x * 1.06, y + 4 + look.wobble(f"t{k}{n}", 2))], 0.24, 0.5)
        if not look.front:
            return
        if self.style == "buttons":
            layer.line([(-1.2, _TOP + 2), (-1.2, self.hem + 0.8)], look.seam, 0.16)
            layer.line([(1.2, _TOP + 2), (1.2, self.hem + 0.8)], look.seam, 0.16)
            y = _TOP + 1.1
            while y < self.hem - 1:
                layer.dot((0, y), 0.62, (232, 226, 212) if is_dark(look.colour) else darker(look.colour, 0.5))
                y += 4.6
        if self.style in ("wrap", "slit"):
            path = smooth([(3.4, _TOP + 2.6), (3.0, (48 + self.hem) / 2), (4.6, self.hem + 1)])
            layer.line(path, look.seam, 0.2)
            layer.shade([(x + 0.5, y) for x, y in path], 0.4, 1.0)
