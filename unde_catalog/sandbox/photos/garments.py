"""Draws the photos of the sample catalogue: one garment, one colour, one view. Shapes belong in `drawing/`.

The same arguments give the same bytes in every process with the same Pillow.
"""

import io

from PIL import Image

from unde_catalog.sandbox.photos import catalogue
from unde_catalog.sandbox.photos.drawing import canvas, figure
from unde_catalog.sandbox.photos.drawing.bags import Bag
from unde_catalog.sandbox.photos.drawing.canvas import Camera, Layer
from unde_catalog.sandbox.photos.drawing.colours import COLOURS, Rgb, mix
from unde_catalog.sandbox.photos.drawing.hats import Hat
from unde_catalog.sandbox.photos.drawing.household import HOUSEHOLD
from unde_catalog.sandbox.photos.drawing.legs import Skirt, Trousers
from unde_catalog.sandbox.photos.drawing.look import Frame, Look
from unde_catalog.sandbox.photos.drawing.recipes import RECIPES, Recipe
from unde_catalog.sandbox.photos.drawing.shoes import Shoes
from unde_catalog.sandbox.photos.drawing.torso import Torso

NATIVE_WIDTH = canvas.WIDTH
NATIVE_HEIGHT = canvas.HEIGHT
EDITION = 1  # part of the ETags; increase it when drawings change
_QUALITY = 88
_SOFT = 2 / 3
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
    camera, frame = _camera(recipe, view, seed)
    tone = _BACKDROPS[(seed + version) % len(_BACKDROPS)]
    if version:
        tone = mix(tone, COLOURS[sorted(COLOURS)[version % len(COLOURS)]], 0.16)
    if view == "a2":
        tone = mix(tone, (150, 140, 130), 0.25)
    backdrop = canvas.studio(tone, camera, floor=0.86 if worn else None)
    layer = Layer(camera, frame)
    look = Look(colour, accent, pattern, "back" if view == "e1" else "front", worn, layer.unit, seed)
    if worn:
        _dress(layer, recipe, look, seed)
    recipe.paint(layer, look)
    lifted = view == "a2"
    photo = layer.onto(backdrop, shadow=0.42 if lifted else 0.32, drop=(30, 44) if lifted else (12, 18))
    native = (NATIVE_WIDTH, NATIVE_HEIGHT)
    return photo if camera.share == 1 else photo.resize(native, Image.Resampling.BILINEAR)


def _camera(recipe: Recipe, view: str, seed: int) -> tuple[Camera, Frame]:
    """Returns the camera of a view and the frame that may be painted on."""
    if view == "a1":
        return _worn_camera(recipe)
    frame = recipe.frame(False)
    x, y = (frame[0] + frame[2]) / 2, (frame[1] + frame[3]) / 2
    scale = min(NATIVE_WIDTH * 0.84 / (frame[2] - frame[0]), NATIVE_HEIGHT * 0.84 / (frame[3] - frame[1]))
    if view == "e2":
        near = frame[1] + (frame[3] - frame[1]) * (0.32 if isinstance(recipe, Torso) else 0.4)
        return Camera(x + (seed % 5 - 2) * 0.8, near, scale * 1.9, tilt=seed % 9 - 4, share=_SOFT), frame
    if view == "a2":
        turn = 9 if seed % 2 else -9
        return Camera(x, y, scale * 0.98, tilt=turn, squeeze=0.84), frame
    return Camera(x, y, scale), frame


def _worn_camera(recipe: Recipe) -> tuple[Camera, Frame]:
    whole: Frame = (-19, -4, 19, 106)
    match recipe:
        case Shoes():
            return Camera(0, 84, 34, share=_SOFT), whole
        case Hat():
            return Camera(0, 16, 36, share=_SOFT), whole
        case Bag():
            return Camera(7, 50, 26, share=_SOFT), (-22, -4, 32, 106)
        case Torso() if recipe.hem < 60:
            return Camera(0, 30, 24, share=_SOFT), whole
        case _:
            return Camera(0, 51, 15.6, share=_SOFT), whole


def _dress(layer: Layer, recipe: Recipe, look: Look, seed: int) -> None:
    """Paints the figure, in plain clothes where the garment does not cover it."""
    wears: tuple[figure.Part, ...] = ("top", "bottom", "shoes")
    match recipe:
        case Torso() if recipe.hem >= 60 or recipe.hem_width < 6:
            wears = ("shoes",)
        case Torso():
            wears = ("bottom", "shoes")
        case Trousers() | Skirt():
            wears = ("top", "shoes")
        case Shoes():
            wears = ("top", "bottom")
        case _:
            pass
    dark = sum(look.colour) < 300
    top: Rgb = (236, 232, 224) if dark or seed % 2 else (66, 62, 64)
    bottom: Rgb = (206, 194, 174) if dark else (54, 54, 62)
    figure.body(layer, seed, wears, top, bottom, back=False)
