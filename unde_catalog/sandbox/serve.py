"""Runs a sandbox until a signal stops it, and returns the environment that points clients at it.

The application belongs in `server.py`.
"""

import asyncio
import errno
import logging
import signal
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

from aiohttp import web

from unde_catalog.sandbox import identity
from unde_catalog.sandbox.identity import (
    BRAND_NAMES,
    DEFAULT_PORT,
    TASK_IDS,
    TOKEN,
    XIMILAR_COLLECTION,
    XIMILAR_TOKEN,
)
from unde_catalog.sandbox.server import Options, build_app
from unde_catalog.sandbox.shops.stores import configured_stores, stock_channel

_GRACE_SECONDS = 0.5


class PortBusyError(OSError):
    """The port is in use; the message says what to do."""


def serve(
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    data: Path | None = None,
    *,
    state_dir: Path,
    faults: str | None = None,
    seed: int = 0,
    items: Mapping[str, Path] | None = None,
    log: Path | None = None,
    run_seconds: float = 0.3,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serves until SIGINT or SIGTERM; calls `ready` (default: print) with one line that has the URL.

    Port 0 takes a free one. Raises `PortBusyError`, and `ValueError` or `NotADirectoryError` for invalid options (see
    `server.build_app`).
    """
    options = Options(state_dir, data, items or {}, log, faults, seed, run_seconds)
    server_socket = _open_socket(host, port)
    try:
        asyncio.run(_run(options, server_socket, ready or _print_line))
    finally:
        server_socket.close()


def environment(port: int, host: str = "127.0.0.1") -> dict[str, str]:
    """Returns the environment variables that point every client at a sandbox on this port."""
    tasks = {f"APIFY_TASK_{brand.upper()}": task for brand, task in TASK_IDS.items()}
    return {
        "APIFY_TOKEN": TOKEN,
        "APIFY_API_URL": f"http://{host}:{port}",
        **tasks,
        "XIMILAR_API_URL": f"http://{host}:{port}",
        "XIMILAR_API_TOKEN": XIMILAR_TOKEN,
        "XIMILAR_COLLECTION_ID": XIMILAR_COLLECTION,  # its prefix is the default one
        "BAKAI_CDN_API_URL": f"http://{host}:{port}/bakai-api",
        "BAKAI_CDN_ACCESS_KEY": identity.BAKAI_ACCESS_KEY,
        "BAKAI_CDN_SECRET_KEY": identity.BAKAI_SECRET_KEY,
        "BAKAI_S3_ENDPOINT": f"http://{host}:{port}/bakai-s3",
        "BAKAI_S3_BUCKET": identity.BAKAI_BUCKET,  # publicly readable, so photos need no other base URL
        "BAKAI_S3_ACCESS_KEY": identity.BAKAI_S3_ACCESS_KEY,
        "BAKAI_S3_SECRET_KEY": identity.BAKAI_S3_SECRET_KEY,
        "TELEGRAM_API_URL": f"http://{host}:{port}",
        "TELEGRAM_BOT_TOKEN": identity.TELEGRAM_TOKEN,
        "PHOTO_ALLOW_PRIVATE_HOSTS": "true",
        "DOWNLOAD_DELAY_MIN": "0",
        "DOWNLOAD_DELAY_MAX": "0",
        **{f"{brand.upper()}_USE_PROXY": "false" for brand in TASK_IDS},
        "STOCK_REQUEST_GAP": "0",
        **{name: value for brand in BRAND_NAMES for name, value in _stock_environment(brand, port, host).items()},
    }


def _stock_environment(brand: str, port: int, host: str) -> dict[str, str]:
    url, app_name = f"http://{host}:{port}/shops/{brand}", "".join(filter(str.isalnum, BRAND_NAMES[brand]))
    return {
        f"{brand.upper()}_STOCK_API_URL": url,
        f"{brand.upper()}_SHOP_FINDER_URL": url,
        f"{brand.upper()}_STOCK_CHANNEL": str(stock_channel(brand)),
        f"{brand.upper()}_USER_AGENT": f"{app_name}App/15.10.0 (sandbox)",
        f"DUBAI_{brand.upper()}_STORES": ",".join(map(str, configured_stores(brand))),
    }


def _print_line(line: str) -> None:
    print(line, flush=True)


def _open_socket(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    server_socket = socket.socket(family, socket.SOCK_STREAM)
    server_socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        server_socket.bind((host, port))
        server_socket.listen(256)
    except OSError as error:
        server_socket.close()
        if error.errno != errno.EADDRINUSE:
            raise
        raise PortBusyError(
            error.errno, f"port {port} on {host} is in use; stop what listens there or choose another (0: any)"
        ) from error
    return server_socket


async def _run(options: Options, server_socket: socket.socket, ready: Callable[[str], None]) -> None:
    app, log = build_app(options)
    runner = web.AppRunner(
        app,
        access_log_class=log.access_log_class(),
        access_log=logging.getLogger(__name__),
        shutdown_timeout=_GRACE_SECONDS,
    )
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signal_number, stop.set)
    await runner.setup()
    try:
        await web.SockSite(runner, server_socket).start()
        host, port = server_socket.getsockname()[:2]
        url_host = f"[{host}]" if ":" in host else host
        ready(f"sandbox ready at http://{url_host}:{port} ({options.description}; state in {options.state_dir})")
        await stop.wait()
    finally:
        await runner.cleanup()
