"""The state's own sandbox as a server: joined if it runs, else started on the port that the state remembers.

How clients find it is in `sandbox/own.py`.
"""

import sys
import time
from pathlib import Path
from typing import Self

import psutil
from rich.console import Console

from unde_catalog.local.ports import listener
from unde_catalog.local.processes import CannotStart
from unde_catalog.local.service import LocalService
from unde_catalog.sandbox.identity import DEFAULT_PORT
from unde_catalog.sandbox.own import OwnSandbox, own_sandbox, own_token
from unde_catalog.settings.sources import child_environment, sandbox_folder

_NAME = "The sandbox"
_START_SECONDS = 30.0
_STEP = 0.05


class SandboxService:
    """The sandbox while a command needs it. One that another command of the state runs is joined, and not stopped.

    When the joined one ends, this command starts its own.
    """

    def __init__(self, console: Console, home: Path, port: int | None) -> None:
        """`port` moves the sandbox there; None: the remembered one. `CannotStart` if it can't be had."""
        self._folder, self._log = sandbox_folder(home), home / "logs" / "sandbox.log"
        self._port = port
        self._own: LocalService | None = None
        self._joined: psutil.Process | None = None
        known = own_sandbox(self._folder)
        if known is not None and (pid := known.pid()) is not None:
            if port not in (None, known.port):
                raise CannotStart(f"the sandbox of this state runs at {known.url}, in process {pid}: stop it first")
            self.address, self._joined = known, psutil.Process(pid)
        else:
            self.address = self._start(console, known)

    @property
    def ended(self) -> str | None:
        """None while it runs; then why not."""
        if self._own is not None:
            return self._own.ended
        if self._joined is None or is_alive(self._joined):
            return None
        return f"{_NAME} of another command, process {self._joined.pid}, ended."

    @property
    def given_up(self) -> bool:
        """Whether it ended too often to be started again."""
        return self._own is not None and self._own.given_up

    def keep_running(self) -> str | None:
        """Start it again when it has ended; what happened, for people, or None. Call it often."""
        if self._own is not None:
            return self._own.keep_running()
        if (ended := self.ended) is None:
            return None
        self._joined, self._own = None, self._service()
        return f"{ended} Another one was started at {self.address.url}."

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._own is not None:
            self._own.__exit__(*error)

    def _command(self) -> list[str]:
        command = [sys.executable, "-m", "unde_catalog.sandbox", "--own", "--state-dir", str(self._folder)]
        if self._port is not None:
            command += ["--port", str(self._port)]
        return command

    def _service(self) -> LocalService:
        return LocalService(_NAME, self._command(), self._log, child_environment({}))

    def _start(self, console: Console, known: OwnSandbox | None) -> OwnSandbox:
        """Start it and wait until it responds. Another command may do so at the same time; then that one is joined."""
        own_token(self._folder)  # creates the folder
        port = known.port if known and self._port is None else self._port
        in_the_way = listener(port or DEFAULT_PORT)
        if in_the_way and port is not None:
            raise CannotStart(_taken(port, in_the_way, known))
        service = self._service()
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            ended = service.ended
            found = own_sandbox(self._folder)
            if found is not None and (pid := found.pid()) is not None:
                if pid == service.pid:
                    self._port = found.port
                    service.command = self._command()  # started again, it must have the same port
                    self._own = service
                    if port is None and found.port != DEFAULT_PORT:
                        # Another new state may have been faster.
                        in_the_way = in_the_way or listener(DEFAULT_PORT) or "a program that ended"
                        text = f"Port {DEFAULT_PORT} is in use by {in_the_way}; this state's sandbox has {found.port}."
                        console.print(text, soft_wrap=True, highlight=False, markup=False)
                    return found
                if ended is not None:
                    self._joined = psutil.Process(pid)
                    return found
            if ended is not None:
                raise CannotStart(f"{ended}\nChoose another port with --sandbox-port, if that is the reason.")
            time.sleep(_STEP)
        service.__exit__()
        raise CannotStart(f"{_NAME} did not respond within {_START_SECONDS:.0f} s. Log: {self._log}")


def is_alive(process: psutil.Process) -> bool:
    """Whether it is still the same process and not a zombie."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _taken(port: int, who: str, known: OwnSandbox | None) -> str:
    advice = "choose another one with --sandbox-port"
    if known is not None and known.port == port:
        advice = f"stop it, or {advice}; the photos of products collected so far keep their old addresses"
    return f"port {port} of the sandbox is in use by {who}: {advice}"
