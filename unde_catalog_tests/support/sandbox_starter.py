"""Starts sandboxes by forking a process that has imported one: 0.05 s instead of 0.7 s, hundreds of times.

`python -m unde_catalog_tests.support.sandbox_starter` reads a line of JSON for each sandbox, its arguments and the FIFO
for its output, and answers with the sandbox's process id. It ends with its input.
"""

import atexit
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


class SandboxProcess:
    """A started sandbox: what tests use of `subprocess.Popen`."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._descriptor = os.pidfd_open(pid)

    def send_signal(self, number: int) -> None:
        if self._is_running(0):
            signal.pidfd_send_signal(self._descriptor, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def wait(self, timeout: float) -> None:
        if not self._is_running(timeout):
            return
        raise subprocess.TimeoutExpired("sandbox", timeout)

    def _is_running(self, timeout: float) -> bool:
        """False as soon as it has ended, True if it has not within this time in seconds."""
        return not select.select([self._descriptor], [], [], timeout)[0]


class SandboxStarter:
    """The process that is forked; one for each process of the tests."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "unde_catalog_tests.support.sandbox_starter"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=PROJECT, start_new_session=True
        )
        self._owner = os.getpid()
        atexit.register(self._stop)

    def start(self, arguments: list[str], output: Path) -> SandboxProcess:
        """Start a sandbox that writes its lines to the FIFO `output`."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps({"arguments": arguments, "output": str(output)}) + "\n")
        self._process.stdin.flush()
        return SandboxProcess(int(self._process.stdout.readline()))

    def _stop(self) -> None:
        if os.getpid() == self._owner and self._process.stdin is not None:
            self._process.stdin.close()
            self._process.wait(10)


def main() -> None:
    """Fork for each line of input."""
    from unde_catalog.sandbox import __main__ as sandbox

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for a sandbox here
    for line in sys.stdin:
        request = json.loads(line)
        pid = os.fork()
        if pid == 0:
            os._exit(_become_sandbox(request["arguments"], request["output"], sandbox.main))
        print(pid, flush=True)


def _become_sandbox(arguments: list[str], output: str, run: Callable[[list[str]], int]) -> int:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    nothing, lines = os.open(os.devnull, os.O_RDONLY), os.open(output, os.O_WRONLY)
    os.dup2(nothing, 0)
    os.dup2(lines, 1)
    try:
        return run(arguments)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1


if __name__ == "__main__":
    main()
