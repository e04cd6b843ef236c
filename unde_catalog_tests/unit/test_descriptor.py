"""The built-in descriptor: which differences between photos matter, and which do not."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

from unde_catalog.stages.visual_index.descriptor import Descriptor, describe
from unde_catalog.stages.visual_index.model import TextUnsupported


def garment(colour: str, *, margin: str = "white", sleeves: bool = True, size: int = 400) -> Image.Image:
    """A drawing of a shirt."""
    image = Image.new("RGB", (size, size * 5 // 4), margin)
    draw, unit = ImageDraw.Draw(image), size / 10
    draw.rectangle((3 * unit, 3 * unit, 7 * unit, 10 * unit), fill=colour)
    if sleeves:
        draw.rectangle((1 * unit, 3 * unit, 3 * unit, 7 * unit), fill=colour)
        draw.rectangle((7 * unit, 3 * unit, 9 * unit, 5 * unit), fill=colour)  # one sleeve is rolled up
    return image


def similarity(one: Image.Image, other: Image.Image) -> float:
    return float(describe(one) @ describe(other))


def test_a_photo_has_a_deterministic_unit_vector_of_512_numbers() -> None:
    first, second = describe(garment("navy")), describe(garment("navy"))
    assert first.shape == (512,) and first.dtype == np.float32
    assert np.linalg.norm(first) == pytest.approx(1)
    assert np.array_equal(first, second)


def test_the_photo_is_not_changed() -> None:
    image = garment("navy")
    describe(image)
    assert image.size == (400, 500)


@pytest.mark.parametrize("colour", ["white", "black", "red"])
def test_an_empty_photo_has_a_vector(colour: str) -> None:
    vector = describe(Image.new("RGB", (60, 60), colour))
    assert np.isfinite(vector).all() and np.linalg.norm(vector) == pytest.approx(1)


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (900, 1), (3, 2)])
def test_photos_of_any_shape_have_a_vector(size: tuple[int, int]) -> None:
    assert np.isfinite(describe(Image.new("RGB", size, "teal"))).all()


def test_a_garments_back_is_closer_than_another_colour_or_cut() -> None:
    shirt = garment("navy")
    back = ImageOps.mirror(shirt)
    assert similarity(shirt, back) > 0.99
    assert (
        similarity(shirt, back)
        > similarity(shirt, garment("navy", sleeves=False))
        > similarity(shirt, garment("crimson"))
    )


def test_size_and_background_hardly_matter() -> None:
    shirt = garment("navy")
    assert similarity(shirt, garment("navy", size=900)) > 0.97
    assert similarity(shirt, garment("navy", margin="lightgrey")) > 0.9


def test_text_is_refused_with_the_model_that_supports_it() -> None:
    with pytest.raises(TextUnsupported, match="needs CLIP.*EMBEDDING_MODEL=clip"):
        Descriptor().embed_texts(["a blue shirt"])
