"""A brand that the sandbox's Apify serves, with its own database; shared by the tests of collecting."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from unde_catalog.settings.environment import load_settings
from unde_catalog.stages.raw_products.collect import ProductStream
from unde_catalog.stores.db.database import Database
from unde_catalog.worker.handler import StageStopped
from unde_catalog.worker.report import RunOptions, StageReport
from unde_catalog_tests.support.servers import PROJECT, Sandbox, Server

TASK = "z1psVOTyIKFdU5N9n"
INTERNAL_COLUMNS = ("id", "scraped_at", "created_at", "updated_at", "last_scrape_id")


def item(number: int, **changes: Any) -> dict[str, Any]:
    """A complete dataset item."""
    photo = f"https://static.zara.net/a/{number:011d}-p.jpg?ts=1&w={{width}}"
    return {
        "id": number,
        "name": f"SHIRT {number}",
        "description": "Of cotton.",
        "price": 9900 + number,
        "category": "woman-shirts",
        "colors": "White",
        "sizes": "S, M",
        "detailedComposition": {"parts": []},
        "colorsSizesImagesJSON": [{"id": "250", "name": "White", "xmedia": [photo], "sizes": []}],
        **changes,
    }


class ApifyBrand:
    """Zara, with its items in a file that the sandbox serves, and a staging database of its own."""

    def __init__(self, sandbox: Sandbox, items_file: Path, server: Server, database_url: str) -> None:
        self.sandbox, self._items_file = sandbox, items_file
        self._server, self.database_url = server, database_url

    def set_items(self, items: list[Any]) -> None:
        """Set the items of every dataset from now on."""
        write_items(self._items_file, items)

    def collect(self, root_run: str = "first", **options: Any) -> StageReport:
        """Run the stage on connections of its own."""
        run_options = RunOptions(run_id=root_run, root_run=root_run, **options)
        with Database(self.database_url) as db:
            return ProductStream("zara", load_settings(), run_options, logging.getLogger("test")).merge(db)

    def stop_message(self, root_run: str = "first", **options: Any) -> str:
        """Run the stage, which must stop; the message that it stops with."""
        try:
            report = self.collect(root_run, **options)
        except StageStopped as error:
            return str(error)
        raise AssertionError(f"it did not stop: {report.sentence()}")

    def run_worker(self, root_run: str = "first", killed_at_line: int = 0) -> subprocess.CompletedProcess[str]:
        """Run the stage in a separate process that is killed (SIGKILL) at the n-th line of its log."""
        return self.start_worker(root_run, killed_at_line)()

    def start_worker(self, root_run: str, killed_at_line: int = 0) -> Callable[[], subprocess.CompletedProcess[str]]:
        """Start such a process; call the result to wait for its end."""
        command = [sys.executable, "-m", "unde_catalog_tests.support.collect_worker", root_run, str(killed_at_line)]
        environment = {**os.environ, "STAGING_DB_URL": self.database_url, "PYTHONPATH": str(PROJECT)}
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )

        def finish() -> subprocess.CompletedProcess[str]:
            out, err = process.communicate(timeout=60)
            return subprocess.CompletedProcess(command, process.returncode, out, err)

        return finish

    def with_new_database(self) -> "ApifyBrand":
        """The same brand with a new, empty database."""
        return ApifyBrand(self.sandbox, self._items_file, self._server, self._server.new_database())

    def query(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        with Database(self.database_url) as db, db.transaction() as cursor:
            cursor.execute(sql, values)  # type: ignore[arg-type]
            return cursor.fetchall() if cursor.description else []

    def rows(self) -> dict[str, dict[str, Any]]:
        """All columns of raw_products by external ID."""
        return {row["external_id"]: row for row in self.query("SELECT * FROM raw_products")}

    def catalogue(self) -> dict[str, dict[str, Any]]:
        """The rows without internal IDs and times."""
        return {key: {n: v for n, v in row.items() if n not in INTERNAL_COLUMNS} for key, row in self.rows().items()}

    def last_scrape(self) -> dict[str, Any]:
        return self.query("SELECT * FROM scrapes ORDER BY id DESC LIMIT 1")[0]

    def paid_runs(self) -> int:
        """How many Apify runs were started, and so paid for."""
        return len(self.sandbox.log("apify.start"))

    def advance_hours(self, hours: float | None) -> None:
        """Move unde_now()."""
        moment = None if hours is None else self.query("SELECT (now() + %s * interval '1 hour')::text AS t", hours)
        self._server.set_now(self.database_url, moment[0]["t"] if moment else None)

    def start_foreign_run(self) -> str:
        """Start a run outside the stage; its ID."""
        headers = {"Authorization": "Bearer sandbox-token"}
        request = Request(f"{self.sandbox.url}/v2/actor-tasks/{TASK}/runs", b"{}", headers)
        with urlopen(request, timeout=10) as response:
            return json.load(response)["data"]["id"]


@dataclass(frozen=True, slots=True)
class CreateApifyBrand:
    """Creates the test's brand with 20 items and arguments for its sandbox; the fields are fixtures."""

    start_sandbox: Callable[..., Sandbox]
    configured: Callable[..., dict[str, str]]
    server: Server
    database_url: str
    folder: Path

    def __call__(self, *arguments: str, **environment: str) -> ApifyBrand:
        items_file = self.folder / "zara.jsonl"
        write_items(items_file, [item(n) for n in range(1, 21)])
        sandbox = self.start_sandbox("--items", f"zara={items_file}", "--run-seconds", "0.1", *arguments)
        self.configured(sandbox, **environment)
        return ApifyBrand(sandbox, items_file, self.server, self.database_url)


def counts(report: Any) -> dict[str, int]:
    """The counts of a report without zeros."""
    return {name: count for name, count in report.counts.items() if count}


def write_items(path: Path, items: list[Any]) -> None:
    """Write items as JSON lines; an item that is a text becomes a line unchanged."""
    lines = [one if isinstance(one, str) else json.dumps(one) for one in items]
    path.write_text("\n".join(lines))
