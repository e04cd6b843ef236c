"""Ports of this machine: who listens on one, and which one is free. Nothing is started here."""

import socket
from pathlib import Path

import psutil

from unde_catalog.local.processes import CannotStart

_TRIED = 20  # ports after the usual one, before any other is taken


def listener(port: int) -> str | None:
    """Who listens on a port, for people: `process 4711 (nginx)`, or the address alone; None if it is free."""
    if _is_free(port):
        return None
    for one in psutil.net_connections("tcp"):
        if one.status == psutil.CONN_LISTEN and one.laddr and one.laddr.port == port and one.pid is not None:
            return f"process {one.pid} ({_program(one.pid)})"
    return f"a program of another user at 127.0.0.1:{port}"  # whose process the system does not name


def must_be_free(port: int, advice: str) -> None:
    """Raise `CannotStart` if the port is taken: some servers would silently choose another one."""
    if (who := listener(port)) is not None:
        raise CannotStart(f"port {port} is in use by {who}: {advice}")


def free_port(chosen: int | None, usual: int, option: str) -> int:
    """The chosen port, which must be free; if none was chosen, the usual one or the next one that is free."""
    if chosen is not None:
        must_be_free(chosen, f"choose another one with {option}")
        return chosen
    return next((port for port in range(usual, usual + _TRIED) if _is_free(port)), usual)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _program(pid: int) -> str:
    """The program of a process; of Python also the module or script, but no other arguments, which may be secret."""
    try:
        process = psutil.Process(pid)
        name, arguments = process.name(), process.cmdline()[1:3]
    except psutil.Error:
        return "unknown"
    if name.startswith("python") and arguments[:1] == ["-m"]:
        return " ".join([name, *arguments])
    if name.startswith("python") and arguments and not arguments[0].startswith("-"):
        return f"{name} {Path(arguments[0]).name}"
    return name
