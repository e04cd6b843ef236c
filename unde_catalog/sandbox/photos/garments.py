"""Draws the photos of the sample catalogue: one garment, one colour, one view. Shapes belong in `drawing/`.

The same arguments give the same bytes in every process with the same Pillow.
"""

import io

from PIL import Image

from unde_catalog.sandbox.photos import catalogue
from unde_catalog.sandbox.photos.drawing import canvas, figure
from unde_catalog.sandbox.photos.drawing.canvas import Camera, Layer
from unde_catalog.sandbox.photos.drawing.colours import COLOURS, Rgb, mix
from unde_catalog.sandbox.photos.drawing.look import Look
from unde_catalog.sandbox.photos.drawing.recipes import RECIPES, Recipe
from unde_catalog.sandbox.photos.drawing.things import HOUSEHOLD

NATIVE_WIDTH = canvas.WIDTH
NATIVE_HEIGHT = canvas.HEIGHT
EDITION = 2  # part of the ETags; increase it when drawings change
_QUALITY = 88
_BACKDROPS: tuple[Rgb, ...] = ((226, 223, 218), (222, 224, 226), (230, 224, 214), (219, 221, 217), (228, 220, 217))


def draw(brand: str, product: str, colour: str, view: str, width: int = NATIVE_WIDTH, version: int = 0) -> bytes:
    """Returns the JPEG of one view, at most 1200 pixels wide (2:3).

    `product` is the reference's eight digits, `colour` the colour's three, `view` as in the URL (p, a1, e1, e2, a2);
    another `version` gives another picture. Raises `LookupError` for a photo that the catalogue does not have.
    """
    article = catalogue.article(brand, product)
    if view not in article.views:
        raise LookupError(f"{brand} {product} has no view {view}")
    colour_name = article.colour_name(colour)
    photo = picture(article.cut, colour_name, article.accent, article.pattern, view, article.seed, version)
    width = max(min(width, NATIVE_WIDTH), 1)
    if width < NATIVE_WIDTH:
        photo = photo.resize(
            (width, max(width * NATIVE_HEIGHT // NATIVE_WIDTH, 1)), Image.Resampling.BICUBIC, reducing_gap=2
        )
    encoded = io.BytesIO()
    photo.save(encoded, "JPEG", quality=_QUALITY)
    return encoded.getvalue()


def picture(
    cut: str, colour_name: str, accent_name: str, pattern: str, view: str, seed: int, version: int = 0
) -> Image.Image:
    """Draws one view of anything that has a recipe, 1200 x 1800; household items have no view a1 (worn)."""
    colour, accent, recipe = COLOURS[colour_name], COLOURS[accent_name], RECIPES.get(cut) or HOUSEHOLD[cut]
    worn = view == "a1"
    camera, frame = (
        (recipe.worn_camera, recipe.worn_frame) if worn else (_flat_camera(recipe, view, seed), recipe.frame)
    )
    tone = _BACKDROPS[(seed + version) % len(_BACKDROPS)]
    if version:
        tone = mix(tone, COLOURS[sorted(COLOURS)[version % len(COLOURS)]], 0.16)
    if view == "a2":
        tone = mix(tone, (150, 140, 130), 0.25)
    backdrop = canvas.studio(tone, camera, floor=0.86 if worn else None)
    layer = Layer(camera, frame)
    look = Look(colour, accent, pattern, "back" if view == "e1" else "front", worn, layer.unit, seed)
    if worn:
        _paint_figure(layer, recipe, colour, seed)
    recipe.paint(layer, look)
    lifted = view == "a2"
    photo = layer.onto(backdrop, shadow=0.42 if lifted else 0.32, drop=(30, 44) if lifted else (12, 18))
    native = (NATIVE_WIDTH, NATIVE_HEIGHT)
    return photo if camera.share == 1 else photo.resize(native, Image.Resampling.BILINEAR)


def _flat_camera(recipe: Recipe, view: str, seed: int) -> Camera:
    """Returns the camera of a flat garment: the whole, a detail (e2), or from the side (a2)."""
    left, top, right, bottom = recipe.frame
    x, y = (left + right) / 2, (top + bottom) / 2
    scale = min(NATIVE_WIDTH * 0.84 / (right - left), NATIVE_HEIGHT * 0.84 / (bottom - top))
    if view == "e2":
        detail = top + (bottom - top) * recipe.detail
        return Camera(x + (seed % 5 - 2) * 0.8, detail, scale * 1.9, tilt=seed % 9 - 4, share=canvas.SOFT)
    if view == "a2":
        return Camera(x, y, scale * 0.98, tilt=9 if seed % 2 else -9, squeeze=0.84)
    return Camera(x, y, scale)


def _paint_figure(layer: Layer, recipe: Recipe, colour: Rgb, seed: int) -> None:
    """Paints the figure, in plain clothes where the garment does not cover it."""
    parts: tuple[figure.Part, ...] = ("top", "bottom", "shoes")
    dark = sum(colour) < 300
    top: Rgb = (236, 232, 224) if dark or seed % 2 else (66, 62, 64)
    bottom: Rgb = (206, 194, 174) if dark else (54, 54, 62)
    figure.body(layer, seed, [part for part in parts if part not in recipe.covers], top, bottom)
