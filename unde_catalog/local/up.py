"""`unde-catalog up`: Dagster and the search page here until Ctrl-C, and the sandbox too where no source is real."""

import contextlib
import signal
import sys
import threading
from pathlib import Path

from rich.console import Console

from unde_catalog.local.processes import PROJECT, CannotStart, dagster_environment, dagster_home, sandbox
from unde_catalog.local.service import Service, must_be_free
from unde_catalog.sandbox.serve import environment
from unde_catalog.settings import Settings, child_environment, load_settings, publish
from unde_catalog.workplace import Workplace

_PROGRAMS = Path(sys.executable).parent


def up(console: Console, port: int, search_port: int, sandbox_port: int) -> int:
    """Serve until SIGINT or SIGTERM; 0 after a clean stop. `CannotStart` when Dagster ended by itself."""
    must_be_free(port, "--port")
    must_be_free(search_port, "--search-port")
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
        dagster = stack.enter_context(_dagster(settings, port))
        search = stack.enter_context(_search(settings, search_port))
        console.print(f"What they say goes to {dagster.log.parent}", soft_wrap=True)
        page, desk = f"http://127.0.0.1:{search_port}", f"http://127.0.0.1:{port}"
        if search.answers(f"{page}/", told_to_stop):
            console.print(f"Search:  {page}")
        if dagster.answers(f"{desk}/server_info", told_to_stop):
            console.print(f"Dagster: {desk}  (Ctrl-C stops everything)")
        _watch(console, dagster, [search], told_to_stop)
        console.print("Stopping ...")
    console.print("Everything has stopped.")
    return 0


def _watch(console: Console, dagster: Service, others: list[Service], told_to_stop: threading.Event) -> None:
    """Until told to stop. Without Dagster there is nothing to serve; without another, everything else goes on."""
    while not told_to_stop.wait(0.5):
        if dagster.ended is not None:
            raise CannotStart(dagster.ended)
        for one in [one for one in others if one.ended is not None]:
            console.print(f"{one.ended}\nEverything else goes on.", style="red", soft_wrap=True, highlight=False)
            others.remove(one)


def _dagster(settings: Settings, port: int) -> Service:
    return Service(
        "Dagster",
        [str(_PROGRAMS / "dagster"), "dev", "-w", str(PROJECT / "workspace.yaml"), "-h", "127.0.0.1", "-p", str(port),
         "--log-level", "warning"],
        settings.home / "logs" / "dagster.log",
        dagster_environment(settings, {"PYTHONWARNINGS": "ignore::FutureWarning"}),
        dagster_home(settings),
    )  # fmt: skip


def _search(settings: Settings, port: int) -> Service:
    return Service(
        "the search API",
        [str(_PROGRAMS / "unde-catalog"), "search", "serve", "--port", str(port)],
        settings.home / "logs" / "search.log",
        child_environment({"UNDE_HOME": str(settings.home)}),
    )
