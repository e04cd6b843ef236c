"""The figure that wears a garment: faceless, in a few skin and hair tones, in plain clothes under the garment."""

from collections.abc import Collection
from typing import Literal

from unde_catalog.sandbox.photos.drawing.canvas import SOFT, Camera, Frame, Layer
from unde_catalog.sandbox.photos.drawing.colours import Rgb, mix
from unde_catalog.sandbox.photos.drawing.strokes import Painter

Part = Literal["top", "bottom", "shoes"]
FIGURE_FRAME: Frame = (-19, -4, 19, 106)
FIGURE_CAMERA = Camera(0, 51, 15.6, share=SOFT)
_SKINS: tuple[Rgb, ...] = ((238, 205, 180), (221, 178, 146), (190, 138, 104), (141, 94, 68), (104, 68, 52))
_HAIRS: tuple[Rgb, ...] = ((48, 36, 32), (92, 62, 44), (34, 30, 34), (158, 116, 74), (122, 62, 40))
_STYLES = ("long", "bun", "parted")
_BODY = """
    long fill hair 1.6 0.4: (-5,8 -4.6,2.4 0,-0.4 4.6,2.4 5,8 6.2,19 4,24 -4,24 -6.2,19)z
    bun fill hair 1.2 0.4: oval 0 -0.6 2.7 2.4
    both fill skin 1.6 0.36: (8.8,48 8.6,56 8.2,64 7,72 7.2,79 6,88 5.2,95.5) (3,95.5 3,88 2.4,79 2.4,72 1.2,62 0,48)
    both fill skin 1 0.3: (3,94 5.2,94 6.2,98 6.4,101 3.6,101.4 2.6,98.4)z
    shoes both fill shoe 0.8 0.3: (2.6,96 5.8,96 6.9,100 6.4,102 3,102 2,99.6)z
    both fill skin 1.3 0.36: (8,19.4 10.6,21 12.2,28 14.2,36 16,45 17,50.5) (14.6,51.2 13.2,45 11.2,37 9.6,29 8,25)
    both fill skin 1 0.34: (14.7,50.4 17,50 18,54 17.2,58 15.8,58.4 15,55)z
    both line skin-20 0.14: 16.3,55 16.5,58
    fill skin 1 0.08: -2.2,10 2.2,10 2.5,19 -2.5,19
    fill skin 2 0.3: | (2.2,16.2 3.2,17.3 6.4,18.8 9.9,20.6 9.2,26 8.2,30 7.2,37 8.2,43 8.8,49 8.6,54)
    shade 0.13 1.4: -2.2,13.4 0,14.4 2.2,13.4
    both line skin-14 0.16: (0.9,19.3 4,18.8 7,18.9)
    bottom both fill bottom 1.8 0.36: 0,40.6 (8,40 10,47.5 10,53 9.2,64 8.4,78 8,94) (2,94 1.6,78 0.9,62 0,53)
    bottom line bottom-30 0.16: (-8.3,42.2 0,43 8.3,42.2)
    top fill top 2.2 0.3: | 0,20 3.6,17 9.8,19.2 (9.8,26 8.7,30 7.9,38 9.6,46 10,50)
    top both fill top 1.2 0.34: (8.4,18.6 11.4,20.4 13.2,28 10,29 8.6,25)
    fill skin 1.8 0.34: | (0,0.6 3.2,1.8 4.2,5.6 3.6,9.4 1.8,12.4 0,13.2)
    fill hair 1.2 0.3: (-4.4,7 -4.3,3 -2.6,0.8 0,0.1 2.6,0.8 4.3,3 4.4,7 3.6,4.8 {parting},2.4 -3.6,4.8)z
    both line brow 0.22: (0.9,6.1 1.7,6.5 2.6,6.1)
    both line brow 0.2: (0.8,4.9 1.7,4.5 2.7,4.9)
    line skin-20 0.18: (0.1,6.4 0.45,8.3 -0.1,8.6)
    fill lips 1 0: (-1.2,10.2 -0.4,9.9 0,10.05 0.4,9.9 1.2,10.2 0,10.9)z
"""


def body(layer: Layer, seed: int, wears: Collection[Part], top: Rgb, bottom: Rgb) -> None:
    """Paints the figure from head to foot; `wears` are the plain clothes it has on."""
    skin, hair = _SKINS[seed % 5], _HAIRS[seed // 5 % 5]
    style = _STYLES[seed // 25 % 3]
    palette = {"skin": skin, "hair": hair, "top": top, "bottom": bottom, "shoe": (62, 54, 52)}
    palette |= {"brow": mix(skin, hair, 0.75), "lips": mix(skin, (176, 58, 66), 0.5)}
    parting = -1.4 if style == "parted" else 1.0
    Painter(layer, palette, {*wears, style}).draw(_BODY.format(parting=parting))
