"""Everything that hangs from the shoulders: tops, knitwear, outerwear, dresses. One recipe a garment.

What sits on it (collars, buttons, pockets) is `necks.py` and `details.py`.
"""

import math
from dataclasses import dataclass
from typing import Literal

from unde_catalog.sandbox.photos.drawing import details, necks
from unde_catalog.sandbox.photos.drawing.canvas import Layer
from unde_catalog.sandbox.photos.drawing.colours import darker
from unde_catalog.sandbox.photos.drawing.curves import Point, Points, between, mirror, smooth
from unde_catalog.sandbox.photos.drawing.look import Frame, Look

Neck = Literal["crew", "v", "scoop", "square", "turtle", "collar", "polo", "lapel", "hood", "straps", "halter", "stand"]
Closure = Literal["none", "buttons", "zip", "open", "half", "wrap", "double"]


@dataclass(frozen=True, slots=True)
class Torso:
    """A recipe, in body units. Widths are half widths; `sleeve` is its length (0: none), `cuff` its half width."""

    hem: float = 50.0
    hem_width: float = 11.0
    waist_width: float = 10.0
    shoulder: float = 10.8
    sleeve: float = 0.0
    cuff: float = 3.0
    puff: float = 0.0
    neck: Neck = "crew"
    depth: float = 3.0
    closure: Closure = "none"
    pockets: Literal["none", "patch", "flap", "kangaroo", "side"] = "none"
    ribbed: bool = False
    curved_hem: bool = False
    waistline: float = 0.0
    belted: bool = False
    quilted: bool = False
    ruffles: int = 0
    flare: float = 0.0
    print_: Literal["none", "sun", "bars", "wave", "heart"] = "none"

    def frame(self, worn: bool) -> Frame:
        """What has to be on the photo."""
        arm = self._arm(worn)
        reach = max(self.hem_width + self.flare, arm[0] + 4 if self.sleeve else self.shoulder) + 1
        top = 9.0 if self.neck == "hood" else 12.5 if self.neck == "turtle" else 14.5
        return (-reach, top, reach, max(self.hem, arm[1] if self.sleeve else 0) + 2.5)

    def paint(self, layer: Layer, look: Look) -> None:
        """From back to front: the inside of the neck, sleeves, body, what sits on it."""
        if look.front and self.neck not in ("straps", "halter"):
            necks.inside_of_neck(layer, look, self)
        if self.sleeve:
            self._sleeves(layer, look)
        outline = self.outline(look)
        layer.fill(outline, look.paint(), round_=2.6, depth=0.34)
        self._folds(layer, look)
        if self.quilted:
            details.quilting(layer, look, self)
        if self.waistline:
            details.waistline(layer, look, self)
        for tier in range(self.ruffles):
            details.ruffle(layer, look, self, tier)
        if self.ribbed:
            details.ribbed_hem(layer, look, self)
        if look.front:
            details.print_on(layer, look, self.print_)
            details.pockets(layer, look, self)
            details.closure(layer, look, self)
        else:
            details.back(layer, look, self)
        necks.neck(layer, look, self)
        if self.belted:
            details.belt(layer, look, self)

    def half_width(self, y: float) -> float:
        """The body's half width at a height."""
        rows = [(19.5, self.shoulder), (27.0, max(self.shoulder - 1.0, self.waist_width)), (38.0, self.waist_width)]
        rows.append((max(self.hem, 40.0), self.hem_width + self.flare))
        for (y0, w0), (y1, w1) in zip(rows, rows[1:], strict=False):
            if y <= y1:
                return w0 + (w1 - w0) * max((y - y0) / (y1 - y0), 0)
        return rows[-1][1]

    def neck_edge(self, front: bool) -> Points:
        """The edge of the neck opening, from its right end to its left."""
        depth = 0.8 if not front or self.neck == "turtle" else self.depth
        wide = {"scoop": 5.6, "square": 5.8, "v": 4.2, "lapel": 3.6}.get(self.neck, 3.7)
        if self.neck == "square" and front:
            return [(wide, 17.2), (wide - 0.4, 17 + depth), (0.4 - wide, 17 + depth), (-wide, 17.2)]
        if self.neck in ("v", "lapel") and front:
            return [
                (wide, 16.6),
                (wide * 0.55, 16.8 + depth * 0.45),
                (0, 17 + depth),
                *mirror([(wide, 16.6), (wide * 0.55, 16.8 + depth * 0.45)]),
            ]
        return smooth(
            [
                (wide, 16.9),
                (wide * 0.72, 17 + depth * 0.75),
                (0, 17 + depth),
                (-wide * 0.72, 17 + depth * 0.75),
                (-wide, 16.9),
            ]
        )

    def outline(self, look: Look) -> Points:
        """The body's outline, closed."""
        if self.neck in ("straps", "halter"):
            top: Points = smooth([(7.4, 24.2), (5.4, 22.0), (2.6, 23.2), (0, 23.6 + self.depth * 0.2)])
            if not look.front:
                top = [(7.4, 24.6), (0, 25.4)]
            right = [(8.6, 27.5)]
        else:
            top = self.neck_edge(look.front)[: len(self.neck_edge(look.front)) // 2 + 1]
            arm = max(self.shoulder - 1.2, self.waist_width - 0.6)
            right = [(self.shoulder, 19.6), (arm - (0.9 if not self.sleeve else 0), 23.5), (arm + 0.2, 27.5)]
        hip = self.half_width(max(self.hem - 2, 39))
        sides = smooth(
            [
                right[-1],
                (self.waist_width, 38.0),
                (hip, max(self.hem - 4, 39.5)),
                (self.hem_width + self.flare, self.hem),
            ]
        )
        if self.hem < 47:
            sides = smooth([right[-1], (self.waist_width, min(self.hem - 5, 36)), (self.hem_width, self.hem)])
        if self.hem < 40:
            sides = smooth([right[-1], (self.hem_width, self.hem)])
        hem = self._hem_edge(look)
        if self.hem_width < 6:  # a swimsuit: over the hips, then the cut of the leg
            sides = smooth([right[-1], (self.waist_width, 37.0), (self.waist_width + 1.4, 45.0)])
            hem = smooth([(self.waist_width + 1.2, 46.0), (4.6, 50.0), (1.9, self.hem)])
        half = [*reversed(top), *right[:-1], *sides, *hem]
        return [*half, *mirror([point for point in half if point[0] > 0.01])]

    def _hem_edge(self, look: Look) -> Points:
        wide = self.hem_width + self.flare
        if self.curved_hem:
            return smooth([(wide, self.hem), (wide * 0.6, self.hem + 2.4), (0, self.hem + 2.0)])
        waves = max(round(wide / 5), 2)
        sag = 0.5 if self.flare or self.hem > 60 else 0.2
        return smooth(
            [
                (wide * (1 - k / (2 * waves)), self.hem + 0.7 + (sag if k % 2 else 0) + look.wobble(f"hem{k}", sag / 3))
                for k in range(1, 2 * waves + 1)
            ]
        )

    def _arm(self, worn: bool) -> Point:
        angle = math.radians(12 if worn else 17)
        return (self.shoulder - 0.8 + math.sin(angle) * self.sleeve, 20.5 + math.cos(angle) * self.sleeve)

    def _sleeves(self, layer: Layer, look: Look) -> None:
        wrist = self._arm(look.worn)
        angle = math.atan2(wrist[0] - self.shoulder + 0.8, wrist[1] - 20.5)
        across = (math.cos(angle) * self.cuff, -math.sin(angle) * self.cuff)
        outer, inner = (wrist[0] + across[0], wrist[1] + across[1]), (wrist[0] - across[0], wrist[1] - across[1])
        tip, armpit = (self.shoulder - 0.9, 19.7), (max(self.shoulder - 1.6, self.waist_width - 1), 29.5)
        out_mid, in_mid = between(tip, outer, 0.45), between(armpit, inner, 0.5)
        out_mid = (out_mid[0] + 0.9 + self.puff, out_mid[1] - 0.4)
        in_mid = (in_mid[0] - 0.3 - self.puff * 0.5, in_mid[1] + self.puff * 0.4)
        right = [
            (self.shoulder - 3.5, 19.6),
            *smooth([tip, (self.shoulder + 0.9 + self.puff * 0.7, 20.6 - self.puff * 0.5), out_mid, outer]),
            *smooth([inner, in_mid, armpit]),
            (self.shoulder - 3.5, 27.0),
        ]
        for mirrored in (False, True):
            flip = mirror if mirrored else list
            layer.fill(flip(right), look.paint(), round_=1.5, depth=0.4)
            elbow = [between(out_mid, in_mid, 0.15), between(out_mid, in_mid, 0.8)]
            if self.sleeve > 18:
                layer.shade(flip([(elbow[0][0], elbow[0][1] + 2), (elbow[1][0], elbow[1][1] + 0.5)]), 0.22, 0.7)
                layer.shade(flip([between(outer, inner, 0.3), between(elbow[0], elbow[1], 0.4)]), 0.12, 0.8)
            if self.quilted:
                for step in range(1, 6):
                    layer.line(flip([between(tip, outer, step / 6), between(armpit, inner, step / 6)]), look.seam, 0.2)
                    layer.shade(flip([between(tip, outer, step / 6), between(armpit, inner, step / 6)]), 0.3, 0.9)
            self._cuff(
                layer, look, flip([outer, inner]), flip([between(outer, out_mid, 0.1), between(inner, in_mid, 0.1)])
            )

    def _cuff(self, layer: Layer, look: Look, end: Points, above: Points) -> None:
        if self.ribbed or self.neck in ("collar", "polo"):
            layer.fill([*end, *reversed(above)], darker(look.colour, 0.1) if self.ribbed else look.paint(), 0.8, 0.2)
            layer.line(above, look.seam, 0.2)
        else:
            layer.line(above, look.seam, 0.14)

    def _folds(self, layer: Layer, look: Look) -> None:
        for flip in (list, mirror):
            edge = self.half_width(27.0)
            layer.shade(flip([(edge - 0.5, 21.5), (edge - 0.9, 25.5), (edge - 0.4, 29)]), 0.22, 0.8)
            layer.shade(flip([(edge - 1.2, 28.5), (edge - 4.5, 33)]), 0.16, 0.9)
        length = self.hem - 38
        if length > 14:
            folds = 5 if self.flare > 3 else 3
            for k in range(folds):
                share = (k + 0.5) / folds * 2 - 1 + look.wobble(f"fold{k}", 0.09)
                top = 39 + abs(look.wobble(f"top{k}", 6))
                end = (share * (self.hem_width + self.flare) * 0.95, self.hem + 1)
                layer.shade([(share * self.waist_width * 0.8, top), end], 0.17, 1.1 + self.flare * 0.06)
        else:
            for flip in (list, mirror):
                low = (self.hem_width - 1.5, self.hem - 1.5)
                layer.shade(flip([low, (low[0] - 3.5 + look.wobble("a", 1), low[1] - 7)]), 0.09, 1.2)
