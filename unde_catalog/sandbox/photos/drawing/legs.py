"""Everything that hangs from the waist: trousers, jeans, shorts, leggings, skirts. One recipe per garment."""

from dataclasses import dataclass
from typing import Literal

from unde_catalog.sandbox.photos.drawing.canvas import Frame, Layer
from unde_catalog.sandbox.photos.drawing.curves import Points, mirror, smooth
from unde_catalog.sandbox.photos.drawing.figure import FIGURE_CAMERA, FIGURE_FRAME, Part
from unde_catalog.sandbox.photos.drawing.look import Look
from unde_catalog.sandbox.photos.drawing.strokes import Painter

_TOP = 39.0
_INSIDE = "flat front fill inside 1 0.3: -7.6,38.1 7.6,38.1 7.4,42 -7.4,42"


@dataclass(frozen=True, slots=True)
class Trousers:
    """A recipe in body units: `end` is where the leg ends, `knee` and `cuff` are half the leg's width."""

    end: float = 94.0
    knee: float = 4.4
    cuff: float = 4.2
    style: Literal["tailored", "jeans", "cargo", "jogger", "leggings", "shorts"] = "tailored"

    covers: tuple[Part, ...] = ("bottom",)
    detail = 0.4
    worn_camera, worn_frame = FIGURE_CAMERA, FIGURE_FRAME

    @property
    def frame(self) -> Frame:
        """What has to be on a photo of the flat garment."""
        reach = max(9.4 + max(self.cuff, self.knee), 12)
        return (-reach, _TOP - 3, reach, self.end + 3)

    def paint(self, layer: Layer, look: Look) -> None:
        """Paints the legs, then the waist and what is sewn on."""
        painter = look.painter(layer)
        painter.draw(_INSIDE)
        knee, spread = (4.9, 0.0) if look.worn else (6.5, 1.6)
        middle = knee + spread
        outer, inner = middle + self.cuff, middle - self.cuff
        if self.end < 70:  # shorts have no knee
            leg = (
                f"(7.9,39 10.2,47.5 {outer},{self.end}) {middle},{self.end + 0.9} ({inner},{self.end} 0.6,54.6 -0.1,53)"
            )
        else:
            leg = (
                f"(7.9,39 10.2,47.5 10.4,54 {knee + self.knee},72 {outer},{self.end})"
                f" ({outer},{self.end} {middle},{self.end + 0.9} {inner},{self.end})"
                f" ({inner},{self.end} {knee - self.knee},72 0.4,55 -0.1,53)"
            )
        painter.draw(f"both fill fabric 2 0.36: -0.1,39.5 {leg}")
        self._paint_leg(painter, look, knee, middle)
        painter.draw("""
            shade 0.3 0.6: 0.1,47 0,54
            both shade 0.24 0.8: 0.5,53 5.5,50.5
            both shade 0.18 0.7: 1.2,55.5 5,55
        """)
        self._paint_waist(painter)

    def _paint_leg(self, painter: Painter, look: Look, knee: float, middle: float) -> None:
        end, outer, inner = self.end, middle + self.cuff, middle - self.cuff
        match self.style:
            case "tailored":
                painter.draw(f"""
                    both line seam 0.14: (4.6,42 {knee + 0.4},66 {middle},{end})
                    both shade 0.2 0.9: (5.2,42 {knee + 1},66 {middle + 0.6},{end})
                """)
            case "jeans":
                painter.draw(f"both line thread 0.16: {inner},{end - 1.2} {outer},{end - 1.2}")
                if end > 70:
                    side = f"(9.4,44 9.9,54 {knee + self.knee - 0.5},72 {outer - 0.5},{end - 1})"
                    painter.draw(f"both stitches thread 0.16: {side}")
            case "cargo":
                painter.draw("""
                    both patch fabric 0.8 0.24: box 7.2 62 11.4 70.5 0.6
                    both line seam 0.2: 7.2,64.6 11.4,64.6
                """)
            case "jogger":
                low = f"{middle + self.cuff * 0.8},{end + 0.9} {middle - self.cuff * 0.8},{end + 0.9}"
                painter.draw(f"both fill colour-12 0.8 0.3: {inner},{end - 3.2} {outer},{end - 3.2} {low}")
            case _:
                pass
        if self.style != "tailored" and end > 80:
            left = knee - self.knee + 0.6
            creases = "; ".join(f"{left},{y + look.wobble(f'{y}', 1)} {knee + 1},{y + 0.8}" for y in (70, 72.2, 74.4))
            painter.draw(f"""
                both shade 0.2 0.6: {creases}
                both shade 0.22 0.6: {inner},{end - 3} {outer},{end - 3.9} *2@0,-2.2
            """)

    def _paint_waist(self, painter: Painter) -> None:
        soft = self.style in ("jogger", "leggings")
        thread = "thread" if self.style == "jeans" else "seam"
        painter.draw(f"""
            fill {"colour-10" if soft else "fabric"} 0.8 0.2: (-8,38.4 0,39 8,38.4) (8.5,41.2 0,42.1 -8.5,41.2)
            line seam 0.16: (8.5,41.2 0,42.1 -8.5,41.2)
            back line seam 0.16: 0,42 0,54
        """)
        if self.style in ("jeans", "cargo", "shorts"):
            painter.draw(f"back both edge {thread} 0.18: 2,46 7.4,45.4 7.4,51.4 4.8,53 2.2,51.6")
        else:
            painter.draw("back both line seam 0.24: 2.6,46.5 7,46")
        if self.style == "jogger":
            painter.draw("front both line cream 0.34: (0.9,41.4 1.44,45 1.17,48)")
        if not soft:
            painter.draw(f"""
                both fill colour-8 0.4 0.2: 5.2,38.3 6,38.3 6,42 5.2,42
                front line {thread} 0.16: (1.5,42 1.5,48.5 0.2,51.5)
                front line seam 0.14: 0,42 0,53.4
                front dot {"gold-8" if self.style == "jeans" else "colour-45"} 0.6: 0.2,40.4
                front both line {thread} 0.18: (4.6,41.8 6,45.5 9.6,47.5)
            """)


@dataclass(frozen=True, slots=True)
class Skirt:
    """A recipe in body units: `hem` is where it ends, `width` half its width there."""

    hem: float = 75.0
    width: float = 13.0
    style: Literal["plain", "pleated", "buttons", "wrap", "tiered", "slit"] = "plain"

    covers: tuple[Part, ...] = ("bottom",)
    detail = 0.4
    worn_camera, worn_frame = FIGURE_CAMERA, FIGURE_FRAME

    @property
    def frame(self) -> Frame:
        """What has to be on a photo of the flat garment."""
        return (-self.width - 1.5, _TOP - 3, self.width + 1.5, self.hem + 3)

    def paint(self, layer: Layer, look: Look) -> None:
        """Paints the skirt, its folds and its waist."""
        painter = look.painter(layer)
        painter.draw(_INSIDE)
        hip, middle = max(10.2, 8 + (self.width - 8) * 0.35), (48 + self.hem) / 2
        side = smooth([(7.8, _TOP), (hip, 48), ((hip + self.width) / 2 + 0.3, middle), (self.width, self.hem)])
        half = [*side, *self._hem(look)]
        layer.fill([*half, *mirror(half)], look.fabric(), 2.6, 0.36)
        self._paint_folds(painter, look)
        if self.style == "buttons":
            count = int((self.hem - 41.1) / 4.6) + 1
            painter.draw(f"""
                front both line seam 0.16: 1.2,41 1.2,{self.hem + 0.8}
                front dot button 0.62: 0,40.1 *{count}@0,4.6
            """)
        if self.style in ("wrap", "slit"):
            painter.draw(f"""
                front line seam 0.2: (3.4,41.6 3,{middle} 4.6,{self.hem + 1})
                front shade 0.4 1: (3.9,41.6 3.5,{middle} 5.1,{self.hem + 1})
            """)
        painter.draw("""
            fill fabric 0.8 0.2: (-7.9,38.4 0,39 7.9,38.4) (8.3,40.8 0,41.6 -8.3,40.8)
            line seam 0.18: (8.3,40.8 0,41.6 -8.3,40.8)
            back line seam 0.18: 0,41 0,52
            back fill steel 0.3 0.1: box -0.3 39.4 0.3 41 0.15
        """)

    def _hem(self, look: Look) -> Points:
        steps, deep = (16, 0.8) if self.style == "pleated" else (10, 0.8 if self.width > 14 else 0.25)
        lows = [self.hem + 0.8 + (deep if k % 2 else 0) + look.wobble(f"hem{k}", deep / 4) for k in range(steps + 1)]
        return smooth([(self.width * (1 - k / steps), lows[k]) for k in range(1, steps + 1)], steps=3)

    def _paint_folds(self, painter: Painter, look: Look) -> None:
        hem, width = self.hem, self.width
        if self.style == "pleated":
            shares = [(k - 8) / 8.5 for k in range(17)]
            pleats = "; ".join(f"{s * 7.8},41 {s * width},{hem + 0.8}" for s in shares)
            shadows = "; ".join(f"{s * 7.8 + 0.3},42 {s * width + 0.6},{hem + 1}" for s in shares)
            painter.draw(f"line seam 0.14: {pleats}\nshade 0.3 0.7: {shadows}")
            return
        for k in range(6):
            share = (k + 0.5) / 3 - 1 + look.wobble(f"fold{k}", 0.1)
            top = (share * 8.4, 44 + abs(look.wobble(f"top{k}", 9)))
            painter.layer.shade([top, (share * width * 0.95, hem + 1)], 0.18, 0.8 + width * 0.03)
        for k in (1, 2) if self.style == "tiered" else ():
            y = _TOP + (hem - _TOP) * k / 3
            wide = 8.6 + (width - 8.6) * k / 3 + 0.6
            starts = [-wide + (n + 0.5) * wide * 2 / 13 for n in range(13)]
            gathers = "; ".join(f"{x},{y + 0.4} {x * 1.06},{y + 4 + look.wobble(f'{k}{x}', 2)}" for x in starts)
            painter.draw(f"""
                line seam 0.22: {-wide},{y} 0,{y + 0.7} {wide},{y}
                shade 0.4 0.8: {-wide},{y + 0.6} 0,{y + 1.2} {wide},{y + 0.6}
                shade 0.24 0.5: {gathers}
            """)
