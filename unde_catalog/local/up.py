"""`unde-catalog up`: Dagster's UI, the search page and user media until Ctrl-C, and the sandbox without APIFY_TOKEN.

A server that ends is started again, a few times.
"""

import contextlib
import shlex
import shutil
import signal
import sys
import threading
from pathlib import Path

from rich.console import Console

from unde_catalog.backends import Backends
from unde_catalog.local.own_sandbox import SandboxService
from unde_catalog.local.ports import free_port, must_be_free
from unde_catalog.local.processes import CannotStart, dagster_environment, dagster_home, missing_extra
from unde_catalog.local.service import LocalService
from unde_catalog.local.up_lock import UpLock
from unde_catalog.settings.environment import Settings, load_settings, load_user_media_settings
from unde_catalog.settings.project import project_file
from unde_catalog.settings.search import SEARCH_PORT
from unde_catalog.settings.sources import child_environment, publish, sandbox_settings
from unde_catalog.settings.user_media import UserMediaSettings
from unde_catalog.stores.embedded import nats
from unde_catalog.stores.embedded.binaries import find_programs

_PROGRAMS = Path(sys.executable).parent
NATS_PORT = 4222
_POLL_SECONDS = 0.5


def up(console: Console, port: int, search_port: int | None, nats_port: int | None, sandbox_port: int | None) -> int:
    """Serve until SIGINT or SIGTERM; 0 after a clean stop, or if another `up` serves this state already.

    A port that is None is the usual one, or the next free one. `CannotStart` if Dagster can't be kept running.
    """
    settings = load_settings()
    ui = f"http://127.0.0.1:{port}"
    with UpLock(settings.home) as lock:
        if running := lock.take(ui):
            _say(console, f"Already running, at {running}. State: {settings.home}")
            return 0
        must_be_free(port, "choose another one with --port (make up PORT=3001)")
        search_port = free_port(search_port, SEARCH_PORT, "--search-port")
        stop_requested = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop_requested.set())
        with contextlib.ExitStack() as stack:
            sandbox = _sandbox(console, stack, settings, sandbox_port)
            _serve(console, stack, stop_requested, (port, search_port, nats_port), sandbox)
            console.print("Stopping ...")
    console.print("Everything has stopped.")
    return 0


def _sandbox(
    console: Console, stack: contextlib.ExitStack, settings: Settings, port: int | None
) -> SandboxService | None:
    """The sandbox, to which all settings of this process and its children point; None with a token of Apify."""
    if settings.apify_token is not None and settings.sandbox is None:
        return None
    sandbox = stack.enter_context(SandboxService(console, settings.home, port))
    publish(sandbox_settings(sandbox.address))
    _say(console, f"Sandbox: {sandbox.address.url} (APIFY_TOKEN is not set)")
    return sandbox


def _serve(
    console: Console,
    stack: contextlib.ExitStack,
    stop_requested: threading.Event,
    ports: tuple[int, int, int | None],
    sandbox: SandboxService | None,
) -> None:
    """Start all servers, say where they are, and keep them running until a stop is requested."""
    port, search_port, nats_port = ports
    settings, media = load_settings(), load_user_media_settings()
    backends = stack.enter_context(Backends(settings))
    _say(console, f"State: {settings.home}")
    _say(console, f"Staging: {backends.db.name}")
    _say(console, f"AUTOMATION={settings.automation}: sensors {'run' if settings.automation == 'on' else 'are off'}")
    dagster = stack.enter_context(_dagster(settings, port))
    services: list[LocalService | SandboxService] = [dagster, *([sandbox] if sandbox else [])]
    search_off = missing_extra("search", "fastapi")
    search = stack.enter_context(_search(settings, search_port)) if search_off is None else None
    if search is not None:
        services.append(search)
    user_media = _user_media(console, stack, settings, media, nats_port)
    services += user_media
    _say(console, f"Logs: {dagster.log.parent}")
    _say(console, f"SQL: {_psql(settings, backends)}")
    page, ui = f"http://127.0.0.1:{search_port}", f"http://127.0.0.1:{port}"
    if search is None:
        _say(console, f"Search page: {search_off}")
    elif search.wait_for_response(f"{page}/", stop_requested):
        _say(console, f"Search page: {page}")
        _say(console, f"API: curl '{page}/api/v1/products?limit=1' (described at {page}/docs)")
    _say(console, f"Notebook: {_notebook(settings)}")
    if dagster.wait_for_response(f"{ui}/server_info", stop_requested):
        _say(console, f"Dagster's UI: {ui}  (Ctrl-C stops everything)")
    elif dagster.ended is not None:
        raise CannotStart(dagster.ended)  # it never ran: starting it again would not help
    while not stop_requested.wait(_POLL_SECONDS):
        for one in services:
            if happened := one.keep_running():
                console.print(happened, style="red", soft_wrap=True, highlight=False, markup=False)
        if dagster.given_up:
            raise CannotStart("Dagster does not keep running, and without it there is nothing to serve")


def _say(console: Console, sentence: str) -> None:
    console.print(sentence, soft_wrap=True, highlight=False, markup=False)


def _psql(settings: Settings, backends: Backends) -> str:
    """The line that opens the staging database in psql, without a password."""
    if settings.staging_db_url is not None:
        return 'psql "$STAGING_DB_URL"'
    program = shutil.which("psql") or str(find_programs(settings.embedded_postgres_major) / "psql")
    return shlex.join([program, backends.staging_url()])


def _notebook(settings: Settings) -> str:
    """The line that starts Python with the assets, as docs/ui.md describes them."""
    start = "from unde_catalog.definitions import defs"
    return f"UNDE_HOME={shlex.quote(str(settings.home))} {shlex.join([sys.executable, '-i', '-c', start])}"


def _user_media(
    console: Console, stack: contextlib.ExitStack, settings: Settings, media: UserMediaSettings, nats_port: int | None
) -> list[LocalService]:
    """User media, with a NATS server if none is configured; nothing where it can't be served."""
    if (off := _why_no_user_media(media)) is not None:
        _say(console, f"User media: {off}")
        return []
    chosen = media.user_media_port if "user_media_port" in media.model_fields_set else None
    port = free_port(chosen, media.user_media_port, "USER_MEDIA_PORT")
    services = []
    if "nats_url" not in media.model_fields_set or media.nats_url.get_secret_value() == nats.address(settings.home):
        nats_port = free_port(nats_port, NATS_PORT, "--nats-port, or set NATS_URL to the server on it")
        services.append(stack.enter_context(_nats(settings, nats_port)))
        publish({"NATS_URL": nats.address(settings.home) or ""})
    publish({"USER_MEDIA_PORT": str(port)})
    services.append(stack.enter_context(_own_server(settings, "User media", "user_media", "user-media", "serve")))
    _say(console, f"User media: http://{media.user_media_host}:{port}/health")
    return services


def _why_no_user_media(media: UserMediaSettings) -> str | None:
    """Why user media can't be served; None if it can."""
    if media.telegram_bot_token is None:
        return "off (TELEGRAM_BOT_TOKEN is not set)"
    return missing_extra("user-media", "nats")


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
    return _own_server(settings, "The search API", "search", "search", "serve", "--port", str(port))


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
