"""`unde-catalog up`: Dagster here until Ctrl-C, and the sandbox too where no real source is configured."""

import contextlib
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

from rich.console import Console

from unde_catalog.local.processes import PROJECT, CannotStart, dagster_environment, dagster_home, sandbox, stop
from unde_catalog.sandbox.serve import environment
from unde_catalog.settings import load_settings, publish
from unde_catalog.workplace import Workplace


def up(console: Console, port: int, sandbox_port: int) -> int:
    """Serve until SIGINT or SIGTERM; 0 after a clean stop, Dagster's status when it ended by itself."""
    _must_be_free(port)
    real = load_settings().apify_token is not None
    if not real:
        publish({**environment(sandbox_port), "ZARA_INDEX_SCOPE": "pilot"})
    settings = load_settings()
    told_to_stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: told_to_stop.set())
    with contextlib.ExitStack() as stack:
        if not real:
            base_url = stack.enter_context(sandbox(settings, sandbox_port))
            console.print(f"Sandbox of the outside services: {base_url} (APIFY_TOKEN is not set)")
        workplace = stack.enter_context(Workplace(settings))
        console.print(f"State: {settings.home}", soft_wrap=True)
        console.print(f"Staging: {workplace.db.name}", soft_wrap=True)
        console.print(f"AUTOMATION={settings.automation}: sensors {'run' if settings.automation == 'on' else 'wait'}")
        log = settings.home / "logs" / "dagster.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        output = stack.enter_context(log.open("w"))
        process = subprocess.Popen(
            [str(Path(sys.executable).parent / "dagster"), "dev", "-w", str(PROJECT / "workspace.yaml"),
             "-h", "127.0.0.1", "-p", str(port), "--log-level", "warning"],
            env=dagster_environment(settings, {"PYTHONWARNINGS": "ignore::FutureWarning"}),
            cwd=dagster_home(settings), text=True, start_new_session=True, stdout=output, stderr=output,
        )  # fmt: skip
        stack.callback(stop, process)
        console.print(f"What Dagster says goes to {log}", soft_wrap=True)
        _wait_until_served(console, port, process, told_to_stop)
        while not told_to_stop.wait(0.5):
            if process.poll() is not None:
                raise CannotStart(f"Dagster ended by itself with status {process.returncode}:\n{_end_of(log)}")
        console.print("Stopping ...")
    console.print("Everything has stopped.")
    return 0


def _wait_until_served(
    console: Console, port: int, process: subprocess.Popen[str], told_to_stop: threading.Event
) -> None:
    """Name the address only when a browser would find something there."""
    url = f"http://127.0.0.1:{port}"
    while not told_to_stop.wait(0.5) and process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/server_info", timeout=2):
            console.print(f"Dagster: {url}  (Ctrl-C stops everything)")
            return


def _must_be_free(port: int) -> None:
    """Dagster would silently take another port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise CannotStart(f"port {port} can't be had ({error.strerror}); --port names another") from error


def _end_of(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-15:])
