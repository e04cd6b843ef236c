"""`unde-catalog up`: Dagster here until Ctrl-C, and the sandbox too where no real source is configured."""

import contextlib
import signal
import subprocess
import sys
import threading
from pathlib import Path

from rich.console import Console

from unde_catalog.local.processes import PROJECT, CannotStart, dagster_environment, dagster_home, sandbox, stop
from unde_catalog.sandbox.serve import environment
from unde_catalog.settings import load_settings, publish
from unde_catalog.workplace import Workplace


def up(console: Console, port: int, sandbox_port: int) -> int:
    """Serve until SIGINT or SIGTERM; 0 after a clean stop, Dagster's status when it ended by itself."""
    real = load_settings().apify_token is not None
    if not real:
        publish(environment(sandbox_port))
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
        process = subprocess.Popen(
            [str(Path(sys.executable).parent / "dagster"), "dev", "-w", str(PROJECT / "workspace.yaml"),
             "-h", "127.0.0.1", "-p", str(port), "--log-level", "warning"],
            env=dagster_environment(settings, {"PYTHONWARNINGS": "ignore::FutureWarning"}),
            cwd=dagster_home(settings), text=True, start_new_session=True,
        )  # fmt: skip
        stack.callback(stop, process)
        console.print(f"Dagster: http://127.0.0.1:{port} in a few seconds; Ctrl-C stops everything")
        while not told_to_stop.wait(0.5):
            if process.poll() is not None:
                raise CannotStart(f"Dagster ended by itself with status {process.returncode}; what it said is above")
        console.print("Stopping ...")
    console.print("Everything has stopped.")
    return 0
