"""The meaning of a score between two photos by model, measured on real photos.

`benchmarks/bench_visual.py` measures it; models that it did not measure have no figures here.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ScoreStep:
    """The share of pairs of photos with at least this score (a cosine) that show the same garment, from 0 to 1."""

    at_least: float
    same_garment: float


# By model: all pairs of 216 photos of 158 garments.
_MEASURED: Mapping[str, tuple[ScoreStep, ...]] = {
    "descriptor@1": (ScoreStep(0.95, 0.91), ScoreStep(0.9, 0.53), ScoreStep(0.8, 0.12), ScoreStep(0.7, 0.06)),
}


def measured(model: str) -> tuple[ScoreStep, ...]:
    """The steps of a model, the highest score first; () if it was not measured."""
    return _MEASURED.get(model, ())
