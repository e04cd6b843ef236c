"""Single products as the deployed services leave them: rows, objects, and what became of them."""

import io
import json
import logging
from typing import Any

import psycopg
from PIL import Image

from unde_catalog.backends import Backends
from unde_catalog.stages.run import adopt_products, run_stage
from unde_catalog.stages.stage_run import StageRun
from unde_catalog.worker.report import RunOptions, StageReport

BUCKET = "https://unde-images.hel1.your-objectstorage.com"


def jpeg(colour: str, width: int = 120, height: int = 160) -> bytes:
    body = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(body, "JPEG")
    return body.getvalue()


def adopt(backends: Backends) -> StageReport:
    return adopt_products(StageRun("zara", backends, RunOptions(), logging.getLogger("test")))


def run(backends: Backends, stage: str) -> StageReport:
    return run_stage(stage, StageRun("zara", backends, RunOptions(), logging.getLogger("test")))


def put(backends: Backends, external_id: str, numbers: list[int], *, collage: bool = False) -> None:
    for n in numbers:
        backends.store.put(f"originals/zara/{external_id}/{n}.jpg", jpeg(f"#{n}0{n}0{n}0"), "image/jpeg")
    if collage:
        backends.store.put(f"collages/zara/{external_id}.jpg", jpeg("white", 300), "image/jpeg")


def insert(outside: psycopg.Connection[Any], external_id: str, status: str | None, **columns: Any) -> int:
    """A row as the deployed services leave it."""
    sources = [f"http://photos.example/{external_id}-{n}.jpg" for n in (1, 2, 3)]
    photos = [f"{BUCKET}/originals/zara/{external_id}/{n}.jpg" for n in (1, 2, 3)]
    values = {
        "source": "apify_zara",
        "external_id": external_id,
        "brand": "zara",
        "scraped_at": "2026-11-01T00:00:00Z",
        "image_status": status,
        "original_image_urls": json.dumps(sources),
        "image_urls": json.dumps(photos) if status in ("uploaded", "collage_ready") else None,
        "collage_url": f"{BUCKET}/collages/zara/{external_id}.jpg" if status == "collage_ready" else None,
        "index_scope": "pilot",
    } | columns
    places = ", ".join(["%s"] * len(values))
    statement = f"INSERT INTO raw_products ({', '.join(values)}) VALUES ({places}) RETURNING id"
    row = outside.execute(statement.encode(), list(values.values())).fetchone()
    assert row is not None
    return row[0]


def due(outside: psycopg.Connection[Any], product_id: int) -> set[str]:
    rows = outside.execute("SELECT stage FROM due_work WHERE product_id = %s AND due_at IS NOT NULL", (product_id,))
    return {row[0] for row in rows}


def columns(outside: psycopg.Connection[Any], product_id: int, names: str) -> tuple[Any, ...]:
    row = outside.execute(f"SELECT {names} FROM raw_products WHERE id = %s".encode(), (product_id,)).fetchone()
    assert row is not None
    return row
