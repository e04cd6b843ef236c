"""How one garment looks: its colours and fabric, and which side is visible. Outlines do not belong here."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from PIL import Image

from unde_catalog.sandbox.photos.drawing.canvas import Layer
from unde_catalog.sandbox.photos.drawing.colours import Rgb, darker, is_dark, lighter, line_on, mix
from unde_catalog.sandbox.photos.drawing.curves import Points
from unde_catalog.sandbox.photos.drawing.fabrics import fabric
from unde_catalog.sandbox.photos.drawing.strokes import Painter

Side = Literal["front", "back"]


@dataclass(frozen=True, slots=True)
class Look:
    """Colours and pattern; `worn` is on a figure, otherwise laid flat; `unit` is painted pixels per body unit."""

    colour: Rgb
    accent: Rgb
    pattern: str
    side: Side
    worn: bool
    unit: float
    seed: int

    def fabric(self) -> Rgb | Image.Image:
        """Returns the garment's fabric: a colour, or a tile of its pattern."""
        return fabric(self.pattern, self.colour, self.accent, self.unit)

    @property
    def seam(self) -> Rgb:
        """The colour of seams on the fabric."""
        return line_on(self.colour)

    @property
    def rib(self) -> Rgb:
        """The colour of knitted bands."""
        return darker(self.colour, 0.1)

    @property
    def front(self) -> bool:
        """Whether the front is visible."""
        return self.side == "front"

    def painter(
        self, layer: Layer, place: Callable[[Points], Points] = lambda points: points, size: float = 1.0
    ) -> Painter:
        """Returns a painter with this look's colours, and `front` or `back`, `worn` or `flat` as conditions."""
        palette = {
            "fabric": self.fabric(),
            "colour": self.colour,
            "accent": self.accent,
            "seam": self.seam,
            "tint": mix(self.accent, self.colour, 0.2),
            "contrast": lighter(self.colour, 0.55) if is_dark(self.colour) else darker(self.colour, 0.4),
            "blend": mix(self.colour, self.accent, 0.5),
            "inside": darker(self.colour, 0.35),
            "button": (236, 232, 222) if is_dark(self.colour) or self.pattern != "plain" else darker(self.colour, 0.55),
        }
        return Painter(layer, palette, (self.side, "worn" if self.worn else "flat"), place, size)

    def wobble(self, name: str, reach: float) -> float:
        """Returns a small number that is this garment's own, the same in all views."""
        number = self.seed
        for letter in name:
            number = (number * 1_000_003 + ord(letter)) % 2**31
        return (number % 1000 / 500 - 1) * reach
