"""Serving the API: one process, which logs lines of JSON to its standard output."""

import logging
import signal
import socket
import sys

import uvicorn

from unde_catalog.backends import Backends
from unde_catalog.services.search.app import build_app
from unde_catalog.services.search.middleware.request_log import JsonLogFormatter
from unde_catalog.settings.environment import Settings
from unde_catalog.settings.redaction import Secrets

CONNECTIONS = 8  # to the database: two for each core of a small machine are busy, the others wait for answers
_PATIENCE = 5  # seconds for one of them: a client waits no longer, and asks again
_MOST_CONNECTIONS = 1_000  # the gate lets fewer requests in, and tells the others so


class AddressInUse(ValueError):
    """Nothing can be served at this address."""


def serve(settings: Settings, host: str, port: int) -> None:
    """Serve until it is told to end (SIGINT, SIGTERM); what is in hand is answered. `AddressInUse` where it can't."""
    listening = _listen(host, port)
    _log_json(settings)
    with Backends(settings, connections=CONNECTIONS, patience=_PATIENCE) as backends, listening:
        config = uvicorn.Config(
            build_app(backends),
            log_config=None,
            access_log=False,  # the journal writes one
            server_header=False,
            forwarded_allow_ips=list(settings.search_trusted_proxies),
            limit_concurrency=_MOST_CONNECTIONS,
            timeout_graceful_shutdown=20,
            ws="none",
        )
        address, at = listening.getsockname()[:2]
        shown = f"[{address}]" if ":" in address else address
        logging.getLogger("unde_catalog.services.search").info("ready at http://%s:%s", shown, at)
        for told in (signal.SIGINT, signal.SIGTERM):  # uvicorn sends itself what ended it once more, when it has ended
            signal.signal(told, lambda *_: None)
        uvicorn.Server(config).run(sockets=[listening])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=256)
    except OSError as error:
        raise AddressInUse(f"can't serve at {host}, port {port} ({error.strerror}): choose another --port") from error


def _log_json(settings: Settings) -> None:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLogFormatter(Secrets(settings)))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for chatty in ("httpx", "httpcore", "uvicorn.error", "PIL"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
