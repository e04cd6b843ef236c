"""What the UI shows of a run of a stage: numbers, failures by reason, links; or one sentence where it failed.

The numbers come from `worker/report.py`; metadata of the assets themselves is in `asset_metadata.py`.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.request import url2pathname

import dagster as dg

from unde_catalog.stage_specs import STAGE_SPECS
from unde_catalog.stores.db.database import DatabaseUnavailable
from unde_catalog.stores.embedded.errors import EmbeddedPostgresError
from unde_catalog.stores.objects.objects import StorageUnavailable
from unde_catalog.text import shorten
from unde_catalog.worker.handler import StageStopped
from unde_catalog.worker.loop import UnknownProducts
from unde_catalog.worker.report import StageReport

_NOTHING_DUE = "nothing was due"
_DETAIL_LIMIT = 300  # characters; some hosts answer with a page of text
_COLUMNS = {"reason": "string", "products": "int", "outcome": "string", "examples": "string", "detail": "string"}


def metadata_of(report: StageReport, content: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What happened, why products failed, what is stored in all (`content`), then the numbers that are not 0."""
    metadata: dict[str, Any] = {}
    if not report.idle or not report.note:  # a note alone says why nothing was done
        metadata["summary"] = _NOTHING_DUE if report.idle else report.summary()
    if report.note:
        metadata["note"] = report.note
    if report.failed:
        metadata["failures"] = failure_table(report)
    metadata |= content or {}
    numbers = {
        "done": report.done,
        "failed": report.failed,
        "still_due": report.still_due,
        "leased_elsewhere": report.leased_elsewhere,
        "released": report.released,
        "superseded": report.superseded,
        **{name: report.counts[name] for name in STAGE_SPECS[report.stage].counters},
        **report.counts,
        "seconds": round(report.seconds, 2),
        "products_per_second": round(report.per_second, 2),
    }
    return metadata | {name: number for name, number in numbers.items() if number}


def failure_table(report: StageReport) -> dg.TableMetadataValue:
    """A row for each reason, the most frequent first; the detail is that of the first product."""
    rows = []
    for reason, products in report.failures().items():
        outcomes = [
            f"{counts[reason]} {outcome}"
            for outcome, counts in (("retry later", report.later), ("given up", report.given_up))
            if counts[reason]
        ]
        rows.append(
            dg.TableRecord(
                {
                    "reason": reason,
                    "products": products,
                    "outcome": ", ".join(outcomes),
                    "examples": ", ".join(report.examples.get(reason, [])),
                    "detail": shorten(report.details.get(reason, ""), _DETAIL_LIMIT),
                }
            )
        )
    schema = dg.TableSchema(columns=[dg.TableColumn(name, type) for name, type in _COLUMNS.items()])
    return dg.MetadataValue.table(rows, schema)


def location_of(public_url: str) -> dg.MetadataValue:
    """Where an object is: a link, or a path on this machine, because browsers open no `file://` links of a web page."""
    if public_url.startswith("file://"):
        return dg.MetadataValue.path(url2pathname(public_url.removeprefix("file://")))
    return dg.MetadataValue.url(public_url)


@contextmanager
def fail_in_one_sentence(failure: str) -> Iterator[None]:
    """Turn errors that no product causes into a failed step with one sentence.

    `failure` starts the sentence where the error is not the stage's own.
    """
    try:
        yield
    except StageStopped as stopped:
        raise dg.Failure(str(stopped), metadata=metadata_of(stopped.report), allow_retries=False) from stopped
    except UnknownProducts as unknown:
        raise dg.Failure(str(unknown), allow_retries=False) from unknown
    except (DatabaseUnavailable, StorageUnavailable, EmbeddedPostgresError) as down:
        raise dg.Failure(f"{failure}: {down}", allow_retries=False) from down


@contextmanager
def failure_on_partition(context: dg.AssetExecutionContext | dg.OutputContext, partition: str) -> Iterator[None]:
    """Show why a step failed on the page of its partition: as an observation, whose metadata the UI lists there."""
    try:
        yield
    except dg.Failure as failure:
        metadata = {"failure": failure.description or ""}
        context.log_event(dg.AssetObservation(context.asset_key, partition=partition, metadata=metadata))
        raise
