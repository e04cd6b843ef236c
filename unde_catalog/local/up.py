"""`unde-catalog up`: Dagster, search and people's photos here until Ctrl-C, and the sandbox where no source is real.

Other servers than Dagster may end: that is told, and everything else goes on.
"""

import contextlib
import signal
import sys
import threading
from pathlib import Path

from rich.console import Console

from unde_catalog.backends import Backends
from unde_catalog.local.processes import CannotStart, dagster_environment, dagster_home, sandbox
from unde_catalog.local.service import LocalService, must_be_free
from unde_catalog.sandbox.serve import environment
from unde_catalog.settings.environment import (
    Settings,
    child_environment,
    load_settings,
    load_user_media_settings,
    publish,
)
from unde_catalog.settings.project import project_file
from unde_catalog.stores.embedded import nats

_PROGRAMS = Path(sys.executable).parent


def up(console: Console, port: int, search_port: int, nats_port: int, sandbox_port: int) -> int:
    """Serve until SIGINT or SIGTERM; 0 after a clean stop. `CannotStart` when Dagster ended by itself."""
    must_be_free(port, "--port")
    must_be_free(search_port, "--search-port")
    real = load_settings().apify_token is not None
    if not real:
        publish({**environment(sandbox_port), "ZARA_INDEX_SCOPE": "pilot"})
    settings, people = load_settings(), load_user_media_settings()
    own_nats = people.telegram_bot_token is not None and "nats_url" not in people.model_fields_set
    if people.telegram_bot_token is not None:
        must_be_free(people.user_media_port, "USER_MEDIA_PORT")
    if own_nats:
        must_be_free(nats_port, "NATS_URL names the server there, or --nats-port")
    stop_requested = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop_requested.set())
    with contextlib.ExitStack() as stack:
        if not real:
            base_url = stack.enter_context(sandbox(settings, sandbox_port))
            console.print(f"Sandbox of the outside services: {base_url} (APIFY_TOKEN is not set)")
        backends = stack.enter_context(Backends(settings))
        console.print(f"State: {settings.home}", soft_wrap=True)
        console.print(f"Staging: {backends.db.name}", soft_wrap=True)
        console.print(f"AUTOMATION={settings.automation}: sensors {'run' if settings.automation == 'on' else 'wait'}")
        dagster = stack.enter_context(_dagster(settings, port))
        search = stack.enter_context(_search(settings, search_port))
        others = [search]
        if own_nats:
            others.append(stack.enter_context(_nats(settings, nats_port)))
            publish({"NATS_URL": nats.address(settings.home) or ""})
        if people.telegram_bot_token is not None:
            others.append(stack.enter_context(_user_media(settings)))
        console.print(f"What they say goes to {dagster.log.parent}", soft_wrap=True)
        page, desk = f"http://127.0.0.1:{search_port}", f"http://127.0.0.1:{port}"
        if search.answers(f"{page}/", stop_requested):
            console.print(f"Search:  {page}")
        if people.telegram_bot_token is None:
            console.print("People's photos: not served, TELEGRAM_BOT_TOKEN is not set")
        else:
            console.print(f"People's photos: http://{people.user_media_host}:{people.user_media_port}/health")
        if dagster.answers(f"{desk}/server_info", stop_requested):
            console.print(f"Dagster: {desk}  (Ctrl-C stops everything)")
        _watch(console, dagster, others, stop_requested)
        console.print("Stopping ...")
    console.print("Everything has stopped.")
    return 0


def _watch(
    console: Console, dagster: LocalService, others: list[LocalService], stop_requested: threading.Event
) -> None:
    """Until told to stop. Without Dagster there is nothing to serve; without another, everything else goes on."""
    while not stop_requested.wait(0.5):
        if dagster.ended is not None:
            raise CannotStart(dagster.ended)
        for one in [one for one in others if one.ended is not None]:
            console.print(
                f"{one.ended}\nEverything else goes on.", style="red", soft_wrap=True, highlight=False, markup=False
            )
            others.remove(one)


def _dagster(settings: Settings, port: int) -> LocalService:
    return LocalService(
        "Dagster",
        [str(_PROGRAMS / "dagster"), "dev", "-w", str(project_file("workspace.yaml")), "-h", "127.0.0.1",
         "-p", str(port), "--log-level", "warning"],
        settings.home / "logs" / "dagster.log",
        dagster_environment(settings, {"PYTHONWARNINGS": "ignore::FutureWarning"}),
        dagster_home(settings),
    )  # fmt: skip


def _search(settings: Settings, port: int) -> LocalService:
    return _of_ours(settings, "the search API", "search", "search", "serve", "--port", str(port))


def _user_media(settings: Settings) -> LocalService:
    return _of_ours(settings, "the service for people's photos", "user_media", "user-media", "serve")


def _of_ours(settings: Settings, name: str, log: str, *command: str) -> LocalService:
    return LocalService(
        name,
        [str(_PROGRAMS / "unde-catalog"), *command],
        settings.home / "logs" / f"{log}.log",
        child_environment({"UNDE_HOME": str(settings.home)}),
    )


def _nats(settings: Settings, port: int) -> LocalService:
    log = settings.home / "logs" / "nats.log"
    return LocalService("NATS", nats.prepare(settings.home, port), log, child_environment({}))
