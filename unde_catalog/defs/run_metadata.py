"""What an operator sees of a materialization: numbers, failures by reason, links; and one sentence where it failed.

What is stored or merged is the stages' and the IO managers' business.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.request import url2pathname

import dagster as dg

from unde_catalog.stage_specs import STAGE_SPECS
from unde_catalog.stores.db.database import DatabaseUnavailable
from unde_catalog.stores.embedded.errors import EmbeddedPostgresError
from unde_catalog.stores.objects.objects import StorageUnavailable
from unde_catalog.worker.handler import StageStopped
from unde_catalog.worker.loop import UnknownProducts
from unde_catalog.worker.report import StageReport

_LONGEST_DETAIL = 300  # characters: some answers of the far side are a page long


def metadata_of(report: StageReport) -> dict[str, Any]:
    """The numbers, under the same names in every run of a stage; failures and a note where there are any."""
    # First, as it says why all numbers may be 0: "the complete scrape of ... is recent enough".
    told: dict[str, Any] = {"note": report.note} if report.note else {}
    told |= {
        "done": report.done,
        "failed": report.failed,
        "still_due": report.still_due,
        "leased_elsewhere": report.leased_elsewhere,
        "released": report.released,
        "superseded": report.superseded,
        **dict.fromkeys(STAGE_SPECS[report.stage].counters, 0),  # without the zeros the plots would have holes
        **report.counts,
        "seconds": round(report.seconds, 2),
        "products_per_second": round(report.per_second, 2),
    }
    if report.failed:
        told["failures"] = failure_table(report)
    return told


def failure_table(report: StageReport) -> dg.TableMetadataValue:
    """A row for each reason, the most frequent first."""
    rows = []
    for reason, products in report.failures().items():
        outcomes = [
            f"{counts[reason]} {outcome}"
            for outcome, counts in (("tries again later", report.later), ("given up", report.given_up))
            if counts[reason]
        ]
        detail = report.details.get(reason, "")
        rows.append(
            dg.TableRecord(
                {
                    "reason": reason,
                    "products": products,
                    "outcome": ", ".join(outcomes),
                    "for example": ", ".join(report.examples.get(reason, [])),
                    "detail of the first": detail[:_LONGEST_DETAIL] + ("..." if len(detail) > _LONGEST_DETAIL else ""),
                }
            )
        )
    columns = ("reason", "products", "outcome", "for example", "detail of the first")
    types = {"products": "int"}
    schema = dg.TableSchema(columns=[dg.TableColumn(name, types.get(name, "string")) for name in columns])
    return dg.MetadataValue.table(rows, schema)


def location_of(public_url: str) -> dg.MetadataValue:
    """Where objects are: a link, or the path of what lies on this machine (a browser opens no `file://` links)."""
    if public_url.startswith("file://"):
        return dg.MetadataValue.path(url2pathname(public_url.removeprefix("file://")))
    return dg.MetadataValue.url(public_url)


@contextmanager
def fail_in_one_sentence(what: str) -> Iterator[None]:
    """What no product is to blame for fails the step with one sentence; `what` begins it where the stage did not."""
    try:
        yield
    except StageStopped as stopped:
        raise dg.Failure(str(stopped), metadata=metadata_of(stopped.report), allow_retries=False) from stopped
    except UnknownProducts as unknown:
        raise dg.Failure(str(unknown), allow_retries=False) from unknown
    except (DatabaseUnavailable, StorageUnavailable, EmbeddedPostgresError) as down:
        raise dg.Failure(f"{what}: {down}", allow_retries=False) from down
