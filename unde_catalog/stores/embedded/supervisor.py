"""The server's parent process: starts or adopts it, restarts it while users remain, and stops it after the last one.

`python -m unde_catalog.stores.embedded.supervisor DIRECTORY MAJOR`; only `postgres.py` runs it.
"""

import ctypes
import logging
import os
import signal
import sys
import time
from collections import deque
from pathlib import Path
from typing import cast

import psutil

from unde_catalog.stores.embedded import cluster
from unde_catalog.stores.embedded.binaries import Major, find_programs
from unde_catalog.stores.embedded.errors import EmbeddedPostgresError
from unde_catalog.stores.embedded.layout import Layout
from unde_catalog.stores.embedded.locks import FileLock
from unde_catalog.stores.embedded.privileges import launcher_for

_TICK = 0.25  # seconds between two checks for users
_RESTARTS = 5  # give up after this many within _RESTART_WINDOW seconds
_RESTART_WINDOW = 60.0
_ORPHAN_PATIENCE = 1.0  # seconds in which backends usually notice that their postmaster died
_LEFTOVER_PATIENCE = 30.0
_LOG_LIMIT = 4_000_000  # bytes, of which _LOG_KEPT stay
_LOG_KEPT = 500_000
_LOG_DESCRIPTOR = 2
_PR_SET_CHILD_SUBREAPER = 36

_log = logging.getLogger(__name__)


def start_or_adopt(layout: Layout, major: Major) -> psutil.Process:
    """The running server of this data directory; starts one if there is none.

    When `server_lock` can be taken, no process of an earlier server or initdb is left.
    """
    programs = find_programs(major)
    launcher = launcher_for(layout, programs)
    began = time.monotonic()
    lock = FileLock(layout.server_lock)
    try:
        while True:
            postmaster = cluster.find_postmaster(layout, launcher.account)
            if postmaster is not None:
                _log.info("took over the server with process id %s", postmaster.pid)
                return postmaster
            if lock.take():
                break
            waited = time.monotonic() - began
            if waited > _LEFTOVER_PATIENCE:
                raise EmbeddedPostgresError(
                    f"processes of an earlier PostgreSQL still use {layout.data} and cannot be found from here; "
                    "stop them (they may be in another container), then try again"
                )
            if waited > _ORPHAN_PATIENCE:
                cluster.end_orphans(layout, launcher.account)
            time.sleep(_TICK / 5)
        cluster.initialise(layout, programs, launcher, lock)
        return cluster.start(layout, programs, launcher, lock)
    finally:
        lock.close()  # not released: the server has inherited it and keeps it


def ended_before_its_users(layout: Layout, server: psutil.Process, users: FileLock) -> bool:
    """Wait until the server has ended (True), or has no users any more, or its folder was removed (False)."""
    while not cluster.ends_within(server, _TICK):
        if users.take() or not users.is_current():
            return False
        if cluster.has_lost_its_socket(layout):
            _log.warning("the socket of the server with process id %s was removed", server.pid)
            cluster.stop(server)
            return True
        cluster.reap_strays()
        _shorten_log()
    return True


def keep_running(layout: Layout, major: Major, users: FileLock) -> None:
    """Return when no users are left and the server is stopped; then `users` is locked exclusively."""
    deaths: deque[float] = deque(maxlen=_RESTARTS)
    while True:
        server = start_or_adopt(layout, major)
        try:
            ended = ended_before_its_users(layout, server, users)
        except SystemExit:
            cluster.stop(server)
            raise
        if not ended:
            cluster.stop(server)
            cluster.remove_socket_folder(layout)
            return
        _log.warning("the server with process id %s ended while in use", server.pid)
        deaths.append(time.monotonic())
        if len(deaths) == _RESTARTS and deaths[-1] - deaths[0] < _RESTART_WINDOW:
            raise EmbeddedPostgresError(f"the server ended {_RESTARTS} times within {_RESTART_WINDOW:.0f} s")


def _shorten_log() -> None:
    """The server writes to the same open file with O_APPEND, so it continues at the new end."""
    size = os.fstat(_LOG_DESCRIPTOR).st_size
    if size > _LOG_LIMIT:
        kept = os.pread(_LOG_DESCRIPTOR, _LOG_KEPT, size - _LOG_KEPT)
        os.ftruncate(_LOG_DESCRIPTOR, 0)
        os.write(_LOG_DESCRIPTOR, kept)


def _inherit_orphans() -> None:
    """Become the parent of the backends of a killed postmaster, to be able to stop and reap them."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _exit_on_signal(number: int, _frame: object) -> None:
    raise SystemExit(128 + number)


def main() -> int:
    """Continue in the background; when the foreground process exits, `supervisor_lock` is held."""
    layout = Layout(Path(sys.argv[1]))
    major = cast(Major, int(sys.argv[2]))
    lock = FileLock(layout.supervisor_lock)
    if not lock.take() or os.fork() != 0:
        os._exit(0)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s supervisor[%(process)d]: %(message)s")
    os.chdir("/")
    signal.signal(signal.SIGTERM, _exit_on_signal)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    _inherit_orphans()
    users = FileLock(layout.in_use_lock)
    try:
        keep_running(layout, major, users)
    except (EmbeddedPostgresError, OSError, psutil.Error) as error:
        _log.error("%s", error)
        return 1
    finally:
        lock.close()  # before `users`: a new user must see that there is no supervisor
        users.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
