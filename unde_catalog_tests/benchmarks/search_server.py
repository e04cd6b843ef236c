"""A PostgreSQL of the wheel with the settings that are in force in production (spec 1), among them 1 GB of buffers.

The embedded one that everybody gets has 64 MB, in which a big index does not stay. What is measured is elsewhere.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from unde_catalog.embedded.binaries import find_programs
from unde_catalog_tests.pgbouncer import ordinary_user
from unde_catalog_tests.servers import Server

_SETTINGS = {
    "listen_addresses": "",
    "shared_buffers": "1GB",
    "effective_cache_size": "3GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "256MB",
    "max_connections": "100",
    "checkpoint_completion_target": "0.9",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "dynamic_shared_memory_type": "sysv",
}


@contextmanager
def production_like_server() -> Iterator[Server]:
    """Runs it on a folder of its own; as root, the server runs as nobody."""
    programs = find_programs(18)
    folder = Path(tempfile.mkdtemp(prefix="unde-pg-"))
    account = ordinary_user()
    if account:
        os.chown(folder, account["user"], account["group"])
    data = folder / "data"
    initdb = [programs / "initdb", "-D", data, "-U", "unde", "--no-locale", "-E", "UTF8", "-A", "trust", "-N"]
    options = " ".join(f"-c {name}='{value}'" for name, value in _SETTINGS.items())
    control = [programs / "pg_ctl", "-D", data, "-w"]
    try:
        subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, cwd=folder, **account)
        start = [*control, "-o", f"{options} -c unix_socket_directories={folder}", "-l", folder / "log", "start"]
        subprocess.run(start, check=True, stdout=subprocess.DEVNULL, cwd=folder, **account)
        try:
            yield Server(f"postgresql://unde@/postgres?host={folder}")
        finally:
            stop = [*control, "-m", "immediate", "stop"]
            subprocess.run(stop, check=True, stdout=subprocess.DEVNULL, cwd=folder, **account)
    finally:
        shutil.rmtree(folder)
