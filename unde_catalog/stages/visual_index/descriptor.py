"""The built-in descriptor: 512 numbers that describe a photo's colours, layout, outline and edges; needs no CLIP.

It knows nothing of garments. It finds other photos of the same garment well, but no similar styles, and does not
support text. `benchmarks/bench_visual.py` measures it; the weights come from there.

| numbers | block | weight | meaning |
|---|---|---|---|
| 0-159 | colour | 1 | the share of each colour in the garment: 16 greys, 12 hues x 3 saturations x 4 lightnesses |
| 160-255 | layout | 0.3 | its mean colour (Lab) in 8 rows x 4 columns of its box |
| 256-383 | outline | 0.3 | its coverage of 16 rows x 8 columns of a square around it |
| 384-511 | edges | 0.4 | edges of 8 directions in 8 rows x 2 columns of its box |

The garment is what differs from the colour of the image's margin, weighted more towards the middle and less if it
looks like skin. Left and right are averaged, because the back of a garment is its mirrored front. Each block has
length 1 before it is weighted, and the whole vector has length 1.
"""

import os
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from unde_catalog.stages.visual_index.model import Numbers, TextUnsupported

Array = npt.NDArray[np.floating]

VERSION = "1"  # increase it when a photo gets other numbers

_SIDE = 96  # pixels: more only take longer
_GREYS, _HUES, _SATURATIONS, _LIGHTNESSES = 16, 12, 3, 4
_WEIGHTS = {"colour": 1.0, "layout": 0.3, "outline": 0.3, "edges": 0.4}
_SPREAD = (0.2, 0.25)  # of the weight around the middle, as shares of width and height
_SKIN = 0.85  # the share of its weight that a pixel with the colour of skin loses
_TO_XYZ = np.array(  # sRGB to CIE XYZ, each row divided by the white point D65
    [[0.433953, 0.376219, 0.189828], [0.212673, 0.715152, 0.072175], [0.017758, 0.109477, 0.872766]], np.float32
)


class Descriptor:
    """The descriptor as an `EmbeddingModel`."""

    name = f"descriptor@{VERSION}"
    batch = 8

    def __init__(self) -> None:
        self.concurrency = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

    def embed_images(self, images: Sequence[Image.Image]) -> Numbers:
        """The result of `describe` for each image, as rows."""
        return np.stack([describe(image) for image in images])

    def embed_texts(self, texts: Sequence[str]) -> Numbers:
        """Not supported."""
        raise TextUnsupported(
            "text search needs CLIP, but the index uses the built-in descriptor: set EMBEDDING_MODEL=clip"
        )


def describe(image: Image.Image) -> Numbers:
    """The 512 numbers of an "RGB" image, of length 1; the same image gives the same numbers."""
    small = image.copy()
    small.thumbnail((_SIDE, _SIDE), Image.Resampling.BOX)
    rgb = np.asarray(small.convert("RGB"), np.float32) / 255
    lab = _lab(rgb)
    garment = _unlike_margin(lab)
    weight = garment * (1 - _SKIN * _like_skin(rgb)) * _towards_middle(*garment.shape) + 1e-6
    box = _box(garment)
    blocks = {
        "colour": _colour(lab, weight),
        "layout": _layout(lab[box], weight[box]),
        "outline": _outline(garment[box]),
        "edges": _edges(lab[box][..., 0]),
    }
    return _unit(np.concatenate([_unit(block) * _WEIGHTS[name] for name, block in blocks.items()]))


def _lab(rgb: Array) -> Array:
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = linear @ _TO_XYZ.T
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.stack(
        [116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], -1, dtype=np.float32
    )


def _unlike_margin(lab: Array) -> Array:
    """How much each pixel differs from the colour of the margin, from 0 to 1."""
    wide = max(1, min(lab.shape[:2]) // 24)
    parts = (lab[:wide], lab[:, :wide], lab[:, -wide:])  # not the lower margin, which shows legs
    margin = np.median(np.concatenate([part.reshape(-1, 3) for part in parts]), 0)
    distance = np.sqrt((((lab - margin) * np.array([0.7, 1, 1])) ** 2).sum(-1))  # less for lightness: shadows
    return _step(distance, 9, 2.5)


def _like_skin(rgb: Array) -> Array:
    """How much each pixel looks like skin, from 0 to 1; the colours of skin are close to each other in Cb and Cr."""
    red, green, blue = (rgb[..., channel] * 255 for channel in range(3))
    cb = 128 - 0.168736 * red - 0.331264 * green + 0.5 * blue
    cr = 128 + 0.5 * red - 0.418688 * green - 0.081312 * blue
    lit = 0.299 * red + 0.587 * green + 0.114 * blue > 50
    away = ((cb - 108) / 16) ** 2 + ((cr - 152) / 11) ** 2
    return np.exp(-0.5 * away**2) * lit


def _towards_middle(height: int, width: int) -> Array:
    across = ((np.arange(width, dtype=np.float32) + 0.5) / width - 0.5) / _SPREAD[0]
    down = ((np.arange(height, dtype=np.float32) + 0.5) / height - 0.5) / _SPREAD[1]
    return np.exp(-(across[None, :] ** 2 + down[:, None] ** 2) / 2)


def _box(garment: Array) -> tuple[slice, slice]:
    """The rows and columns with the garment, except a fiftieth at each side; at least four of each."""
    found = []
    for axis in (1, 0):
        share = np.cumsum(garment.sum(axis)) / (garment.sum() + 1e-9)
        first, last = (int(np.searchsorted(share, edge)) for edge in (0.02, 0.98))
        first = max(min(first, garment.shape[1 - axis] - 4), 0)
        found.append(slice(first, max(last + 1, first + 4)))
    return found[0], found[1]


def _colour(lab: Array, weight: Array) -> Array:
    """The square roots of the colours' shares, so that the product of two vectors measures the common colours."""
    chroma = np.hypot(lab[..., 1], lab[..., 2])
    coloured = _step(chroma, 9, 2.5) * weight
    grey = weight - coloured
    lightness = np.clip(lab[..., 0] / 100, 0, 1)
    hue = np.arctan2(lab[..., 2], lab[..., 1]) / (2 * np.pi) % 1
    greys = np.zeros(_GREYS)
    for position, share in _between(lightness, _GREYS):
        greys += np.bincount(position.ravel(), (share * grey).ravel(), _GREYS)
    cells = _HUES * _SATURATIONS * _LIGHTNESSES
    colours = np.zeros(cells)
    for i, i_share in _between(hue, _HUES, around=True):
        for j, j_share in _between(np.clip(chroma / 90, 0, 1), _SATURATIONS):
            for k, k_share in _between(lightness, _LIGHTNESSES):
                position = (i * _SATURATIONS + j) * _LIGHTNESSES + k
                colours += np.bincount(position.ravel(), (i_share * j_share * k_share * coloured).ravel(), cells)
    return np.sqrt(np.concatenate([greys, colours]) / weight.sum())


def _layout(lab: Array, weight: Array) -> Array:
    """The mean colours of cells, relative to a middle grey; cells with little of the garment count less."""
    sums = _cells(lab * weight[..., None], 8, 8)
    covered = _cells(weight[..., None], 8, 8)
    most = covered.max()
    mean = sums / (covered + 0.05 * most)
    centred = (mean - np.array([60, 0, 0])) / np.array([50, 35, 35]) * np.sqrt(covered / most)
    return _folded(centred).ravel()


def _outline(garment: Array) -> Array:
    height, width = garment.shape
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    square = np.pad(garment, ((top, side - height - top), (left, side - width - left)))
    covered = _folded(_cells(square[..., None], 16, 16)).ravel()
    return covered - covered.mean()


def _edges(lightness: Array) -> Array:
    """The strength of edges by direction; mirroring reverses the direction."""
    down, across = np.gradient(_cells(lightness[..., None], 64, 48, Image.Resampling.BILINEAR)[..., 0] / 100)
    strength = np.hypot(across, down)
    row, column = np.mgrid[0:64, 0:48]
    cell = row // 8 * 4 + column // 12
    found = np.zeros(8 * 4 * 8)
    for direction, share in _between(np.arctan2(down, across) % np.pi / np.pi, 8, around=True):
        found += np.bincount((cell * 8 + direction).ravel(), (share * strength).ravel(), found.size)
    cells = found.reshape(8, 4, 8)
    return np.sqrt((cells[:, :2] + cells[:, :1:-1, ::-1]) / 2).ravel()


def _between(value: Array, bins: int, *, around: bool = False) -> list[tuple[npt.NDArray[np.intp], Array]]:
    """The two nearest bins of values from 0 to 1, each with its share; `around`: the first bin follows the last."""
    position = value * bins - 0.5
    lower = np.floor(position).astype(np.intp)
    share = (position - lower).astype(np.float32)
    if around:
        return [(lower % bins, 1 - share), ((lower + 1) % bins, share)]
    return [(np.clip(lower, 0, bins - 1), 1 - share), (np.clip(lower + 1, 0, bins - 1), share)]


def _cells(planes: Array, rows: int, columns: int, how: Image.Resampling = Image.Resampling.BOX) -> Array:
    """The means of rows x columns cells, plane by plane."""
    small = [
        Image.fromarray(np.ascontiguousarray(planes[..., plane], np.float32)).resize((columns, rows), how)
        for plane in range(planes.shape[-1])
    ]
    return np.stack([np.asarray(one) for one in small], -1)


def _folded(cells: Array) -> Array:
    """The left half, with each cell averaged with its mirror."""
    half = cells.shape[1] // 2
    return (cells[:, :half] + cells[:, ::-1][:, :half]) / 2


def _step(value: Array, middle: float, width: float) -> Array:
    return 1 / (1 + np.exp(-(value - middle) / width))


def _unit(numbers: Array) -> Numbers:
    length = float(np.linalg.norm(numbers))
    return (numbers / length if length > 1e-9 else numbers).astype(np.float32)
