"""Compares staging, production and the sandbox's log after simulated days, product by product.

The expectations follow from the sandbox's stock and log, never from the reports of stages.
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
    """Figures by name, and `differences` with a sentence for each violated expectation."""
    differences: list[str] = []
    brands = [brand for brand, brand_settings in settings.brands.items() if brand_settings.apify_task]
    figures: dict[str, Any] = {"brands": brands}
    products = execute(db, "SELECT * FROM raw_products ORDER BY brand, external_id")
    figures["products"] = len(products)
    figures["image_status"] = dict(Counter(row["image_status"] for row in products))
    tasks = {brand_settings.apify_task: brand for brand, brand_settings in settings.brands.items()}
    started = [entry["path"].split("/")[3] for entry in sandbox.log("apify.start") if entry["status"] == 201]
    starts = Counter(tasks[task] for task in started)
    figures["scrapes paid"] = sum(starts.values())
    differences += [f"{brand}: {starts[brand]} scrapes were paid for" for brand in brands if starts[brand] != 1]
    differences += _photos(sandbox, db, products)
    differences += _stock(sandbox, settings, db, products, begin, end, figures)
    differences += _published(db, production, products, brands, figures)
    leased = execute(db, "SELECT 1 FROM due_work WHERE lease_token IS NOT NULL")
    if leased:
        differences.append(f"{len(leased)} products are still leased")
    figures["differences"] = differences
    return figures


def _photos(sandbox: Sandbox, db: Database, products: list[dict[str, Any]]) -> list[str]:
    """Every available photo is stored after one complete response; every other photo has a reason."""
    differences = []
    complete = Counter(
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
        if row["state"] == "stored" and not complete[path]:
            differences.append(f"{row['external_id']}: stored, though {path} was never served completely")
        if row["state"] != "stored" and complete[path]:
            differences.append(
                f"{row['external_id']}: {path} was served completely, but is {row['state']} ({row['reason']})"
            )
    for row in products:
        states = by_product.get(row["external_id"], [])
        expected = "collage_ready" if "stored" in states else "error" if states else "pending"
        still_tries = row["image_status"] in ("pending", "uploaded") and set(states) != {"stored"}
        if row["image_status"] != expected and not still_tries:
            differences.append(f"{row['external_id']}: image_status {row['image_status']}, its photos are {states}")
    return differences


def _stock(
    sandbox: Sandbox, settings: Settings, db: Database, products: list[dict[str, Any]], begin: datetime,
    end: datetime, figures: dict[str, Any],
) -> list[str]:  # fmt: skip
    """The recorded stock of each product is that of its last check, which was within the last hour."""
    differences = []
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
        stores, checked = settings.brands[row["brand"]].stores, due[key]["done_at"]
        if not stores:
            continue
        if checked is None:
            unknown += 1
            if key in rows:
                differences.append(f"{key}: never checked, but has stock rows")
            continue
        known += 1
        if due[key]["attempts"] == 0 and checked < end - timedelta(hours=1, minutes=5):
            differences.append(f"{key}: last checked {checked}")
        # Stock is as of the check. A throttled request may have waited while time passed.
        possible_stocks = [_expected_stock(sandbox, *key, checked - timedelta(seconds=ago)) for ago in (0, 60, 120)]
        if rows.get(key) not in [{store: stock.get(str(store), []) for store in stores} for stock in possible_stocks]:
            differences.append(f"{key}: {rows.get(key)} at {checked}, expected {possible_stocks[0]}")
    figures["stock known of"], figures["stock unknown of"] = known, unknown
    figures["availability rows"] = execute(db, "SELECT count(*) AS n FROM raw_availability")[0]["n"]
    return differences


_STOCK_CACHE: dict[tuple[str, str, datetime], dict[str, dict[str, list[str]]]] = {}


def _expected_stock(sandbox: Sandbox, brand: str, product: str, at: datetime) -> dict[str, list[str]]:
    moment = at.replace(microsecond=0)
    key = (sandbox.url, brand, moment)
    if key not in _STOCK_CACHE:
        query = urllib.parse.urlencode({"brand": brand, "at": moment.isoformat()})
        with urllib.request.urlopen(f"{sandbox.url}/_stock?{query}", timeout=30) as response:
            _STOCK_CACHE[key] = json.load(response)
    return _STOCK_CACHE[key].get(product, {})


def _published(
    db: Database, production: Database, products: list[dict[str, Any]], brands: list[str], figures: dict[str, Any]
) -> list[str]:
    """Exactly the valid products are on sale, with the stock that staging had when they were published."""
    differences = []
    published = 0
    for brand in brands:
        active = [row for row in products if row["brand"] == brand and row["active"]]
        valid = {
            row["external_id"]
            for row in active
            if row["name"] and row["category"] and row["price"] and row["image_urls"]
        }
        stock = on_sale(production, brand)
        published += len(stock)
        differences += [f"{brand}/{one}: on sale, but invalid" for one in stock - valid]
        differences += [f"{brand}/{one}: valid, but not on sale" for one in valid - stock]
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
        staged = latest.get((row["brand"], row["external_id"], row["store_id"]))
        if staged is None:
            differences.append(f"{row['brand']}/{row['external_id']}: published stock is missing in staging")
        elif staged["fetched_at"] == row["fetched_at"] and staged["sizes_in_stock"] != row["sizes_in_stock"]:
            differences.append(f"{row['brand']}/{row['external_id']}: published stock differs from staging")
    return differences
