"""A worker like that of `unde-catalog worker`, to which Redis delivers again after a second: run as `python -m`.

Its arguments are those of Celery's worker; a number before them is another time in seconds.
"""

import sys

from unde_catalog.defs.queues import worker_app

VISIBILITY_SECONDS = 1

if __name__ == "__main__":
    first, *rest = sys.argv[1:]
    seconds, arguments = (int(first), rest) if first.isdigit() else (VISIBILITY_SECONDS, [first, *rest])
    transport = {**worker_app.app.conf.broker_transport_options, "visibility_timeout": seconds}
    worker_app.app.conf.update(broker_transport_options=transport)
    worker_app.app.worker_main(["worker", "--loglevel", "INFO", *arguments])
