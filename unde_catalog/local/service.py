"""One server that `up` starts beside others: its log, when it answers, what it said when it ended by itself.

Which servers there are is in `up.py`.
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

_LOOK_SECONDS = 0.5
_LAST_LINES = 15


class LocalService:
    """A running server, in a session of its own: Ctrl-C reaches whoever started it, who stops it. A context manager."""

    def __init__(
        self, name: str, command: Sequence[str], log: Path, environment: Mapping[str, str], folder: Path | None = None
    ) -> None:
        """`log`: all it says, written anew; `folder`: where it runs."""
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
        """While it runs None; else how it ended and the last it said."""
        status = self._process.poll()
        if status is None:
            return None
        last = "\n".join(self.log.read_text(errors="replace").splitlines()[-_LAST_LINES:])
        return f"{self.name} ended by itself with status {status}; all it said is in {self.log}\n{last}"

    def answers(self, url: str, stop_requested: threading.Event) -> bool:
        """Whether a browser finds something at `url`, when it does; False when it ended before, or we are to stop."""
        while not stop_requested.wait(_LOOK_SECONDS) and self.ended is None:
            with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=2):
                return True
        return False


def must_be_free(port: int, option: str) -> None:
    """`CannotStart` names where another port is chosen, which some servers would do silently."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise CannotStart(f"port {port} can't be had ({error.strerror}); {option} names another") from error
