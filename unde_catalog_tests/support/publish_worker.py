"""`python -m` this: publishes Zara once, as a process that a test can kill. Arguments: staging URL, production URL."""

import json
import logging
import sys

from unde_catalog.stores.db.database import Database
from unde_catalog_tests.support.publishing import publish


def main() -> None:
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(message)s")
    with Database(sys.argv[1]) as db, Database(sys.argv[2]) as production:
        report = publish(db, production, root_run="worker")
    print(json.dumps({"done": report.done, "superseded": report.superseded, "counts": report.counts}))


if __name__ == "__main__":
    main()
