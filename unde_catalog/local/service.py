"""A server that `up` starts: its process, its log, and whether it responds.

The list of servers is in `up.py`.
"""

import contextlib
import socket
import subprocess
import threading
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from unde_catalog.local.processes import CannotStart, stop

_POLL_SECONDS = 0.5
_LAST_LINES = 15


class LocalService:
    """A running server, stopped when the context ends. Its own session: Ctrl-C reaches only the parent."""

    def __init__(
        self, name: str, command: Sequence[str], log: Path, environment: Mapping[str, str], folder: Path | None = None
    ) -> None:
        """`log`: the file for its output, overwritten; `folder`: its working directory."""
        self.name, self.log = name, log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("w") as output:
            self._process = subprocess.Popen(
                list(command), env=dict(environment), cwd=folder, text=True, start_new_session=True, stdout=output,
                stderr=output,
            )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        stop(self._process)

    @property
    def ended(self) -> str | None:
        """None while it runs; then its exit status and the last lines of its output."""
        status = self._process.poll()
        if status is None:
            return None
        last = "\n".join(self.log.read_text(errors="replace").splitlines()[-_LAST_LINES:])
        return f"{self.name} ended with status {status}. Log: {self.log}\n{last}"

    def wait_for_response(self, url: str, stop_requested: threading.Event) -> bool:
        """Wait until `url` responds; False if the server ended first or a stop was requested."""
        while not stop_requested.wait(_POLL_SECONDS) and self.ended is None:
            with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=2):
                return True
        return False


def must_be_free(port: int, option: str) -> None:
    """Raise `CannotStart` if the port is taken: some servers would silently choose another one."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise CannotStart(f"port {port} is in use ({error.strerror}): choose another one with {option}") from error
