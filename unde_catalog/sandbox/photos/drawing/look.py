"""How one garment of the catalogue looks: its colours and fabric, and which side is seen. No outlines here."""

from dataclasses import dataclass
from typing import Literal

from PIL import Image

from unde_catalog.sandbox.photos.drawing.colours import Rgb, darker, line_on
from unde_catalog.sandbox.photos.drawing.fabrics import fabric

Side = Literal["front", "back"]
Frame = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Look:
    """Colours and pattern; `worn` is on a figure (else laid flat); `unit` is pixels of the painting a body unit."""

    colour: Rgb
    accent: Rgb
    pattern: str
    side: Side
    worn: bool
    unit: float
    seed: int

    def paint(self) -> Rgb | Image.Image:
        """The fabric."""
        return fabric(self.pattern, self.colour, self.accent, self.unit)

    @property
    def seam(self) -> Rgb:
        """Seams and stitches on the fabric."""
        return line_on(self.colour)

    @property
    def inside(self) -> Rgb:
        """The fabric's inside, seen at the neck or the waist."""
        return darker(self.colour, 0.35)

    @property
    def front(self) -> bool:
        """Whether the front is seen."""
        return self.side == "front"

    def wobble(self, name: str, reach: float) -> float:
        """A small number that is this garment's own, the same in all views."""
        number = self.seed
        for letter in name:
            number = (number * 1_000_003 + ord(letter)) % 2**31
        return (number % 1000 / 500 - 1) * reach
