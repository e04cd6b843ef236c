"""Whether the visual index contains exactly the photos that the catalogue has, and can be searched."""

from unde_catalog.operations.quality.result import CheckResult
from unde_catalog.stages.visual_index.vector_store import why_not_searchable
from unde_catalog.stores.staging.index.counts import EmbeddedCounts
from unde_catalog.text import quantity


def index_agrees(brand: str, now: EmbeddedCounts, mirrored: int | None) -> CheckResult:
    """Photos and embeddings agree. `mirrored`: the brand's vectors in Qdrant, None where Qdrant is not used."""
    figures = {
        "photos": now.photos, "embedded": now.embedded, "left_over": now.left_over, "waiting": now.waiting,
        **({} if mirrored is None else {"qdrant": mirrored}),
    }  # fmt: skip
    if now.serving is None and not now.photos:
        return CheckResult(True, f"No product of {brand} is in the index's scope yet.", figures=figures)
    message = f"{now.embedded} of {now.photos} photos of {brand} are in the index, embedded by {now.serving}."
    if now.waiting:
        verb = "waits or fails" if now.waiting == 1 else "wait or fail"
        message += f" {quantity(now.waiting, 'product')} {verb}."
    if now.building is not None:
        message += f" The index of {now.building} is being built."
    if mirrored is None and not now.searchable:
        return CheckResult(
            False, f"{message} Search is unavailable: {why_not_searchable(now.pgvector)}.", figures=figures
        )
    if now.left_over or now.embedded < now.photos and now.building is None:
        if now.left_over:
            message += f" Embeddings of photos that the catalogue no longer has: {now.left_over}."
        message += f" The triggers were bypassed (a restore of single tables). Run visual_index of {brand} with force."
        return CheckResult(False, message, figures=figures)
    # While products are being processed, the two counts belong to different moments.
    if mirrored is not None and mirrored != now.mirrored and not now.waiting:
        message += f" Qdrant has {mirrored} vectors instead of {now.mirrored}: run unde-catalog vectors rebuild."
        return CheckResult(False, message, figures=figures)
    return CheckResult(True, message, figures=figures)


def not_counted(brand: str, reason: str) -> CheckResult:
    """Qdrant could not be reached."""
    return CheckResult(False, f"The index of {brand} could not be counted: {reason}")
