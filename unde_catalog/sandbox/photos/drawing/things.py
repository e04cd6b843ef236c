"""Shoes, bags, hats, household items and small electronics, each around (0, 50) as its own middle.

Garments belong in `torso.py` and `legs.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from unde_catalog.sandbox.photos.drawing.canvas import SOFT, Camera, Frame, Layer
from unde_catalog.sandbox.photos.drawing.curves import Points, moved
from unde_catalog.sandbox.photos.drawing.figure import FIGURE_FRAME, Part
from unde_catalog.sandbox.photos.drawing.look import Look


@dataclass(frozen=True, slots=True)
class Thing:
    """A drawing. On a figure it is at `worn_at` (x, y, scale), or as `worn_rows` show it; shoes are drawn as a pair."""

    rows: str
    frame: Frame = (-16, 26, 16, 74)
    worn_camera: Camera = Camera(0, 16, 36, share=SOFT)
    worn_frame: Frame = FIGURE_FRAME
    worn_at: tuple[float, float, float] = (0, -21.6, 0.47)
    worn_rows: str = ""
    covers: tuple[Part, ...] = ()
    detail: float = 0.4

    def paint(self, layer: Layer, look: Look) -> None:
        """Paints the thing, or both shoes."""
        if not look.worn and not self.worn_rows:
            look.painter(layer).draw(self.rows)
        elif not look.worn:
            for dx, dy in ((4.0, -4.0), (-1.5, 3.0)):
                look.painter(layer, _side_by_side(dx, dy, 1 if look.front else -1)).draw(self.rows)
        elif self.worn_rows:
            look.painter(layer).draw(self.worn_rows)
        else:
            dx, dy, scale = self.worn_at
            look.painter(layer, lambda points: moved(points, dx, dy, scale), scale).draw(self.rows)


def _side_by_side(dx: float, dy: float, facing: int) -> Callable[[Points], Points]:
    return lambda points: [(x * facing + dx, y + dy) for x, y in points]


def _shoes(rows: str, top: float, frame: Frame = (-16, 36, 19, 62), worn_details: str = "") -> Thing:
    worn = f"""
        both fill fabric 1 0.36: 2.4,{top} 5.9,{top} (6.2,96 7.3,100.5 6.9,103 4.8,104 2.6,103) (2,100.5 2.4,96)
        {worn_details}"""
    return Thing(rows, frame, Camera(0, 84, 34, share=SOFT), worn_rows=worn, covers=("shoes",))


def _bag(rows: str) -> Thing:
    frame, worn_frame = (-14, 28, 14, 67), (-22, -4, 32, 106)
    return Thing(rows, frame, Camera(7, 50, 26, share=SOFT), worn_frame, (16.5, 37.5, 0.62))


def _hat(rows: str) -> Thing:
    return Thing(rows, (-14, 34, 14, 61))


THINGS: dict[str, Thing] = {
    "tote": _bag("""
        strap colour-24 0.9: (-5.1,46 -4.5,34 0.9,30.5 6.3,34 6.9,46)
        strap colour 0.9: (-6,46 -5.4,34 0,30.5 5.4,34 6,46)
        fill fabric 3 0.42: | 10.6,44 (10.6,44 10.4,55 9.2,64) 8.6,65
        line seam 0.18: -9,46.5 9,46.5
        back edge seam 0.2: box -5 50 5 58 0.6
        front fill colour-20 0.4 0.2: box -7 45 -5 48.6 0.3; box 5 45 7 48.6 0.3
        front dot gold 0.34: -6,47.6 6,47.6
        front line gold 0.5: -2,52.5 2,52.5
    """),
    "shoulder bag": _bag("""
        strap colour-24 1.1: (-9,47 -7.5,36 0,30 7.5,36 9,47)
        fill fabric 3 0.42: (-10,46 0,45 10,46 12,54 10,62 0,63.5 -10,62 -12,54)z
        line seam 0.18: -9,47.4 0,46.6 9,47.4
        back edge seam 0.2: box -5 50 5 58 0.6
        front patch fabric 2 0.3: (-10.2,46 0,45.2 10.2,46 10.8,52 0,57.5 -10.8,52)z
        front fill gold 0.6 0.3: box -1.5 54.6 1.5 57.8 0.6
    """),
    "bucket bag": _bag("""
        strap colour-24 0.8: (-7,45 -6,33 0,29.5 6,33 7,45)
        fill fabric 3 0.42: | 7.2,43 (7.2,43 9.2,52 9.4,62) (9.4,62 6,65 0,65.6)
        line seam 0.18: -9,46.5 9,46.5
        back edge seam 0.2: box -5 50 5 58 0.6
        front line colour-50 0.6: (-7,45.2 0,46 7,45.2)
        front both line colour-50 0.5: (1.2,46 2.64,50 2.16,54)
    """),
    "backpack": _bag("""
        strap colour-24 0.9: (-2,40 -2,34 0,32.6 2,34 2,40)
        back both strap colour-24 1.8: (5,40 10.5,52 8,64)
        fill fabric 3 0.42: box -10 38.5 10 66 6
        line seam 0.18: -9,46.5 9,46.5
        back edge seam 0.2: box -5 50 5 58 0.6
        front patch fabric 1.6 0.3: box -7 52 7 64 2.4
        front line steel 0.4: (-8.6,50 -7,43 0,41 7,43 8.6,50)
    """),
    "sneakers": _shoes(
        """
        fill fabric 1.8 0.36: (-11.5,50 -11,44 -8,42.6 -3.5,43.4 1,47 7,49.2 11,51 12,54 -11.6,54)z
        fill white 0.8 0.28: box -12 53 12.6 56.4 1.5
        line stone 0.2: -12,54.8 12.4,54.8
        line white 0.5: -3,44.6 -1.2,46.8 *5@1.65,0.7
        fill accent 0.8 0.2: (-6,52.5 -1,47.6 2.5,49 -1.5,52.8)z
        """,
        94.4,
        worn_details="""
        both fill white 0.5 0.2: box 2 102.2 7.2 104.2 0.8
        both line white 0.36: 3.4,97 5.6,97 *3@0,1.4""",
    ),
    "boots": _shoes(
        """
        fill fabric 2.2 0.4: (-2.2,32.6 -2.4,42 -0.5,46.6 7,49.4 11,52 11.6,54.4) (-11,54.4 -11.2,46 -10.5,33)
        fill colour-30 0.8 0.3: -11.4,54 12,54 12,55.6 -4.6,55.6 -4.8,58.4 -11.4,58.4
        fill colour-30 0.5 0.2: -7.4,34.5 -5.2,34.5 -5,42 -7.6,42
        """,
        84.0,
        (-16, 30, 19, 62),
    ),
    "heels": _shoes(
        """
        fill fabric 1.4 0.4: (-10,47 -9.4,44.4 -6.4,46.4 0,50.4 6,53 11.4,56 9,57.6 2,56.6 -5,52.6 -9.6,50)z
        fill colour-30 0.5 0.3: -10.2,48 -8,50.8 -8.9,58.6 -9.9,58.6
        strap colour 0.6: (-8.6,45.6 -5.6,42.4 -2.4,45 -3.2,48)
        """,
        97.0,
    ),
    "sandals": _shoes(
        """
        fill cork 0.8 0.3: (-11,54 -4,53.6 4,54.4 11,54.4 12,56.4 -11.4,56.6)z
        fill fabric 1.2 0.36: (-1.4,54.4 0.4,49.4 4.6,48.2 8.4,50.4 10.2,54.8 4,55.2)z
        strap colour 0.9: (-9.6,54.2 -8.4,48.4 -4.6,47.6 -1.4,52)
        """,
        97.6,
    ),
    "loafers": _shoes(
        """
        fill fabric 1.8 0.4: (-11,53 -10.6,47.4 -8,46.4 -3.4,48.4 1.6,47.8 7,49.6 11.4,52 12,54.4 -11,54.6)z
        fill colour-30 0.6 0.3: -11.4,54 12.4,54 12.2,55.6 -4.8,55.6 -5,57.4 -11.4,57.4
        fill colour-14 0.8 0.3: (-3.6,48.6 -0.4,47.4 2.4,48 3,51.6 -1.6,53)z
        line gold 0.6: -0.6,50 2.2,49.6
        """,
        96.4,
    ),
    "bucket hat": _hat("""
        fill fabric 2 0.34: | (0,41 5.4,41.4 7.4,44 8.4,51)
        fill fabric 1.6 0.34: (-8.6,50.4 0,51.6 8.6,50.4 12.6,57 0,59 -12.6,57)z
        line seam 0.3: (-8.6,50.4 0,51.8 8.6,50.4)
        line seam 0.14: (-10,52.7 0,54.2 10,52.7); (-11.2,54.7 0,56.4 11.2,54.7)
    """),
    "cap": _hat("""
        fill fabric 2 0.36: | (0,41 5.6,42.2 8.4,47 8.8,53)
        both line seam 0.2: (0.46,41.2 3.91,45 4.6,53)
        line seam 0.2: 0,41.2 0,53
        dot accent 0.6: 0,41.2
        front fill blend 1.4 0.34: (-8.8,52.6 0,51.4 8.8,52.6 9.4,56 0,58.4 -9.4,56)z
        front fill accent 0.4 0.1: box -2 45.4 2 49 0.6
        back fill cream-5 0.6 0.3: oval 0 53 3.2 2.2
    """),
    "beanie": _hat("""
        fill fabric 2.2 0.36: | (0,39.4 5.6,41 8.6,46.6 9,54)
        fill fabric 1.4 0.34: box -9.8 51.6 9.8 58 1.2
        shade 0.4 0.6: -9,51.4 9,51.4
        fill accent+10 1.2 0.35: oval 0 38.6 2.8 2.7
    """),
    "scarf": Thing(
        """
        fill fabric 1.6 0.36: 0.8,42 6.6,41 8,68 1.6,69; -6,41 -0.5,43 0.4,62 -6.6,61
        strap colour 0.3: 1.6,67.6 1.6,70.2 *9@0.8,0; -6.6,61.6 -6.6,64.2 *9@0.875,0
        fill fabric 2 0.42: (-8,34 0,30.5 8,34 9,40 0,45.5 -9,40)z
        fill inside 1 0.4: (-4.6,35.6 0,33.6 4.6,35.6 0,37.6)z
        """,
        (-12, 26, 12, 72),
        worn_at=(0, -0.5, 0.47),
    ),
}
HOUSEHOLD: dict[str, Thing] = {
    "phone": Thing("""
        fill fabric 1.2 0.36: box -9.4 30 9.4 70 2.6
        front fill glass 1 0.2: box -8.5 31 8.5 69 2
        front fill accent 0.3 0.1: box -6.4 36 -3 39.4 0.8; box 3 48.8 6.4 52.2 0.8 *2@-4.7,6.4
        front fill accent+12 0.3 0.1: box -1.7 36 1.7 39.4 0.8 *2@-4.7,6.4; box 3 55.2 6.4 58.6 0.8
        front fill accent+24 0.3 0.1: box 3 36 6.4 39.4 0.8 *3@-4.7,6.4
        front fill accent+36 0.3 0.1: box 3 42.4 6.4 45.8 0.8 *3@-4.7,6.4
        front dot glass-50 0.5: 0,32.6
        back fill colour-25 0.6 0.3: box -8 31.6 -1.4 40.4 1.8
        back fill glass 0.4 0.3: oval -4.7 34 1.5 1.5; oval -4.7 38 1.5 1.5
    """),
    "headphones": Thing("""
        strap colour 2.2: (-10.5,54 -11,40 0,30 11,40 10.5,54)
        both fill fabric 2 0.4: oval 10.6 56 4.4 7
        both fill accent-20 1 0.3: oval 8.7 56 2.2 5.4
    """),
    "speaker": Thing("""
        fill fabric 2.4 0.4: box -10 31 10 69 4
        front fill colour-45 1.2 0.4: oval 0 42 5 5; oval 0 57.5 7.4 7.4
        front fill accent 1 0.4: oval 0 42 2.25 2.25; oval 0 57.5 3.33 3.33
    """),
    "lamp": Thing("""
        strap accent-30 1.4: 0,44 0,68
        fill accent-20 1 0.4: oval 0 69 7.5 2.2
        fill light 0.6 0.1: oval 0 48 5.5 2.4
        fill fabric 2.4 0.34: | 5.4,30 10.8,48
    """),
    "mug": Thing("""
        strap colour 2: (8,44 15,45 15,57 7.4,58)
        fill fabric 2 0.38: | 9,38 (9,38 9,56 7.4,64) 5,65
        fill inside 0.8 0.3: oval 0 38.4 9 2.1
        front fill accent 0.4 0.1: oval -1 52 3.2 3.2
    """),
    "cushion": Thing("""
        fill fabric 4 0.4: (-13,37 0,39.5 13,37 11,50 13,63 0,60.5 -13,63 -11,50)z
        shade 0.25 1.4: (-8,44 -2,49 -6,57)
        back line seam 0.3: -9,58 9,58
    """),
}
