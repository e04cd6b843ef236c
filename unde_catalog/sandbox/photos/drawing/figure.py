"""The figure that wears a garment: faceless, in a few skin and hair tones, in plain clothes under the garment."""

from typing import Literal

from unde_catalog.sandbox.photos.drawing.canvas import Layer
from unde_catalog.sandbox.photos.drawing.colours import Rgb, darker, mix
from unde_catalog.sandbox.photos.drawing.curves import both_sides, ellipse, mirror, smooth

Part = Literal["top", "bottom", "shoes"]
_SKINS: tuple[Rgb, ...] = ((238, 205, 180), (221, 178, 146), (190, 138, 104), (141, 94, 68), (104, 68, 52))
_HAIRS: tuple[Rgb, ...] = ((48, 36, 32), (92, 62, 44), (34, 30, 34), (158, 116, 74), (122, 62, 40))
_BOTH = (list, mirror)


def body(layer: Layer, seed: int, wears: tuple[Part, ...], top: Rgb, bottom: Rgb, back: bool) -> None:
    """Paints the figure from head to foot; `wears` are the plain clothes it has on."""
    skin, hair = _SKINS[seed % 5], _HAIRS[seed // 5 % 5]
    style = seed // 25 % 3
    if style == 0:
        layer.fill(
            smooth(
                [(-5.0, 8), (-4.6, 2.4), (0, -0.4), (4.6, 2.4), (5.0, 8), (6.2, 19), (4.0, 24), (-4.0, 24), (-6.2, 19)],
                closed=True,
            ),
            hair,
            1.6,
            0.4,
        )
    elif style == 1:
        layer.fill(ellipse(0, -0.6, 2.7, 2.4), hair, 1.2, 0.4)
    _legs(layer, skin, "shoes" in wears)
    for flip in _BOTH:
        arm = smooth([(8.0, 19.4), (10.6, 21.0), (12.2, 28), (14.2, 36), (16.0, 45), (17.0, 50.5)])
        inner = smooth([(14.6, 51.2), (13.2, 45), (11.2, 37), (9.6, 29), (8.0, 25)])
        layer.fill(flip([*arm, *inner]), skin, 1.3, 0.36)
        hand = smooth([(14.7, 50.4), (17.0, 50.0), (18.0, 54), (17.2, 58), (15.8, 58.4), (15.0, 55)], closed=True)
        layer.fill(flip(hand), skin, 1.0, 0.34)
        layer.line(flip([(16.3, 55), (16.5, 58)]), darker(skin, 0.2), 0.14)
    layer.fill([(-2.2, 10), (2.2, 10), (2.5, 19), (-2.5, 19)], skin, 1.0, 0.08)
    trunk = smooth(
        [
            (2.2, 16.2),
            (3.2, 17.3),
            (6.4, 18.8),
            (9.9, 20.6),
            (9.2, 26),
            (8.2, 30),
            (7.2, 37),
            (8.2, 43),
            (8.8, 49),
            (8.6, 54),
        ]
    )
    layer.fill(both_sides(trunk), skin, 2.0, 0.3)
    if not back:
        layer.shade([(-2.2, 13.4), (0, 14.4), (2.2, 13.4)], 0.13, 1.4)
        for flip in _BOTH:
            layer.line(flip(smooth([(0.9, 19.3), (4, 18.8), (7, 18.9)])), darker(skin, 0.14), 0.16)
    if "bottom" in wears:
        _trousers(layer, bottom)
    if "top" in wears:
        shirt = [(3.6, 17.0), (9.8, 19.2), *smooth([(9.8, 26), (8.7, 30), (7.9, 38), (9.6, 46), (10.0, 50)])]
        layer.fill([(0, 18.5 if back else 20), *shirt, *mirror(shirt)], top, 2.2, 0.3)
        for flip in _BOTH:
            layer.fill(flip(smooth([(8.4, 18.6), (11.4, 20.4), (13.2, 28), (10.0, 29), (8.6, 25)])), top, 1.2, 0.34)
    head = smooth([(0, 0.6), (3.2, 1.8), (4.2, 5.6), (3.6, 9.4), (1.8, 12.4), (0, 13.2)])
    layer.fill(both_sides(head), hair if back else skin, 1.8, 0.34)
    if not back:
        _face(layer, skin, hair, style)


def _face(layer: Layer, skin: Rgb, hair: Rgb, style: int) -> None:
    part = 1.0 if style != 2 else -1.4
    cap = [
        (-4.4, 7.0),
        (-4.3, 3.0),
        (-2.6, 0.8),
        (0, 0.1),
        (2.6, 0.8),
        (4.3, 3.0),
        (4.4, 7.0),
        (3.6, 4.8),
        (part, 2.4),
        (-3.6, 4.8),
    ]
    layer.fill(smooth(cap, closed=True), hair, 1.2, 0.3)
    line = mix(skin, hair, 0.75)
    for flip in _BOTH:
        layer.line(flip(smooth([(0.9, 6.1), (1.7, 6.5), (2.6, 6.1)])), line, 0.22)
        layer.line(flip(smooth([(0.8, 4.9), (1.7, 4.5), (2.7, 4.9)])), line, 0.2)
    layer.line(smooth([(0.1, 6.4), (0.45, 8.3), (-0.1, 8.6)]), darker(skin, 0.2), 0.18)
    layer.fill(
        smooth([(-1.2, 10.2), (-0.4, 9.9), (0, 10.05), (0.4, 9.9), (1.2, 10.2), (0, 10.9)], closed=True),
        mix(skin, (176, 58, 66), 0.5),
        1,
        0,
    )


def _legs(layer: Layer, skin: Rgb, shod: bool) -> None:
    for flip in _BOTH:
        leg = [(8.8, 48), (8.6, 56), (8.2, 64), (7.0, 72), (7.2, 79), (6.0, 88), (5.2, 95.5)]
        inside = [(3.0, 95.5), (3.0, 88), (2.4, 79), (2.4, 72), (1.2, 62), (0.2, 53), (0, 48)]
        layer.fill(flip([*smooth(leg), *smooth(inside)]), skin, 1.6, 0.36)
        foot = smooth([(3.0, 94), (5.2, 94), (6.2, 98), (6.4, 101), (3.6, 101.4), (2.6, 98.4)], closed=True)
        layer.fill(flip(foot), skin, 1.0, 0.3)
        if shod:
            shoe = smooth([(2.6, 96), (5.8, 96), (6.9, 100), (6.4, 102), (3.0, 102), (2.0, 99.6)], closed=True)
            layer.fill(flip(shoe), (62, 54, 52), 0.8, 0.3)


def _trousers(layer: Layer, colour: Rgb) -> None:
    for flip in _BOTH:
        outer = smooth([(8.0, 40), (10.0, 47.5), (10.0, 53), (9.2, 64), (8.4, 78), (8.0, 94)])
        inner = smooth([(2.0, 94), (1.6, 78), (0.9, 62), (0, 53)])
        layer.fill(flip([(0, 40.6), *outer, *inner]), colour, 1.8, 0.36)
    layer.line(smooth([(-8.3, 42.2), (0, 43), (8.3, 42.2)]), darker(colour, 0.3), 0.16)
