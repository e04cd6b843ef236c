"""Synthetic embeddings that are clustered like those of real photos, and exact searches of them.

There is no database here. Uniform noise would be no test, since all its points are equally far from each other.

A photo is the sum of a common vector and those of its brand, category, style, product, and its own deviation, each
normally distributed with variances that decrease like those of real photos. Most photos of a product are near each
other, some (a detail, a back) are not. The sizes are fitted to the built-in descriptor's embeddings of the 216 photos
of `photos.csv` (158 garments) beside the project; for as many photos, both have these cosines:

| of 216 photos, cosine at              | real                | synthetic           |
|---------------------------------------|---------------------|---------------------|
| two photos of a garment: 5, 50, 95 %  | 0.54, 0.88, 0.98    | 0.58, 0.90, 0.98    |
| of two garments: 5, 50, 95 %          | 0.15, 0.32, 0.71    | 0.12, 0.38, 0.64    |
| nearest other garment's: 10, 50, 90 % | 0.72, 0.85, 0.91    | 0.69, 0.84, 0.90    |
| fifth nearest                         | 0.59, 0.72, 0.85    | 0.59, 0.71, 0.83    |
| directions that count (sum v)²/sum v² | 17                  | 18                  |
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from unde_catalog.stages.visual_index.model import Numbers
from unde_catalog.stores.staging.index.embeddings import SIZE

Ids = npt.NDArray[np.intp]

_MEAN, _BRAND, _CATEGORY, _STYLE, _PRODUCT, _PHOTO = 0.6, 0.1, 0.65, 0.3, 0.2, 0.31  # lengths of the components
_STYLES = 20  # of a category
_UNLIKE = {"product": 0.3, "photos of a product": 0.35, "photo": 0.5}  # variation of those lengths: sigma of the log
_SLICE = 20_000  # photos at a time


@dataclass(frozen=True, slots=True)
class Photos:
    """Embeddings, grouped by product, and the properties of the products as numbers from 0."""

    vectors: Numbers  # (products x photos, 512), each of length 1
    queries: Numbers  # (queries, 512): further photos of some products
    of_query: Ids  # (queries,): the product of each
    brand: Ids  # (products,)
    category: Ids  # (products,)
    per_product: int  # photos per product

    @property
    def product(self) -> Ids:
        """(photos,): the product of each photo."""
        return np.arange(len(self.vectors)) // self.per_product

    def exact(self, query: Numbers, matching: npt.NDArray[np.bool_], top_k: int) -> Ids:
        """The matching products, ranked by their nearest photo, by comparing all. `matching` has shape (products,)."""
        best = (self.vectors @ query).reshape(-1, self.per_product).max(1)
        best[~matching] = -2
        top_k = min(top_k, int(matching.sum()))
        nearest = np.argpartition(-best, top_k - 1)[:top_k]
        return nearest[np.argsort(-best[nearest])]


def photos(products: int, per_product: int, queries: int, *, brands: int, categories: int, seed: int = 1) -> Photos:
    """Generate embeddings, always the same for a seed. The first brands and categories have the most products."""
    random = np.random.default_rng(seed)
    position = np.arange(1, SIZE + 1)
    variance = position**-0.75 * np.exp(-position / 60)
    deviation = np.sqrt(variance / variance.sum()).astype(np.float32)

    def normal(rows: int) -> Numbers:
        return random.standard_normal((rows, SIZE), np.float32) * deviation

    def variation(sigma: float, rows: int) -> Numbers:
        return np.exp(random.normal(0, sigma, (rows, 1))).astype(np.float32)

    mean = random.standard_normal(SIZE, np.float32)
    mean *= _MEAN / np.linalg.norm(mean)
    brand = _drawn(random, brands, 0.5, products)
    category = _drawn(random, categories, 0.7, products)
    style = category * _STYLES + random.integers(0, _STYLES, products)
    centre = (
        mean
        + (normal(brands) * _BRAND)[brand]
        + (normal(categories) * _CATEGORY)[category]
        + (normal(categories * _STYLES) * _STYLE)[style]
        + normal(products) * _PRODUCT * variation(_UNLIKE["product"], products)
    )
    spread = _PHOTO * variation(_UNLIKE["photos of a product"], products)

    def shot(of: Ids) -> Numbers:
        vector = centre[of] + normal(len(of)) * spread[of] * variation(_UNLIKE["photo"], len(of))
        return vector / np.linalg.norm(vector, axis=1, keepdims=True)

    of_photo = np.repeat(np.arange(products), per_product)
    vectors = np.empty((len(of_photo), SIZE), np.float32)
    for at in range(0, len(of_photo), _SLICE):
        vectors[at : at + _SLICE] = shot(of_photo[at : at + _SLICE])
    of_query = random.choice(products, queries, replace=False)
    return Photos(vectors, shot(of_query), of_query, brand, category, per_product)


def _drawn(random: np.random.Generator, kinds: int, falling: float, rows: int) -> Ids:
    """Draw kinds with decreasing frequency: the k-th has k**-falling times that of the first."""
    weight = np.arange(1, kinds + 1) ** -falling
    return random.choice(kinds, rows, p=weight / weight.sum())
