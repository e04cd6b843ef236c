"""Runs a sandbox until a signal stops it. The environment that points clients at it is in `own.py`.

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

from unde_catalog.sandbox.identity import DEFAULT_PORT
from unde_catalog.sandbox.own import own_sandbox, own_token, remember_port
from unde_catalog.sandbox.server import Options, build_app

_GRACE_SECONDS = 0.5
_PORTS_TRIED = 20


class PortBusyError(OSError):
    """The port is in use; the message says what to do."""


def serve(
    host: str = "127.0.0.1",
    port: int | None = None,
    data: Path | None = None,
    *,
    state_dir: Path,
    own: bool = False,
    faults: str | None = None,
    seed: int = 0,
    items: Mapping[str, Path] | None = None,
    log: Path | None = None,
    run_seconds: float = 0.3,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serves until SIGINT or SIGTERM; calls `ready` (default: print) with one line that has the URL.

    Port 0 takes a free one. `own`: it belongs to a state, with a token and a port that are kept in `state_dir`; without
    a `port` the state's own, and for a new state the first free one. Raises `PortBusyError`, and `ValueError` or
    `NotADirectoryError` for invalid options (see `server.build_app`).
    """
    token = own_token(state_dir) if own else None
    options = Options(state_dir, data, items or {}, log, faults, seed, run_seconds, token)
    known = own_sandbox(state_dir) if own and port is None else None
    if own and port is None and known is None:
        server_socket = _first_free_socket(host)
    else:
        chosen = known.port if known else DEFAULT_PORT if port is None else port
        server_socket = _open_socket(host, chosen)
    try:
        if own:
            remember_port(state_dir, server_socket.getsockname()[1])
        asyncio.run(_run(options, server_socket, ready or _print_line))
    finally:
        server_socket.close()


def _print_line(line: str) -> None:
    print(line, flush=True)


def _first_free_socket(host: str) -> socket.socket:
    for port in range(DEFAULT_PORT, DEFAULT_PORT + _PORTS_TRIED):
        try:
            return _open_socket(host, port)
        except PortBusyError:
            continue
    return _open_socket(host, 0)


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
