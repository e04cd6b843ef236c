"""What a terminal shows of the catalogue: its state as a table or JSON, and all that is known of one product.

The queries are `staging/reports.py`'s.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from unde_catalog.brands import BRANDS
from unde_catalog.pipeline import DUE_STAGES
from unde_catalog.staging import reports
from unde_catalog.staging.database import Database
from unde_catalog.storage.objects import ObjectStore

_NONE = {"done": 0, "due": 0, "in_hand": 0, "waiting": 0, "given_up": 0}


def status(db: Database) -> dict[str, dict[str, dict[str, Any]]]:
    """The state of all brands, in plain values.

    `{"brands": {"zara": {"raw_products": {"active": 20, ...}, "originals": {"done": 20, ..., "failures": {}}, ...,
    "image_status": {"collage_ready": 20}}}}`
    """
    counts, failures = db.run(reports.stage_counts), db.run(reports.failures)
    products, images = db.run(reports.product_counts), db.run(reports.image_status_counts)
    scrapes = db.run(reports.last_scrapes)
    answer: dict[str, dict[str, Any]] = {}
    for brand in BRANDS:
        scrape = scrapes.get(brand)
        answer[brand] = {
            "raw_products": {
                **products.get(brand, {"active": 0, "inactive": 0}),
                "last_scrape": scrape["state"] if scrape else None,
                "last_scrape_at": scrape["started_at"].isoformat() if scrape else None,
                "failures": failures.get((brand, "raw_products"), {}),
            },
            **{
                stage: {**counts.get((brand, stage), _NONE), "failures": failures.get((brand, stage), {})}
                for stage in DUE_STAGES
            },
            "image_status": images.get(brand, {}),
        }
    return {"brands": answer}


def status_table(state: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> RenderableType:
    """The same for people."""
    table = Table("brand", "products", "stage", "done", "due", "in hand", "waiting", "given up", "failures")
    for brand, stages in state["brands"].items():
        products = stages["raw_products"]
        scrape = f"scrape {products['last_scrape']}" if products["last_scrape"] else "never scraped"
        first = [BRANDS[brand].name, f"{products['active']} active, {products['inactive']} inactive, {scrape}"]
        table.add_row(*first, "raw_products", "", "", "", "", "", _listed(products["failures"]))
        for stage in DUE_STAGES:
            row = stages[stage]
            numbers = [str(row[name]) for name in ("done", "due", "in_hand", "waiting", "given_up")]
            table.add_row("", "", stage, *numbers, _listed(row["failures"]))
        statuses = _listed(stages["image_status"])
        table.add_row("", "", "image_status", "", "", "", "", "", statuses, end_section=True)
    return table


def product_view(db: Database, store: ObjectStore, brand: str, external_id: str) -> RenderableType:
    """Everything known of a product; ValueError for one that is not there."""
    found = db.run(reports.product, brand, external_id)
    if found is None:
        raise ValueError(f"{brand} has no product {external_id}")
    photos = [{**photo, "object": _object(store, photo["key"])} for photo in found["photos"]]
    return Group(
        _pairs(f"{brand}/{external_id}", found["product"]),
        _rows("Stages", found["due_work"]),
        _rows("Photos", photos),
        _rows("Prices", found["prices"]),
        _rows("Last runs of its brand", found["runs"]),
    )


def _object(store: ObjectStore, key: str | None) -> str:
    if key is None:
        return ""
    found = store.head(key)
    return f"{found.size} bytes" if found else "missing"


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())


def _pairs(title: str, values: Mapping[str, Any]) -> Table:
    table = Table("field", "value", title=title, show_header=False, title_justify="left")
    for name, value in values.items():
        lines = value if isinstance(value, list) else [value]
        table.add_row(name, "\n".join(_shown(line) for line in lines))
    return table


def _rows(title: str, rows: Iterable[Mapping[str, Any]]) -> RenderableType:
    rows = list(rows)
    if not rows:
        return Text(f"{title}: none\n")
    table = Table(*rows[0], title=title, title_justify="left")
    for row in rows:
        table.add_row(*(_shown(value) for value in row.values()))
    return table


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:%Y-%m-%d %H:%M:%S}" if hasattr(value, "strftime") else str(value)
