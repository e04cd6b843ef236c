"""One server process: creates its data, finds, starts and stops it. The supervisor decides when."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import psutil

from unde_catalog.stores.embedded.errors import EmbeddedPostgresError
from unde_catalog.stores.embedded.layout import PORT, ROLE, SOCKET, Layout
from unde_catalog.stores.embedded.locks import FileLock
from unde_catalog.stores.embedded.privileges import Account, Launcher, make_private_folder

_STEP = 0.05  # seconds between two checks of a process
_UNFINISHED = "initdb-"

_SETTINGS = {
    "listen_addresses": "",  # only the socket: the authentication is trust
    "port": str(PORT),
    "shared_buffers": "64MB",
    # The settings of the production server, so that plans and losses after a crash are the same here.
    "effective_cache_size": "3GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "256MB",
    "max_connections": "100",
    "checkpoint_completion_target": "0.9",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",  # wal_level minimal requires it
    "fsync": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "off",
    "log_checkpoints": "off",
    "dynamic_shared_memory_type": "sysv",  # containers limit /dev/shm to 64 MB, where parallel index builds fail
}


def initialise(layout: Layout, programs: Path, launcher: Launcher, lock: FileLock) -> None:
    """Create the data directory atomically; initdb inherits `lock`."""
    for leftover in layout.directory.glob(f"{_UNFINISHED}*"):
        shutil.rmtree(leftover, ignore_errors=True)
    if layout.data.exists():
        return
    unfinished = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=layout.directory))
    make_private_folder(unfinished, launcher.account)
    command = [
        *launcher.prefix,
        *(str(programs / "initdb"), f"--pgdata={unfinished}", f"--username={ROLE}"),
        *("--auth-local=trust", "--auth-host=reject", "--encoding=UTF8", "--no-locale"),
    ]
    # initdb syncs its files (0.1 s): a crash of the machine must not leave a cluster that only looks complete
    done = subprocess.run(command, stdout=subprocess.DEVNULL, pass_fds=(lock.descriptor,), **launcher.options())
    if done.returncode != 0:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise EmbeddedPostgresError(
            f"initdb failed with {done.returncode} in {layout.directory}; the reason is above this line "
            "(is the disk full or read-only?)"
        )
    unfinished.rename(layout.data)
    _sync_folder(layout.directory)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def reap_strays() -> None:
    """Collect the exit codes of backends that became children of this process when their postmaster was killed."""
    try:
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass
    except ChildProcessError:
        return


def start(layout: Layout, programs: Path, launcher: Launcher, lock: FileLock) -> psutil.Popen:
    """Start the server as a child of this process; `lock` must be held, and all processes of the server inherit it."""
    folder = layout.socket_folder()
    make_private_folder(folder, launcher.account)
    # These are stale, because the lock is held; PostgreSQL would trust them if another process had that id by now.
    for stale in (layout.postmaster_pid, folder / SOCKET, folder / f"{SOCKET}.lock"):
        stale.unlink(missing_ok=True)
    settings = {**_SETTINGS, "unix_socket_directories": str(folder)}
    return psutil.Popen(
        [
            *launcher.prefix,
            *(str(programs / "postgres"), "-D", str(layout.data)),
            *(part for name, value in settings.items() for part in ("-c", f"{name}={value}")),
        ],
        pass_fds=(lock.descriptor,),
        start_new_session=True,
        **launcher.options(),
    )


def find_postmaster(layout: Layout, account: Account) -> psutil.Process | None:
    """The running server of this data directory; None if postmaster.pid names a zombie or another process.

    It is recognised by owner, name and arguments, which can be read for processes of other users too. Reading the
    working directory needs CAP_SYS_PTRACE, which root in a container does not have.
    """
    try:
        process = psutil.Process(int(layout.postmaster_pid.read_text().split("\n", 1)[0]))
        arguments = process.cmdline()
        is_server = (
            process.uids().real == account.uid
            and process.name() == "postgres"
            and ["-D", str(layout.data)] == arguments[1:3]
        )
        return process if is_server and is_alive(process) else None
    except (FileNotFoundError, ValueError, psutil.Error):
        return None


def has_lost_its_socket(layout: Layout) -> bool:
    """Whether the socket file of a ready server was removed, as cleaners of /tmp do: it cannot be reached any more."""
    try:
        status = layout.postmaster_pid.read_text().splitlines()[7].strip()
    except (FileNotFoundError, IndexError):
        return False
    return status == "ready" and not (layout.socket_folder() / SOCKET).exists()


def is_alive(process: psutil.Process) -> bool:
    """Whether it runs, is still the same process (psutil compares start times), and is not a zombie."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def ends_within(process: psutil.Process, seconds: float) -> bool:
    """Wait for its end; reaps a child of this process."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            process.wait(timeout=min(_STEP, seconds))
        except psutil.TimeoutExpired:
            if not is_alive(process):
                return True
            if time.monotonic() > deadline:
                return False
        else:
            return True


def stop(server: psutil.Process) -> None:
    """Stop the server: a clean shutdown first, then ones that leave recovery to the next start."""
    for number, patience in ((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)):
        try:
            server.send_signal(number)
        except psutil.NoSuchProcess:
            return
        if ends_within(server, patience):
            return


def remove_socket_folder(layout: Layout) -> None:
    """Remove the socket folder; one that is in use again is not empty and stays."""
    with contextlib.suppress(OSError):
        layout.socket_folder().rmdir()


def end_orphans(layout: Layout, account: Account) -> None:
    """Stop backends whose postmaster was killed: one with a long query would not notice for a long time."""
    orphans = [child for child in psutil.Process().children() if child.name() == "postgres"]
    for process in psutil.process_iter(["name", "cwd", "uids"]):
        info = process.info  # cwd is None without permission
        if info["name"] == "postgres" and info["cwd"] == str(layout.data) and info["uids"].real == account.uid:
            orphans.append(process)
    for number in (signal.SIGQUIT, signal.SIGKILL):
        for orphan in orphans:
            try:
                orphan.send_signal(number)
            except psutil.NoSuchProcess:
                continue
        _, orphans = psutil.wait_procs(orphans, timeout=2.0)
