"""Measures how well a garment is found by another photo of it. It takes seconds for the descriptor.

It uses the products of `photos.csv` beside the project that have several views. Each of their photos is a query, all
other photos are the index, and products are ranked by their best photo. CLIP is measured if `CLIP_MODEL_DIR` is set.
The descriptor's weights were chosen with the same photos, so results for other stores may be somewhat worse.
"""

import csv
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from unde_catalog.settings.environment import load_settings
from unde_catalog.stages.photos.decode import Refused
from unde_catalog.stages.visual_index import clip
from unde_catalog.stages.visual_index.descriptor import Descriptor
from unde_catalog.stages.visual_index.model import EmbeddingModel, Numbers
from unde_catalog.stages.visual_index.model_image import model_image
from unde_catalog_tests.support.servers import REAL_DATA

KINDS: dict[str, Callable[[dict[str, str]], bool]] = {
    "all": lambda row: True,
    "another side": lambda row: row["source"] == "magento_luma",
    "garment and worn": lambda row: row["source"] == "vton_garment",
}
THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95)


def products(rows: Sequence[dict[str, str]]) -> list[tuple[str, str, str]]:
    """The garment of each photo: a product in a colour."""
    return [(row["source"], row["product"], row["colour"]) for row in rows]


def embed(model: EmbeddingModel, folder: Path, rows: Sequence[dict[str, str]]) -> Numbers:
    """The vectors of all photos, as rows."""
    found = []
    for row in rows:
        image = model_image((folder / row["path"]).read_bytes())
        assert not isinstance(image, Refused), f"{row['path']}: {image}"
        found.append(model.embed_images([image])[0])
    return np.stack(found)


def ranks(vectors: Numbers, garments: Sequence[object]) -> dict[int, int]:
    """The rank of its garment for each photo of a garment with several photos."""
    scores = vectors @ vectors.T
    found = {}
    for query, garment in enumerate(garments):
        best: dict[object, float] = {}
        for photo, of in enumerate(garments):
            if photo != query:
                best[of] = max(best.get(of, -1.0), float(scores[query, photo]))
        if garment in best:
            found[query] = 1 + sum(score > best[garment] for score in best.values())
    return found


def print_ranks(rows: Sequence[dict[str, str]], ranked: dict[int, int]) -> None:
    """Recall at 1, 5 and 10, and mean reciprocal rank."""
    for kind, is_of in KINDS.items():
        ranks_found = np.array([rank for query, rank in ranked.items() if is_of(rows[query])])
        recalls = "".join(f"{(ranks_found <= k).mean():10.3f}" for k in (1, 5, 10))
        print(f"  {kind:20}{len(ranks_found):8}{recalls}{(1 / ranks_found).mean():10.3f}")


def pairs(vectors: Numbers, garments: Sequence[object]) -> tuple[Numbers, npt.NDArray[np.bool_]]:
    """The score of every pair of photos, and whether both show the same garment."""
    of = np.array([hash(garment) for garment in garments])
    one, other = np.triu_indices(len(of), 1)
    return (vectors @ vectors.T)[one, other], of[one] == of[other]


def print_thresholds(vectors: Numbers, garments: Sequence[object]) -> None:
    """Print for minimum scores the share of pairs of one garment, and the share of such pairs found.

    `stages/visual_index/score_calibration.py` contains these shares.
    """
    scores, same = pairs(vectors, garments)
    for threshold in THRESHOLDS:
        above = scores >= threshold
        right = (above & same).sum()
        share = f"{right / above.sum():10.3f}" if above.any() else f"{'-':>10}"
        print(f"  {threshold:<20}{above.sum():8}{share}{right / same.sum():10.3f}")


def main() -> None:
    """Print the figures."""
    if not (REAL_DATA / "photos.csv").is_file():
        print(f"there are no real photos in {REAL_DATA}")
        return
    with (REAL_DATA / "photos.csv").open() as file:
        rows = list(csv.DictReader(file))
    settings = load_settings()
    models: list[EmbeddingModel] = [Descriptor()]
    if clip.is_available(settings.clip_model_dir, settings.home):
        models.append(clip.load(settings.clip_model_dir, settings.home, may_download=False))
    garments = products(rows)
    for model in models:
        began = time.perf_counter()
        vectors = embed(model, REAL_DATA, rows)
        took = (time.perf_counter() - began) / len(rows) * 1000
        print(f"{model.name}: {len(rows)} photos of {len(set(garments))} garments, {took:.1f} ms each with decoding")
        print(f"  {'find the garment by':20}{'queries':>8}{'recall@1':>10}{'@5':>10}{'@10':>10}{'MRR':>10}")
        print_ranks(rows, ranks(vectors, garments))
        print(f"  {'score at least':20}{'pairs':>8}{'same':>10}{'found':>10}")
        print_thresholds(vectors, garments)
    if len(models) == 1:
        print("CLIP: not measured, set CLIP_MODEL_DIR")


if __name__ == "__main__":
    main()
