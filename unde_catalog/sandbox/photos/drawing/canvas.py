"""The canvas: outlines in body units become shaded pixels on a studio backdrop. Garments do not belong here.

Outlines are painted at twice the size and then reduced, light and shadow at a quarter of the size.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from unde_catalog.sandbox.photos.drawing.colours import Rgb, mix
from unde_catalog.sandbox.photos.drawing.curves import Point, between

WIDTH, HEIGHT = 1200, 1800
SOFT = 2 / 3  # the share of the native size at which out-of-focus views are painted
Frame = tuple[float, float, float, float]  # left, top, right, bottom in body units
_FINE = 2  # painted at this many times the size
_COARSE = 4  # light is computed at this part of the size


@dataclass(frozen=True, slots=True)
class Camera:
    """The part of the body's plane on the photo: centre in body units, pixels per unit, tilt in degrees.

    `squeeze` narrows a view from the side; `share` is the share of the native size at which the photo is painted
    before it is enlarged, which is faster and as soft as a lens.
    """

    x: float
    y: float
    scale: float
    tilt: float = 0.0
    squeeze: float = 1.0
    share: float = 1.0

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the painting."""
        return round(WIDTH * self.share), round(HEIGHT * self.share)

    @property
    def unit(self) -> float:
        """Painted pixels per body unit."""
        return self.scale * self.share

    def pixel(self, point: Point) -> Point:
        """Returns the position of a point of the body's plane on the photo."""
        x, y = (point[0] - self.x) * self.squeeze * self.unit, (point[1] - self.y) * self.unit
        turn = math.radians(self.tilt)
        return (
            WIDTH * self.share / 2 + x * math.cos(turn) - y * math.sin(turn),
            HEIGHT * self.share / 2 + x * math.sin(turn) + y * math.cos(turn),
        )


class Layer:
    """A thing in front of the backdrop, painted part by part from back to front."""

    def __init__(self, camera: Camera, frame: Frame) -> None:
        self.camera = camera
        corners = [camera.pixel((x, y)) for x in (frame[0], frame[2]) for y in (frame[1], frame[3])]
        left = max(math.floor(min(x for x, _ in corners) / 8) * 8, 0)
        top = max(math.floor(min(y for _, y in corners) / 8) * 8, 0)
        right = min(math.ceil(max(x for x, _ in corners) / 8) * 8, camera.size[0])
        bottom = min(math.ceil(max(y for _, y in corners) / 8) * 8, camera.size[1])
        self.box = (left, top, max(right, left + 8), max(bottom, top + 8))
        size = (self.box[2] - left, self.box[3] - top)
        self._size = size
        self._fine = (size[0] * _FINE, size[1] * _FINE)
        self._rgb = Image.new("RGB", self._fine)
        self._mask = Image.new("L", self._fine)
        self._pen = ImageDraw.Draw(self._rgb)
        self._mask_pen = ImageDraw.Draw(self._mask)
        coarse = (size[0] // _COARSE, size[1] // _COARSE)
        self._light = Image.new("L", coarse, 255)
        self._folds = Image.new("L", coarse, 255)
        self._fold_pen = ImageDraw.Draw(self._folds)

    @property
    def unit(self) -> float:
        """Pixels of the enlarged painting per body unit."""
        return self.camera.unit * _FINE

    def fill(
        self, outline: Sequence[Point], paint: Rgb | Image.Image, round_: float = 1.0, depth: float = 0.34
    ) -> None:
        """Paints an area in a colour or a fabric (a tile); its edges turn away from the light.

        `round_` is the width of the turning edge in body units, `depth` how dark it gets.
        """
        points = [self._at(point) for point in outline]
        self._mask_pen.polygon(points, fill=255)
        if isinstance(paint, Image.Image):
            box = _bounds(points, self._fine)
            if box is None:
                return
            shape = Image.new("L", (box[2] - box[0], box[3] - box[1]))
            ImageDraw.Draw(shape).polygon([(x - box[0], y - box[1]) for x, y in points], fill=255)
            self._rgb.paste(_tiled(paint, shape.size), box[:2], shape)
        else:
            self._pen.polygon(points, fill=paint)
        if depth:
            self._round(points, round_, depth)

    def line(self, points: Sequence[Point], colour: Rgb, width: float = 0.18) -> None:
        """Paints a seam or a stitch; `width` in body units."""
        pixels = max(round(width * self.unit), 1)
        path = [self._at(point) for point in points]
        self._pen.line(path, fill=colour, width=pixels, joint="curve" if pixels > 3 else None)

    def strap(self, points: Sequence[Point], colour: Rgb, width: float) -> None:
        """Paints a line that is a part of the thing and covers the backdrop."""
        pixels = max(round(width * self.unit), 2)
        path = [self._at(point) for point in points]
        self._mask_pen.line(path, fill=255, width=pixels, joint="curve")
        self._pen.line(path, fill=colour, width=pixels, joint="curve")

    def stitches(self, points: Sequence[Point], colour: Rgb, width: float = 0.13) -> None:
        """Paints a dashed line."""
        for a, b in zip(points[::2], points[1::2], strict=False):
            self.line([a, b], colour, width)

    def dot(self, centre: Point, radius: float, colour: Rgb) -> None:
        """Paints a button or an eyelet."""
        x, y = self._at(centre)
        r = max(radius * self.unit, 1)
        self._pen.ellipse((x - r, y - r, x + r, y + r), fill=colour)

    def shade(self, points: Sequence[Point], strength: float = 0.3, width: float = 1.0) -> None:
        """Paints a soft dark line that fades at its ends, such as a fold. Strength 0 to 1."""
        path = [self._coarse(point) for point in points]
        pixels = max(round(width * self.camera.unit / _COARSE), 1)
        inner = (
            path[1:-1]
            if len(path) > 4
            else [between(path[0], path[1], 0.22), *path[1:-1], between(path[-1], path[-2], 0.22)]
        )
        for part, share in ((path, 0.5), (inner, 1.0)):
            self._fold_pen.line(part, fill=round(255 * (1 - strength * share)), width=pixels, joint="curve")

    def shade_area(self, outline: Sequence[Point], strength: float = 0.3) -> None:
        """Paints a soft dark area."""
        self._fold_pen.polygon([self._coarse(point) for point in outline], fill=round(255 * (1 - strength)))

    def onto(self, backdrop: Image.Image, shadow: float = 0.35, drop: Point = (10, 16)) -> Image.Image:
        """Returns the photo: the shadow and then the thing on an empty studio; `drop` in native pixels."""
        mask = self._mask.reduce(_FINE)
        self._cast(backdrop, mask.reduce(_COARSE), shadow, drop)
        photo = backdrop.resize(self.camera.size, Image.Resampling.BILINEAR)
        folds = self._folds.filter(ImageFilter.GaussianBlur(2.2 * self.camera.share))
        soft = ImageChops.multiply(self._light.filter(ImageFilter.GaussianBlur(1.0)), folds)
        dark = ImageChops.invert(soft).resize(self._size, Image.Resampling.BILINEAR)
        lit = self._rgb.reduce(_FINE)
        lit.paste((0, 0, 0), (0, 0), dark)
        photo.paste(lit, self.box[:2], mask)
        return photo

    def _round(self, points: list[Point], reach: float, depth: float) -> None:
        """Darkens the edges of a part by what blurring its mask removes."""
        factor = _FINE * _COARSE
        coarse = [(x / factor, y / factor) for x, y in points]
        blur = reach * self.camera.unit / _COARSE
        margin = math.ceil(blur * 2) + 1
        box = _bounds(coarse, self._light.size)
        if box is None:
            return
        left, top = box[0] - margin, box[1] - margin
        part = Image.new("L", (box[2] - left + margin, box[3] - top + margin))
        ImageDraw.Draw(part).polygon([(x - left, y - top) for x, y in coarse], fill=255)
        inner = part.filter(ImageFilter.BoxBlur(blur)).filter(ImageFilter.BoxBlur(blur * 0.6))
        self._light.paste(inner.point(_turning(depth)), (left, top), part)
        self._folds.paste(255, (left, top), part)

    def _cast(self, backdrop: Image.Image, small: Image.Image, strength: float, drop: Point) -> None:
        margin = 12
        wide = Image.new("L", (small.width + 2 * margin, small.height + 2 * margin))
        wide.paste(small, (margin, margin))
        soft = wide.filter(ImageFilter.GaussianBlur(4.5)).point([round(v * strength) for v in range(256)])
        right, down = (round(length * self.camera.share / _COARSE) for length in drop)
        position = (self.box[0] // _COARSE - margin + right, self.box[1] // _COARSE - margin + down)
        backdrop.paste((44, 38, 40), position, soft)

    def _at(self, point: Point) -> Point:
        x, y = self.camera.pixel(point)
        return ((x - self.box[0]) * _FINE, (y - self.box[1]) * _FINE)

    def _coarse(self, point: Point) -> Point:
        x, y = self.camera.pixel(point)
        return ((x - self.box[0]) / _COARSE, (y - self.box[1]) / _COARSE)


def studio(tone: Rgb, camera: Camera, floor: float | None = None) -> Image.Image:
    """Returns an empty studio: light from above left, darker corners, and a floor below a height (0 to 1).

    It has a quarter of the size because it is soft; `Layer.onto` enlarges it.
    """
    size = (camera.size[0] // _COARSE, camera.size[1] // _COARSE)
    return _small_studio(tone, floor).resize(size, Image.Resampling.BICUBIC)


@lru_cache(maxsize=64)
def _small_studio(tone: Rgb, floor: float | None) -> Image.Image:
    width, height = 30, 45
    small = Image.new("RGB", (width, height))
    for y in range(height):
        for x in range(width):
            distance = math.hypot(x / width - 0.42, (y / height - 0.36) * 1.2)
            lit = mix(tone, (255, 255, 255), max(0.5 - distance * 0.75, 0.0))
            pixel = mix(lit, (70, 62, 66), max(distance - 0.42, 0.0) * 0.3)
            if floor is not None and y / height > floor:
                pixel = mix(pixel, (92, 82, 78), 0.10 + 0.10 * (1 - (y / height - floor) / (1 - floor)))
            small.putpixel((x, y), pixel)
    return small


@lru_cache(maxsize=32)
def _turning(depth: float) -> list[int]:
    """Returns the lightness of the surface by the value of the blurred mask."""
    return [round(255 * (1 - depth + depth * min(max((v / 255 - 0.4) / 0.6, 0.0), 1.0))) for v in range(256)]


def _bounds(points: Sequence[Point], size: tuple[int, int]) -> tuple[int, int, int, int] | None:
    left, top = math.floor(min(x for x, _ in points)), math.floor(min(y for _, y in points))
    right, bottom = math.ceil(max(x for x, _ in points)) + 1, math.ceil(max(y for _, y in points)) + 1
    box = (max(left, 0), max(top, 0), min(right, size[0]), min(bottom, size[1]))
    return box if box[2] > box[0] and box[3] > box[1] else None


def _tiled(tile: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Returns an area covered with a tile; every paste doubles the covered part."""
    area = Image.new("RGB", size)
    area.paste(tile, (0, 0))
    width, height = tile.size
    while width < size[0]:
        area.paste(area.crop((0, 0, width, height)), (width, 0))
        width *= 2
    while height < size[1]:
        area.paste(area.crop((0, 0, size[0], height)), (0, height))
        height *= 2
    return area
