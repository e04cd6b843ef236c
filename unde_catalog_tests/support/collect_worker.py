"""A program that collects a brand once, so that a test can kill it.

Arguments: the root run, the log line at which it kills itself (0: never), and the brand (default: zara).
Prints its report as one line of JSON.
"""

import json
import logging
import os
import signal
import sys

from unde_catalog.settings.environment import load_settings
from unde_catalog.stages.raw_products.collect import ProductStream
from unde_catalog.stores.db.database import Database
from unde_catalog.worker.report import RunOptions


class KillAtLine(logging.Handler):
    """Kills the process group at the n-th log line."""

    def __init__(self, lines: int) -> None:
        super().__init__()
        self.left = lines

    def emit(self, record: logging.LogRecord) -> None:
        print(record.getMessage(), file=sys.stderr, flush=True)
        self.left -= 1
        if self.left == 0:
            os.killpg(os.getpgrp(), signal.SIGKILL)


def main() -> None:
    root_run, lines, brand = sys.argv[1], int(sys.argv[2]), [*sys.argv[3:], "zara"][0]
    log = logging.getLogger("collect")
    log.setLevel(logging.INFO)
    log.addHandler(KillAtLine(lines))
    settings = load_settings()
    assert settings.staging_db_url is not None
    with Database(settings.staging_db_url.get_secret_value()) as db:
        options = RunOptions(run_id=root_run, root_run=root_run)
        report = ProductStream(brand, settings, options, log).merge(db)
    print(json.dumps({"note": report.note, "leased_elsewhere": report.leased_elsewhere, "counts": report.counts}))


if __name__ == "__main__":
    main()
