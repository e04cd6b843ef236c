"""The cut of every kind of garment in the sample catalogue, by the name the catalogue calls it."""

from typing import Protocol

from unde_catalog.sandbox.photos.drawing.bags import Bag
from unde_catalog.sandbox.photos.drawing.canvas import Layer
from unde_catalog.sandbox.photos.drawing.hats import Hat
from unde_catalog.sandbox.photos.drawing.legs import Skirt, Trousers
from unde_catalog.sandbox.photos.drawing.look import Frame, Look
from unde_catalog.sandbox.photos.drawing.shoes import Shoes
from unde_catalog.sandbox.photos.drawing.upper_cuts import UPPER


class Recipe(Protocol):
    """What can be painted."""

    def frame(self, worn: bool) -> Frame:
        """What has to be on the photo, in body units: left, top, right, bottom."""
        ...

    def paint(self, layer: Layer, look: Look) -> None:
        """Paints it."""
        ...


RECIPES: dict[str, Recipe] = {
    **UPPER,
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
    "tote": Bag("tote"),
    "shoulder bag": Bag("shoulder"),
    "bucket bag": Bag("bucket"),
    "backpack": Bag("backpack"),
    "sneakers": Shoes("sneaker"),
    "boots": Shoes("boot"),
    "heels": Shoes("heel"),
    "sandals": Shoes("sandal"),
    "loafers": Shoes("loafer"),
    "bucket hat": Hat("bucket"),
    "cap": Hat("cap"),
    "beanie": Hat("beanie"),
    "scarf": Hat("scarf"),
}
