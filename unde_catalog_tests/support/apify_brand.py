"""A brand's catalogue at the sandbox, and collecting it: what the tests of collecting share."""

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
OURS = ("id", "scraped_at", "created_at", "updated_at", "last_scrape_id")


def item(number: int, **changes: Any) -> dict[str, Any]:
    """A dataset item as spec 1 shows it."""
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


class Shop:
    """Zara: its items in a file that the sandbox serves, and a staging database of the test's own."""

    def __init__(self, sandbox: Sandbox, items_file: Path, server: Server, database_url: str) -> None:
        self.sandbox, self._items_file = sandbox, items_file
        self._server, self.database_url = server, database_url

    def sells(self, items: list[Any]) -> None:
        """What every dataset holds from now on."""
        write_items(self._items_file, items)

    def collect(self, root_run: str = "first", **options: Any) -> StageReport:
        """A run of the stage, on connections of its own."""
        asked = RunOptions(run_id=root_run, root_run=root_run, **options)
        with Database(self.database_url) as db:
            return ProductStream("zara", load_settings(), asked, logging.getLogger("test")).merge(db)

    def stopped(self, root_run: str = "first", **options: Any) -> str:
        """The sentence with which a run of the stage stops."""
        try:
            report = self.collect(root_run, **options)
        except StageStopped as error:
            return str(error)
        raise AssertionError(f"it did not stop: {report.sentence()}")

    def worker(self, root_run: str = "first", dies_after: int = 0) -> subprocess.CompletedProcess[str]:
        """The same in a process of its own, which dies (SIGKILL) with the n-th line of its log."""
        return self.begin_worker(root_run, dies_after)()

    def begin_worker(self, root_run: str, dies_after: int = 0) -> Callable[[], subprocess.CompletedProcess[str]]:
        """Start it; call what is returned to wait for its end."""
        command = [sys.executable, "-m", "unde_catalog_tests.support.collect_worker", root_run, str(dies_after)]
        environment = {**os.environ, "STAGING_DB_URL": self.database_url, "PYTHONPATH": str(PROJECT)}
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )

        def finish() -> subprocess.CompletedProcess[str]:
            out, err = process.communicate(timeout=60)
            return subprocess.CompletedProcess(command, process.returncode, out, err)

        return finish

    def elsewhere(self) -> "Shop":
        """The same items, collected into another database, as if for the first time."""
        return Shop(self.sandbox, self._items_file, self._server, self._server.new_database())

    def query(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        with Database(self.database_url) as db, db.transaction() as cursor:
            cursor.execute(sql, values)  # type: ignore[arg-type]
            return cursor.fetchall() if cursor.description else []

    def rows(self) -> dict[str, dict[str, Any]]:
        """Whole rows of raw_products by external id."""
        return {row["external_id"]: row for row in self.query("SELECT * FROM raw_products")}

    def catalogue(self) -> dict[str, dict[str, Any]]:
        """The same without what is ours: ids and times."""
        return {key: {n: v for n, v in row.items() if n not in OURS} for key, row in self.rows().items()}

    def last_scrape(self) -> dict[str, Any]:
        return self.query("SELECT * FROM scrapes ORDER BY id DESC LIMIT 1")[0]

    def starts(self) -> int:
        """How many runs were asked for, and so paid for."""
        return len(self.sandbox.log("apify.start"))

    def hours_later(self, hours: float | None) -> None:
        """Move unde_now()."""
        moment = None if hours is None else self.query("SELECT (now() + %s * interval '1 hour')::text AS t", hours)
        self._server.set_now(self.database_url, moment[0]["t"] if moment else None)

    def somebody_starts_a_run(self) -> str:
        """A run that we did not ask for; its id."""
        headers = {"Authorization": "Bearer sandbox-token"}
        request = Request(f"{self.sandbox.url}/v2/actor-tasks/{TASK}/runs", b"{}", headers)
        with urlopen(request, timeout=10) as answer:
            return json.load(answer)["data"]["id"]


@dataclass(frozen=True, slots=True)
class OpenShop:
    """Opens the test's shop, with 20 items and the sandbox's arguments; the fields are fixtures."""

    start_sandbox: Callable[..., Sandbox]
    configured: Callable[..., dict[str, str]]
    server: Server
    database_url: str
    folder: Path

    def __call__(self, *arguments: str, **environment: str) -> Shop:
        items_file = self.folder / "zara.jsonl"
        write_items(items_file, [item(n) for n in range(1, 21)])
        sandbox = self.start_sandbox("--items", f"zara={items_file}", "--run-seconds", "0.1", *arguments)
        self.configured(sandbox, **environment)
        return Shop(sandbox, items_file, self.server, self.database_url)


def counts(report: Any) -> dict[str, int]:
    """What a report counted, without zeros."""
    return {name: count for name, count in report.counts.items() if count}


def write_items(path: Path, items: list[Any]) -> None:
    """As JSON lines; a text among the items is a line as it stands."""
    lines = [one if isinstance(one, str) else json.dumps(one) for one in items]
    path.write_text("\n".join(lines))
