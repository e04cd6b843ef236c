"""What staging, objects, production and the sandbox's log must be after days of the clock, product by product.

Computed from the sandbox's own truth and log, never from what the stages reported.
"""

import json
import urllib.parse
import urllib.request
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from unde_catalog.settings.environment import Settings
from unde_catalog.stores.db.database import Database
from unde_catalog_tests.support.due import execute
from unde_catalog_tests.support.publishing import on_sale
from unde_catalog_tests.support.servers import Sandbox


def compare(
    sandbox: Sandbox, settings: Settings, db: Database, production: Database, begin: datetime, end: datetime
) -> dict[str, Any]:
    """Figures by name, and `differences`: a sentence for each thing that is not as it must be."""
    wrong: list[str] = []
    brands = [brand for brand, own in settings.brands.items() if own.apify_task]
    figures: dict[str, Any] = {"brands": brands}
    products = execute(db, "SELECT * FROM raw_products ORDER BY brand, external_id")
    figures["products"] = len(products)
    figures["image_status"] = dict(Counter(row["image_status"] for row in products))
    tasks = {own.apify_task: brand for brand, own in settings.brands.items()}
    started = [entry["path"].split("/")[3] for entry in sandbox.log("apify.start") if entry["status"] == 201]
    starts = Counter(tasks[task] for task in started)
    figures["scrapes paid"] = sum(starts.values())
    wrong += [f"{brand}: {starts[brand]} scrapes were paid for" for brand in brands if starts[brand] != 1]
    wrong += _photos(sandbox, db, products)
    wrong += _stock(sandbox, settings, db, products, begin, end, figures)
    wrong += _published(db, production, products, brands, figures)
    left = execute(db, "SELECT 1 FROM due_work WHERE lease_token IS NOT NULL")
    if left:
        wrong.append(f"{len(left)} products are still in hand")
    figures["differences"] = wrong
    return figures


def _photos(sandbox: Sandbox, db: Database, products: list[dict[str, Any]]) -> list[str]:
    """Every photo that can be had is stored, from one whole answer each; what can't has its reason."""
    wrong = []
    whole = Counter(
        entry["path"] for entry in sandbox.log("photo") if entry["status"] == 200 and not entry.get("fault")
    )
    stored = execute(
        db,
        "SELECT p.external_id, f.source_url, f.state, f.reason FROM product_photos f JOIN raw_products p"
        " ON p.id = f.product_id",
    )
    by_product: dict[str, list[str]] = {}
    for row in stored:
        by_product.setdefault(row["external_id"], []).append(row["state"])
        path = urllib.parse.urlsplit(row["source_url"]).path
        if row["state"] == "stored" and not whole[path]:
            wrong.append(f"{row['external_id']}: stored, though {path} was never served whole")
        if row["state"] != "stored" and whole[path]:
            wrong.append(f"{row['external_id']}: {path} was served whole, and is {row['state']} ({row['reason']})")
    for row in products:
        states = by_product.get(row["external_id"], [])
        expected = "collage_ready" if "stored" in states else "error" if states else "pending"
        still_tries = row["image_status"] in ("pending", "uploaded") and set(states) != {"stored"}
        if row["image_status"] != expected and not still_tries:
            wrong.append(f"{row['external_id']}: image_status {row['image_status']}, its photos are {states}")
    return wrong


def _stock(
    sandbox: Sandbox, settings: Settings, db: Database, products: list[dict[str, Any]], begin: datetime,
    end: datetime, figures: dict[str, Any],
) -> list[str]:  # fmt: skip
    """The last known stock of each product is what lay in the shops when it was last checked, once an hour."""
    wrong = []
    checks: Counter[str] = Counter()
    clean: dict[tuple[str, str], int] = {}
    for entry in sandbox.log("stock"):
        checks[entry["brand"]] += 1
        if entry["status"] == 200 and not entry.get("fault"):
            key = (entry["brand"], str(entry["product"]))
            clean[key] = clean.get(key, 0) + 1
    figures["stock requests"] = dict(checks)
    due = {
        (row["brand"], row["external_id"]): row
        for row in execute(
            db,
            "SELECT p.brand, p.external_id, w.done_at, w.attempts, w.given_up, w.reason FROM raw_products p"
            " LEFT JOIN due_work w ON w.product_id = p.id AND w.stage = 'availability'",
        )
    }
    rows: dict[tuple[str, str], dict[int, list[str]]] = {}
    for row in execute(db, "SELECT * FROM raw_availability ORDER BY fetched_at"):
        rows.setdefault((row["brand"], row["product_id"]), {})[row["store_id"]] = row["sizes_in_stock"]
    known = unknown = 0
    for row in products:
        key = (row["brand"], row["external_id"])
        shops, checked = settings.brands[row["brand"]].stores, due[key]["done_at"]
        if not shops:
            continue
        if checked is None:
            unknown += 1
            if key in rows:
                wrong.append(f"{key}: never known, and written")
            continue
        known += 1
        if due[key]["attempts"] == 0 and checked < end - timedelta(hours=1, minutes=5):
            wrong.append(f"{key}: last checked {checked}")
        # Fetched when it was checked; under distress a request may wait while the clock goes on.
        truths = [_truth(sandbox, *key, checked - timedelta(seconds=ago)) for ago in (0, 60, 120)]
        if rows.get(key) not in [{shop: there.get(str(shop), []) for shop in shops} for there in truths]:
            wrong.append(f"{key}: {rows.get(key)} at {checked}, in the shops were {truths[0]}")
    figures["stock known of"], figures["stock unknown of"] = known, unknown
    figures["availability rows"] = execute(db, "SELECT count(*) AS n FROM raw_availability")[0]["n"]
    return wrong


_TRUTHS: dict[tuple[str, str, datetime], dict[str, dict[str, list[str]]]] = {}


def _truth(sandbox: Sandbox, brand: str, product: str, at: datetime) -> dict[str, list[str]]:
    moment = at.replace(microsecond=0)
    key = (sandbox.url, brand, moment)
    if key not in _TRUTHS:
        query = urllib.parse.urlencode({"brand": brand, "at": moment.isoformat()})
        with urllib.request.urlopen(f"{sandbox.url}/_stock?{query}", timeout=30) as answer:
            _TRUTHS[key] = json.load(answer)
    return _TRUTHS[key].get(product, {})


def _published(
    db: Database, production: Database, products: list[dict[str, Any]], brands: list[str], figures: dict[str, Any]
) -> list[str]:
    """On sale is what passes verification, with the stock that staging knew when it was published."""
    wrong = []
    published = 0
    for brand in brands:
        own = [row for row in products if row["brand"] == brand and row["active"]]
        good = {
            row["external_id"] for row in own if row["name"] and row["category"] and row["price"] and row["image_urls"]
        }
        there = on_sale(production, brand)
        published += len(there)
        wrong += [f"{brand}/{one}: on sale, and fails verification" for one in there - good]
        wrong += [f"{brand}/{one}: passes verification, and is not on sale" for one in good - there]
    figures["on sale"] = published
    stock = execute(
        production, "SELECT brand, external_id, store_id, sizes_in_stock, fetched_at FROM catalog_availability"
    )
    figures["stock rows published"] = len(stock)
    latest = {
        (row["brand"], row["product_id"], row["store_id"]): row
        for row in execute(db, "SELECT * FROM raw_availability ORDER BY fetched_at")
    }
    for row in stock:
        mine = latest.get((row["brand"], row["external_id"], row["store_id"]))
        if mine is None:
            wrong.append(f"{row['brand']}/{row['external_id']}: stock published that staging does not know")
        elif mine["fetched_at"] == row["fetched_at"] and mine["sizes_in_stock"] != row["sizes_in_stock"]:
            wrong.append(f"{row['brand']}/{row['external_id']}: other stock published than staged")
    return wrong
