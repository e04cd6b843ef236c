"""Runs the API in one process, with JSON log lines on standard output.

`app.py` builds the application.
"""

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

CONNECTIONS = 8  # database connections: about two per core of a small machine are busy at a time
_POOL_TIMEOUT = 5  # seconds to wait for one of them; then the client gets 503 and retries
_MAX_CONNECTIONS = 1_000  # HTTP connections; the access middleware admits fewer requests and answers 503 beyond that


class AddressInUse(ValueError):
    """The server can't listen on this address."""


def serve(settings: Settings, host: str, port: int) -> None:
    """Serve until SIGINT or SIGTERM, then finish the requests in progress. Raises `AddressInUse`."""
    listener = _listen(host, port)
    _log_json(settings)
    replica = settings.search_db_url.get_secret_value() if settings.search_db_url else None
    with (
        Backends(
            settings, connections=CONNECTIONS, patience=_POOL_TIMEOUT, create=False, replica_url=replica
        ) as backends,
        listener,
    ):
        config = uvicorn.Config(
            build_app(backends),
            log_config=None,
            access_log=False,  # RequestLogMiddleware writes it
            server_header=False,
            forwarded_allow_ips=list(settings.search_trusted_proxies),
            limit_concurrency=_MAX_CONNECTIONS,
            timeout_graceful_shutdown=20,
            ws="none",
        )
        address, bound_port = listener.getsockname()[:2]
        url_host = f"[{address}]" if ":" in address else address
        logging.getLogger("unde_catalog.services.search").info("ready at http://%s:%s", url_host, bound_port)
        for number in (signal.SIGINT, signal.SIGTERM):  # uvicorn re-raises the signal that stopped it: ignore that
            signal.signal(number, lambda *_: None)
        uvicorn.Server(config).run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=256)
    except OSError as error:
        raise AddressInUse(
            f"can't listen on {host}, port {port} ({error.strerror}): choose another port with --port"
        ) from error


def _log_json(settings: Settings) -> None:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLogFormatter(Secrets(settings)))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for verbose in ("httpx", "httpcore", "uvicorn.error", "PIL"):
        logging.getLogger(verbose).setLevel(logging.WARNING)
