"""The recipe of every cut in the sample catalogue. Painting belongs in `torso.py`, `legs.py` and `things.py`."""

from typing import Protocol

from unde_catalog.sandbox.photos.drawing.canvas import Camera, Frame, Layer
from unde_catalog.sandbox.photos.drawing.figure import Part
from unde_catalog.sandbox.photos.drawing.legs import Skirt, Trousers
from unde_catalog.sandbox.photos.drawing.look import Look
from unde_catalog.sandbox.photos.drawing.things import THINGS
from unde_catalog.sandbox.photos.drawing.torso import Torso


class Recipe(Protocol):
    """What can be painted."""

    @property
    def frame(self) -> Frame:
        """What has to be on a photo of the flat garment."""
        ...

    @property
    def worn_camera(self) -> Camera:
        """The camera of a photo on a figure."""
        ...

    @property
    def worn_frame(self) -> Frame:
        """What may be painted on a photo on a figure."""
        ...

    @property
    def covers(self) -> tuple[Part, ...]:
        """The parts of the figure that need no other clothes."""
        ...

    @property
    def detail(self) -> float:
        """The height of the detail view, as a share of the frame."""
        ...

    def paint(self, layer: Layer, look: Look) -> None:
        """Paints it."""
        ...


RECIPES: dict[str, Recipe] = {
    # hem, half widths at hem, waist and shoulder, sleeve, half cuff, puff, neck, depth
    "tshirt": Torso(49, 11.2, 10.6, 10.8, 11, 4.2),
    "sun tshirt": Torso(50, 11.6, 11, 10.8, 12, 4.6, print_="sun"),
    "bars tshirt": Torso(50, 12, 11.4, 10.8, 13, 4.8, print_="bars"),
    "wave tshirt": Torso(50, 11.6, 11, 10.8, 12, 4.6, print_="wave"),
    "heart tshirt": Torso(44, 9.6, 9.2, 10.8, 8, 4.0, print_="heart"),
    "crop top": Torso(37, 8.6, 8.4, 10.8, 7, 3.8, 0, "square", 6),
    "tank": Torso(48, 9.6, 8.6, 8.4, 0, 3, 0, "scoop", 6),
    "cami": Torso(46, 10.6, 9.2, 10.8, 0, 3, 0, "straps"),
    "halter": Torso(44, 9.4, 8.4, 10.8, 0, 3, 0, "halter"),
    "polo": Torso(50, 11.2, 10.6, 10.8, 11, 4.2, 0, "polo", closure="half"),
    "shirt": Torso(52, 11.6, 11, 10.8, 32, 2.8, 0, "collar", 2.4, closure="buttons", curved_hem=True, pockets="patch"),
    "camp shirt": Torso(50, 12.4, 12, 10.8, 13, 5.2, 0, "collar", 3, closure="buttons", pockets="patch"),
    "blouse": Torso(48, 11, 9.8, 10.8, 30, 2.4, 2.2, "v", 7, closure="buttons"),
    "wrap top": Torso(44, 9.6, 8.6, 10.8, 22, 3.4, 0, "v", 9, closure="wrap"),
    "sweater": Torso(48, 11.4, 11.4, 11.4, 31, 2.9, 0.9, ribbed=True),
    "v sweater": Torso(48, 11, 11, 11.2, 31, 2.8, 0.6, "v", 8, ribbed=True),
    "turtleneck": Torso(48, 10.6, 10.2, 10.8, 31, 2.6, 0.4, "turtle", ribbed=True),
    "cardigan": Torso(47, 11, 10.8, 11.2, 31, 2.9, 0.8, "v", 9, closure="buttons", ribbed=True, pockets="flap"),
    "hoodie": Torso(49, 12, 12, 11.8, 31, 3, 1, "hood", 4, pockets="kangaroo", ribbed=True),
    "zip hoodie": Torso(48, 11.6, 11.6, 11.6, 31, 3, 1, "hood", 4, closure="zip", ribbed=True),
    "sweatshirt": Torso(48, 11.8, 11.8, 11.8, 31, 3, 0.9, ribbed=True, print_="bars"),
    "blazer": Torso(55, 11.6, 10, 11.6, 31, 3, 0, "lapel", 17, closure="buttons", pockets="flap"),
    "double blazer": Torso(56, 12, 10.8, 12, 31, 3.1, 0, "lapel", 14, closure="double", pockets="flap"),
    "waistcoat": Torso(49, 9.8, 8.8, 8.8, 0, 3, 0, "v", 13, closure="buttons", pockets="flap"),
    "coat": Torso(80, 13.4, 11.4, 11.8, 32, 3.3, 0, "lapel", 14, closure="double", pockets="flap"),
    "trench": Torso(78, 14, 10.4, 11.6, 32, 3.3, 0, "lapel", 11, closure="double", pockets="side", belted=True),
    "puffer": Torso(48, 12.4, 13, 12, 31, 3.3, 2, "stand", 1, closure="zip", quilted=True),
    "biker": Torso(45, 10.4, 10, 11.2, 31, 2.7, 0, "lapel", 9, closure="zip", pockets="side"),
    "bomber": Torso(46, 11.4, 12, 11.6, 31, 2.9, 1.4, "stand", 1, closure="zip", ribbed=True),
    "overshirt": Torso(51, 12, 11.8, 11.6, 32, 3, 0, "collar", 2.4, closure="buttons", pockets="flap"),
    "slip dress": Torso(80, 12, 8.8, 10.8, 0, 3, 0, "straps", flare=2),
    "mini dress": Torso(62, 11, 8.2, 10.8, 9, 4, 1.8, "square", 6, waistline=38, flare=3.5),
    "shirt dress": Torso(76, 12.5, 9.4, 10.8, 28, 3, 0, "collar", 3, closure="buttons", belted=True, flare=2),
    "wrap dress": Torso(78, 12.5, 8.6, 10.8, 24, 3.6, 0.8, "v", 10, closure="wrap", belted=True, flare=3.5),
    "tiered dress": Torso(84, 13, 9.2, 10.8, 10, 4, 2.4, "crew", ruffles=3, flare=6),
    "knit dress": Torso(76, 9.8, 8.2, 10.8, 31, 2.5, 0, "turtle"),
    "sun dress": Torso(72, 13, 8.2, 8, 0, 3, 0, "scoop", 6, waistline=38, flare=5),
    "maxi dress": Torso(92, 13.5, 8.6, 10.8, 0, 3, 0, "halter", waistline=38, flare=5),
    "robe": Torso(72, 12.6, 10.6, 11.8, 26, 4.6, 0, "v", 15, closure="wrap", belted=True),
    "pyjama shirt": Torso(51, 12, 11.6, 10.8, 30, 3.6, 0, "lapel", 9, closure="buttons", pockets="patch"),
    "bralette": Torso(33, 8.2, 8.4, 10.8, 0, 3, 0, "straps"),
    "sport top": Torso(35, 8.2, 8.4, 7.4, 0, 3, 0, "scoop", 7),
    "swimsuit": Torso(54, 4.6, 7.4, 10.8, 0, 3, 0, "straps", 2),
    "trousers": Trousers(knee=5.0, cuff=5.0),
    "wide trousers": Trousers(end=96, knee=6.2, cuff=7.2),
    "slim trousers": Trousers(end=90, knee=3.9, cuff=3.2),
    "jeans": Trousers(knee=4.4, cuff=4.2, style="jeans"),
    "wide jeans": Trousers(end=95, knee=5.8, cuff=6.4, style="jeans"),
    "cargo": Trousers(knee=5.4, cuff=5.2, style="cargo"),
    "joggers": Trousers(end=92, knee=5.0, cuff=3.2, style="jogger"),
    "leggings": Trousers(end=91, knee=3.4, cuff=2.4, style="leggings"),
    "shorts": Trousers(end=62, knee=5.4, cuff=5.6, style="shorts"),
    "denim shorts": Trousers(end=60, knee=5.2, cuff=5.4, style="jeans"),
    "mini skirt": Skirt(hem=58, width=12.0),
    "button skirt": Skirt(hem=60, width=13.0, style="buttons"),
    "midi skirt": Skirt(hem=80, width=14.5, style="wrap"),
    "slip skirt": Skirt(hem=80, width=11.6),
    "pleated skirt": Skirt(hem=76, width=15.5, style="pleated"),
    "tiered skirt": Skirt(hem=84, width=17.0, style="tiered"),
    "pencil skirt": Skirt(hem=72, width=8.8, style="slit"),
    **THINGS,
}
