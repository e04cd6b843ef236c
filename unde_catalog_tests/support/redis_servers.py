"""Debian's Redis, with a password."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from unde_catalog_tests.support.servers import closed_port, missing

REDIS_PASSWORD = "redis-planted-password"


@contextmanager
def running_redis(folder: Path) -> Iterator[str]:
    """The URL of a Redis that runs while the context lasts; `folder` is created."""
    program = shutil.which("redis-server")
    if program is None:
        missing("Redis is not installed: apt-get install redis-server")
    folder.mkdir()
    port = closed_port()
    command = [
        program, "--port", str(port), "--bind", "127.0.0.1", "--requirepass", REDIS_PASSWORD, "--save", "",
        "--dir", str(folder),
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert any("Ready to accept connections" in line for line in process.stdout), "Redis did not start"
        yield f"redis://:{REDIS_PASSWORD}@127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait(20)
