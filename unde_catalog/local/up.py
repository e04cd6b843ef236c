"""`unde-catalog up`: Dagster's UI, the search page and user media until Ctrl-C, and the sandbox without APIFY_TOKEN.

If a server other than Dagster ends, `up` says so and keeps the others running.
"""

import contextlib
import signal
import sys
import threading
from pathlib import Path

from rich.console import Console

from unde_catalog.backends import Backends
from unde_catalog.local.processes import CannotStart, dagster_environment, dagster_home, missing_extra, sandbox
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
from unde_catalog.settings.user_media import UserMediaSettings
from unde_catalog.stores.embedded import nats

_PROGRAMS = Path(sys.executable).parent


def up(console: Console, port: int, search_port: int, nats_port: int, sandbox_port: int) -> int:
    """Serve until SIGINT or SIGTERM; 0 after a clean stop. `CannotStart` if Dagster ends."""
    must_be_free(port, "--port")
    must_be_free(search_port, "--search-port")
    real = load_settings().apify_token is not None
    if not real:
        publish({**environment(sandbox_port), "ZARA_INDEX_SCOPE": "pilot"})
    settings, media = load_settings(), load_user_media_settings()
    media_off = _why_no_user_media(media)
    own_nats = media_off is None and "nats_url" not in media.model_fields_set
    if media_off is None:
        must_be_free(media.user_media_port, "USER_MEDIA_PORT")
    if own_nats:
        must_be_free(nats_port, "--nats-port, or set NATS_URL to the server on it")
    stop_requested = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop_requested.set())
    with contextlib.ExitStack() as stack:
        if not real:
            base_url = stack.enter_context(sandbox(settings, sandbox_port))
            console.print(f"Sandbox: {base_url} (APIFY_TOKEN is not set)")
        backends = stack.enter_context(Backends(settings))
        console.print(f"State: {settings.home}", soft_wrap=True)
        console.print(f"Staging: {backends.db.name}", soft_wrap=True)
        console.print(
            f"AUTOMATION={settings.automation}: sensors {'run' if settings.automation == 'on' else 'are off'}"
        )
        dagster = stack.enter_context(_dagster(settings, port))
        search_off = missing_extra("search", "fastapi")
        search = stack.enter_context(_search(settings, search_port)) if search_off is None else None
        others = [search] if search else []
        if own_nats:
            others.append(stack.enter_context(_nats(settings, nats_port)))
            publish({"NATS_URL": nats.address(settings.home) or ""})
        if media_off is None:
            others.append(stack.enter_context(_user_media(settings)))
        console.print(f"Logs: {dagster.log.parent}", soft_wrap=True)
        page, ui = f"http://127.0.0.1:{search_port}", f"http://127.0.0.1:{port}"
        if search is None:
            console.print(f"Search page: {search_off}", markup=False)
        elif search.wait_for_response(f"{page}/", stop_requested):
            console.print(f"Search page: {page}")
        if media_off is not None:
            console.print(f"User media: {media_off}", markup=False)
        else:
            console.print(f"User media: http://{media.user_media_host}:{media.user_media_port}/health")
        if dagster.wait_for_response(f"{ui}/server_info", stop_requested):
            console.print(f"Dagster's UI: {ui}  (Ctrl-C stops everything)")
        _watch(console, dagster, others, stop_requested)
        console.print("Stopping ...")
    console.print("Everything has stopped.")
    return 0


def _why_no_user_media(media: UserMediaSettings) -> str | None:
    """Why user media can't be served; None if it can."""
    if media.telegram_bot_token is None:
        return "off (TELEGRAM_BOT_TOKEN is not set)"
    return missing_extra("user-media", "nats")


def _watch(
    console: Console, dagster: LocalService, others: list[LocalService], stop_requested: threading.Event
) -> None:
    """Wait until a stop is requested. Without Dagster there is nothing to serve; any other server may end."""
    while not stop_requested.wait(0.5):
        if dagster.ended is not None:
            raise CannotStart(dagster.ended)
        for one in [one for one in others if one.ended is not None]:
            message = f"{one.ended}\nThe other servers keep running."
            console.print(message, style="red", soft_wrap=True, highlight=False, markup=False)
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
    return _own_server(settings, "the search API", "search", "search", "serve", "--port", str(port))


def _user_media(settings: Settings) -> LocalService:
    return _own_server(settings, "user media", "user_media", "user-media", "serve")


def _own_server(settings: Settings, name: str, log: str, *command: str) -> LocalService:
    return LocalService(
        name,
        [str(_PROGRAMS / "unde-catalog"), *command],
        settings.home / "logs" / f"{log}.log",
        child_environment({"UNDE_HOME": str(settings.home)}),
    )


def _nats(settings: Settings, port: int) -> LocalService:
    log = settings.home / "logs" / "nats.log"
    return LocalService("NATS", nats.prepare(settings.home, port), log, child_environment({}))
