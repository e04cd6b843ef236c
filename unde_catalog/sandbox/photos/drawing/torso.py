"""Everything that hangs from the shoulders: tops, knitwear, outerwear, dresses. One recipe per garment.

Necks belong in `necks.py`, closures, pockets and prints in `details.py`, the recipes in `recipes.py`.
"""

import math
from dataclasses import dataclass
from typing import Literal

from unde_catalog.sandbox.photos.drawing import details, necks
from unde_catalog.sandbox.photos.drawing.canvas import SOFT, Camera, Frame, Layer
from unde_catalog.sandbox.photos.drawing.curves import Point, Points, between, mirror, path, smooth
from unde_catalog.sandbox.photos.drawing.figure import FIGURE_CAMERA, FIGURE_FRAME, Part
from unde_catalog.sandbox.photos.drawing.look import Look

Neck = Literal["crew", "v", "scoop", "square", "turtle", "collar", "polo", "lapel", "hood", "straps", "halter", "stand"]
Closure = Literal["none", "buttons", "zip", "half", "wrap", "double"]


@dataclass(frozen=True, slots=True)
class Torso:
    """A recipe in body units. Widths are half widths; `sleeve` is a length (0: none), `cuff` its half width."""

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

    detail = 0.32
    worn_frame = FIGURE_FRAME

    @property
    def frame(self) -> Frame:
        """What has to be on a photo of the flat garment."""
        hand = self._hand(worn=False)
        reach = max(self.width, hand[0] + 4 if self.sleeve else self.shoulder) + 1
        top = 9.0 if self.neck == "hood" else 12.5 if self.neck == "turtle" else 14.5
        return (-reach, top, reach, max(self.hem, hand[1] if self.sleeve else 0) + 2.5)

    @property
    def worn_camera(self) -> Camera:
        """The camera of a photo on a figure."""
        return Camera(0, 30, 24, share=SOFT) if self.hem < 60 else FIGURE_CAMERA

    @property
    def covers(self) -> tuple[Part, ...]:
        """The parts of the figure that need no other clothes."""
        return ("top", "bottom") if self.hem >= 60 or self.hem_width < 6 else ("top",)

    @property
    def width(self) -> float:
        """Half the width at the hem."""
        return self.hem_width + self.flare

    def paint(self, layer: Layer, look: Look) -> None:
        """Paints from back to front: inside of the neck, sleeves, body, details."""
        painter = look.painter(layer)
        if look.front and self.neck not in ("straps", "halter"):
            necks.paint_inside(painter, self)
        if self.sleeve:
            self._paint_sleeves(layer, look)
        layer.fill(self._outline(look), look.fabric(), 2.6, 0.34)
        self._paint_folds(layer, look)
        details.paint_body(painter, look, self)
        if look.front:
            details.paint_front(painter, self)
        else:
            details.paint_back(painter, self)
        necks.paint(painter, look, self)
        if self.belted:
            details.paint_belt(painter, self)

    def half_width(self, y: float) -> float:
        """Returns the body's half width at a height."""
        rows = [(19.5, self.shoulder), (27.0, max(self.shoulder - 1.0, self.waist_width)), (38.0, self.waist_width)]
        rows.append((max(self.hem, 40.0), self.width))
        for (y0, w0), (y1, w1) in zip(rows, rows[1:], strict=False):
            if y <= y1:
                return w0 + (w1 - w0) * max((y - y0) / (y1 - y0), 0)
        return self.width

    def neck_edge(self, front: bool) -> Points:
        """Returns the edge of the neck opening, from its right end to its left."""
        depth = 0.8 if not front or self.neck == "turtle" else self.depth
        wide = {"scoop": 5.6, "square": 5.8, "v": 4.2, "lapel": 3.6}.get(self.neck, 3.7)
        if self.neck == "square" and front:
            right: Points = [(wide, 17.2), (wide - 0.4, 17 + depth)]
            return [*right, *mirror(right)]
        if self.neck in ("v", "lapel") and front:
            right = [(wide, 16.6), (wide * 0.55, 16.8 + depth * 0.45)]
            return [*right, (0, 17 + depth), *mirror(right)]
        right = [(wide, 16.9), (wide * 0.72, 17 + depth * 0.75)]
        return smooth([*right, (0, 17 + depth), *mirror(right)])

    def _outline(self, look: Look) -> Points:
        if self.neck in ("straps", "halter"):
            top = path(f"(7.4,24.2 5.4,22 2.6,23.2 0,{23.6 + self.depth * 0.2})" if look.front else "7.4,24.6 0,25.4")
            right: Points = [(8.6, 27.5)]
        else:
            edge = self.neck_edge(look.front)
            top = edge[: len(edge) // 2 + 1]
            arm = max(self.shoulder - 1.2, self.waist_width - 0.6)
            right = [(self.shoulder, 19.6), (arm - (0 if self.sleeve else 0.9), 23.5), (arm + 0.2, 27.5)]
        half = [*reversed(top), *right[:-1], *self._side(right[-1]), *self._hem_edge(look)]
        return [*half, *mirror(point for point in half if point[0] > 0.01)]

    def _side(self, top: Point) -> Points:
        """Returns the side seam, from below the arm to the hem."""
        if self.hem_width < 6:  # a swimsuit
            return smooth([top, (self.waist_width, 37.0), (self.waist_width + 1.4, 45.0)])
        if self.hem < 40:
            return smooth([top, (self.hem_width, self.hem)])
        if self.hem < 47:
            return smooth([top, (self.waist_width, min(self.hem - 5, 36)), (self.hem_width, self.hem)])
        hip = self.half_width(max(self.hem - 2, 39))
        return smooth([top, (self.waist_width, 38.0), (hip, max(self.hem - 4, 39.5)), (self.width, self.hem)])

    def _hem_edge(self, look: Look) -> Points:
        wide = self.width
        if self.hem_width < 6:  # the cut of the leg
            return smooth([(self.waist_width + 1.2, 46.0), (4.6, 50.0), (1.9, self.hem)])
        if self.curved_hem:
            return smooth([(wide, self.hem), (wide * 0.6, self.hem + 2.4), (0, self.hem + 2.0)])
        waves = max(round(wide / 5), 2)
        sag = 0.5 if self.flare or self.hem > 60 else 0.2
        lows = [self.hem + 0.7 + (sag if k % 2 else 0) + look.wobble(f"hem{k}", sag / 3) for k in range(2 * waves + 1)]
        return smooth([(wide * (1 - k / (2 * waves)), lows[k]) for k in range(1, 2 * waves + 1)])

    def _hand(self, worn: bool) -> Point:
        angle = math.radians(12 if worn else 17)
        return (self.shoulder - 0.8 + math.sin(angle) * self.sleeve, 20.5 + math.cos(angle) * self.sleeve)

    def _paint_sleeves(self, layer: Layer, look: Look) -> None:
        hand = self._hand(look.worn)
        angle = math.atan2(hand[0] - self.shoulder + 0.8, hand[1] - 20.5)
        across = (math.cos(angle) * self.cuff, -math.sin(angle) * self.cuff)
        outer, inner = (hand[0] + across[0], hand[1] + across[1]), (hand[0] - across[0], hand[1] - across[1])
        tip, armpit = (self.shoulder - 0.9, 19.7), (max(self.shoulder - 1.6, self.waist_width - 1), 29.5)
        out_mid, in_mid = between(tip, outer, 0.45), between(armpit, inner, 0.5)
        out_mid = (out_mid[0] + 0.9 + self.puff, out_mid[1] - 0.4)
        in_mid = (in_mid[0] - 0.3 - self.puff * 0.5, in_mid[1] + self.puff * 0.4)
        round_ = (self.shoulder + 0.9 + self.puff * 0.7, 20.6 - self.puff * 0.5)
        outline = [
            (self.shoulder - 3.5, 19.6),
            *smooth([tip, round_, out_mid, outer]),
            *smooth([inner, in_mid, armpit]),
        ]
        elbow_out, elbow_in = between(out_mid, in_mid, 0.15), between(out_mid, in_mid, 0.8)
        for flip in (list, mirror):
            layer.fill(flip([*outline, (self.shoulder - 3.5, 27.0)]), look.fabric(), 1.5, 0.4)
            if self.sleeve > 18:
                layer.shade(flip([(elbow_out[0], elbow_out[1] + 2), (elbow_in[0], elbow_in[1] + 0.5)]), 0.22, 0.7)
                layer.shade(flip([between(outer, inner, 0.3), between(elbow_out, elbow_in, 0.4)]), 0.12, 0.8)
            for step in range(1, 6) if self.quilted else ():
                seam = flip([between(tip, outer, step / 6), between(armpit, inner, step / 6)])
                layer.line(seam, look.seam, 0.2)
                layer.shade(seam, 0.3, 0.9)
            above = flip([between(outer, out_mid, 0.1), between(inner, in_mid, 0.1)])
            if self.ribbed or self.neck in ("collar", "polo"):
                paint = look.rib if self.ribbed else look.fabric()
                layer.fill([*flip([outer, inner]), *reversed(above)], paint, 0.8, 0.2)
            layer.line(above, look.seam, 0.17)

    def _paint_folds(self, layer: Layer, look: Look) -> None:
        edge = self.half_width(27.0)
        for flip in (list, mirror):
            layer.shade(flip([(edge - 0.5, 21.5), (edge - 0.9, 25.5), (edge - 0.4, 29)]), 0.22, 0.8)
            layer.shade(flip([(edge - 1.2, 28.5), (edge - 4.5, 33)]), 0.16, 0.9)
            if self.hem <= 52:
                low = (self.hem_width - 1.5, self.hem - 1.5)
                layer.shade(flip([low, (low[0] - 3.5 + look.wobble("a", 1), low[1] - 7)]), 0.09, 1.2)
        folds = 0 if self.hem <= 52 else 5 if self.flare > 3 else 3
        for k in range(folds):
            share = (k + 0.5) / folds * 2 - 1 + look.wobble(f"fold{k}", 0.09)
            top = (share * self.waist_width * 0.8, 39 + abs(look.wobble(f"top{k}", 6)))
            layer.shade([top, (share * self.width * 0.95, self.hem + 1)], 0.17, 1.1 + self.flare * 0.06)
