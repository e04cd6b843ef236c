"""The output of `unde-catalog status` and `show`: the state of all brands, and everything about one product.

The SQL is in `stores/staging/reports/overview.py`; the commands are in `app.py`.
"""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from rich.text import Text

from unde_catalog.brands import BRANDS
from unde_catalog.stage_specs import DUE_STAGES
from unde_catalog.stages.availability import recurring
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.objects.objects import ObjectStore
from unde_catalog.stores.staging.admin import takeover
from unde_catalog.stores.staging.due_work import host_pace, pauses
from unde_catalog.stores.staging.due_work.statistics import alarms
from unde_catalog.stores.staging.reports import overview
from unde_catalog.text import quantity

_LABELS = {"in_hand": "leased", "waiting": "retry later", "given_up": "given up"}
_NO_PRODUCTS = {"done": 0, "due": 0, "in_hand": 0, "waiting": 0, "given_up": 0}


def status(db: Database, intervals: Mapping[tuple[str, str], timedelta] | None = None) -> dict[str, Any]:
    """The state of all brands in plain values. `intervals` of recurring stages by (brand, stage) add their figures.

    `{"brands": {"zara": {"raw_products": {"active": 20, ...}, "originals": {"done": 20, ..., "failures": {}}, ...,
    "image_status": {"collage_ready": 20}}}, "pauses": [...], "hosts": [...]}`. Recurring stages also have `checks`
    (`DueFigures`) and `alarms`. `hosts` are all known hosts; `pause` is 0 where a host is not throttled. `adoption`:
    products by brand whose objects another program stored and nobody recorded yet.
    """
    counts, failures = db.run(overview.stage_counts), db.run(overview.failures)
    products, images = db.run(overview.product_counts), db.run(overview.image_status_counts)
    scrapes = db.run(overview.last_scrapes)
    figures = recurring.due_figures(db, intervals or {})
    brands: dict[str, dict[str, Any]] = {}
    for brand in BRANDS:
        scrape = scrapes.get(brand)
        brands[brand] = {
            "raw_products": {
                **products.get(brand, {"active": 0, "inactive": 0}),
                "last_scrape": scrape["state"] if scrape else None,
                "last_scrape_at": scrape["started_at"].isoformat() if scrape else None,
                "failures": failures.get((brand, "raw_products"), {}),
            },
            **{
                stage: {**counts.get((brand, stage), _NO_PRODUCTS), "failures": failures.get((brand, stage), {})}
                for stage in DUE_STAGES
            },
            "image_status": images.get(brand, {}),
        }
        for stage in DUE_STAGES:
            if (found := figures.get((brand, stage))) is not None:
                brands[brand][stage] |= {"checks": found.as_dict(), "alarms": alarms(found)}
    hosts = [
        {**asdict(one), "slowed_at": one.slowed_at.isoformat() if one.slowed_at else None}
        for one in db.run(host_pace.states)
    ]
    paused = [
        {"brand": one.brand, "stage": one.stage, "why": one.why, "says": one.sentence()}
        for one in db.run(pauses.all_pauses)
    ]
    return {"brands": brands, "pauses": paused, "hosts": hosts, "adoption": db.read(takeover.unadopted)}


def status_view(state: Mapping[str, Any]) -> Text:
    """The same as text, a line for each stage."""
    text = Text()
    for one in state["pauses"]:
        text.append(f"{one['brand']} {one['stage']}: {one['says']}\n".replace("*", "all"), style="yellow")
    for brand, products in state["adoption"].items():
        text.append(f"{brand}: {quantity(products, 'product')} to adopt: unde-catalog adopt\n", style="yellow")
    for one in state["hosts"]:
        if one["pause"]:
            since = f"since {one['slowed_at']:.16} ({one['reason']})"
            text.append(f"{one['host']}: throttled, {one['pause']:.1f} s between requests {since}\n", style="yellow")
    for brand, stages in state["brands"].items():
        collected = stages["raw_products"]
        _heading(text, BRANDS[brand].name)
        scrape = f"last scrape {collected['last_scrape']}, " if collected["last_scrape"] else "never scraped, "
        known = {name: collected[name] for name in ("active", "inactive")}
        _counts(text, "raw_products", scrape + _listed(known), collected["failures"])
        for stage in DUE_STAGES:
            row = {_LABELS.get(name, name): stages[stage][name] for name in _NO_PRODUCTS if stages[stage][name]}
            nothing = (BRANDS[brand].why_no_stores if stage == recurring.AVAILABILITY else None) or "no products yet"
            _counts(text, stage, _listed(row) or nothing, stages[stage]["failures"])
            _checks(text, stages[stage])
        _counts(text, "image_status", _listed(stages["image_status"]) or "-", {})
    return text


def product_view(db: Database, store: ObjectStore, brand: str, external_id: str) -> Text:
    """Everything about a product, a line for each fact. ValueError for an unknown product."""
    found = db.run(overview.product, brand, external_id)
    if found is None:
        raise ValueError(f"{brand} has no product {external_id}")
    text = Text()
    _heading(text, f"{brand}/{external_id}")
    for name, value in found["product"].items():
        for line in value if isinstance(value, list) else [value]:
            text.append(f"  {name:20} ", style="dim").append(f"{_display(line)}\n")
    for stage in found["due_work"]:
        _heading(text, f"stage {stage['stage']}: {_state(stage)}")
        _facts(text, stage, leave_out=("stage", "given_up"))
    for photo in found["photos"]:
        _heading(text, f"photo {photo['n']}: {photo['state']}")
        _facts(text, photo, leave_out=("n", "state"))
        if photo["key"]:
            text.append("  object               ", style="dim").append(f"{_object(store, photo)}\n")
    if found["stock"]:
        _heading(text, "stock by store, as last known")
    for store_stock in found["stock"]:
        sizes = ", ".join(map(str, store_stock["sizes_in_stock"])) or "none"
        text.append(f"  {_display(store_stock['fetched_at'])}  {store_stock['shop']}: {sizes}\n")
    _heading(text, "prices, newest first")
    for price in found["prices"]:
        text.append(f"  {_display(price['seen_at'])}  {price['price']} {price['currency']}\n")
    for one in found["releases"]:
        text.append(f"  {one['price']} {one['currency']} was confirmed by {one['released_by']} on ")
        text.append(f"{_display(one['released_at'])}: {one['why']}\n")
    _heading(text, "last runs of the brand")
    for run in found["runs"]:
        message = f"  {run['error_message']}" if run["error_message"] else ""
        text.append(
            f"  {_display(run['started_at'])}  {run['scraper_name']}  {run['status']}  {run['run_id']}{message}\n"
        )
    return text


def _state(stage: Mapping[str, Any]) -> str:
    if stage["given_up"]:
        return f"given up, {stage['reason']}"
    if stage["leased_until"] is not None:
        return "leased, maybe by a worker that died"
    if stage["due_at"] is None:
        return "done" if stage["done_at"] else "nothing to do"
    if stage["attempts"]:
        return f"retry later, {stage['reason']}"
    return "checked, due again later" if stage["done_at"] and stage["stage"] == recurring.AVAILABILITY else "due"


def _object(store: ObjectStore, photo: Mapping[str, Any]) -> str:
    stored = store.head(photo["key"])
    if stored is None:
        return "missing"
    return f"{stored.size} bytes" + ("" if stored.size == photo["bytes"] else f", but {photo['bytes']} in its row")


def _counts(text: Text, name: str, counts: str, failures: Mapping[str, int]) -> None:
    text.append(f"  {name:13} ", style="dim").append(counts)
    if failures:
        text.append(f"  ({_listed(failures)})", style="red")
    text.append("\n")


def _checks(text: Text, stage: Mapping[str, Any]) -> None:
    """How evenly recurring work is spread, and its problems."""
    if found := stage.get("checks"):
        text.append(" " * 16)
        text.append(f"{found['in_time']:.1%} on time, {found['checked_last_hour']} checked within the last hour, ")
        text.append(f"{found['never_checked']} never checked; ")
        text.append(f"{found['emptiest']} to {found['fullest']} per minute, average {found['share']:g}\n")
        for alarm in stage["alarms"]:
            text.append(f"{' ' * 16}{alarm}\n", style="red")


def _heading(text: Text, title: str) -> None:
    text.append(f"{title}\n", style="bold")


def _facts(text: Text, row: Mapping[str, Any], leave_out: tuple[str, ...]) -> None:
    for name, value in row.items():
        if name not in leave_out and value is not None:
            text.append(f"  {name:20} ", style="dim").append(f"{_display(value)}\n")


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())


def _display(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:%Y-%m-%d %H:%M:%S}" if hasattr(value, "strftime") else str(value)
