"""Whether the visual index holds just the photos that the catalogue has, and can be searched."""

from unde_catalog.operations.quality.result import CheckResult
from unde_catalog.stages.visual_index.vector_store import NO_PGVECTOR
from unde_catalog.stores.staging.index.counts import EmbeddedCounts
from unde_catalog.text import quantity


def index_agrees(brand: str, now: EmbeddedCounts, mirrored: int | None) -> CheckResult:
    """Photos and embeddings agree. `mirrored`: how many Qdrant holds of the brand, None where it is not used."""
    figures = {
        "photos": now.photos, "embedded": now.embedded, "left_over": now.left_over, "waiting": now.waiting,
        **({} if mirrored is None else {"qdrant": mirrored}),
    }  # fmt: skip
    if now.serving is None and not now.photos:
        return CheckResult(True, f"nothing of {brand} is in the index's scope yet", figures=figures)
    told = f"{now.embedded} of {now.photos} photos of {brand} are in the index, by {now.serving}"
    if now.waiting:
        told += f", {quantity(now.waiting, 'product')} {'waits or fails' if now.waiting == 1 else 'wait or fail'}"
    if now.building is not None:
        told += f"; {now.building} is being built beside it"
    if mirrored is None and not now.searchable:
        return CheckResult(False, f"{told}: {NO_PGVECTOR}", figures=figures)
    if now.left_over or now.embedded < now.photos and now.building is None:
        if now.left_over:
            told += f", and {now.left_over} that the catalogue has no more"
        todo = "somebody wrote past the triggers (a restore of single tables)"
        return CheckResult(False, f"{told}: {todo}; run visual_index of {brand} with force", figures=figures)
    # While products are at work, the two are read at two moments.
    if mirrored is not None and mirrored != now.mirrored and not now.waiting:
        todo = f"Qdrant holds {mirrored} where it is to hold {now.mirrored}: run unde-catalog vectors rebuild"
        return CheckResult(False, f"{told}; {todo}", figures=figures)
    return CheckResult(True, told, figures=figures)


def not_counted(brand: str, why: str) -> CheckResult:
    """Qdrant could not be asked."""
    return CheckResult(False, f"the index of {brand} can't be counted: {why}")
