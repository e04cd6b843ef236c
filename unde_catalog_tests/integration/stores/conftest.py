"""Fixtures for embedded servers."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from unde_catalog.stores.embedded.postgres import EmbeddedPostgres
from unde_catalog_tests.support.embedded_users import ServerFolder, store, wait_until


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder with a short path, as sockets need, that every account can reach, as the account of the server needs."""
    folder = Path(tempfile.mkdtemp(prefix="unde-", dir="/tmp"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def server_folder(home: Path) -> Iterator[ServerFolder]:
    server_folder = ServerFolder(home / "postgres")
    yield server_folder
    for user in server_folder.users:
        user.kill()
    wait_until(server_folder.is_idle, "the server stops after the test")


@pytest.fixture
def stopped(server_folder: ServerFolder) -> ServerFolder:
    """A folder whose server has been used and stopped."""
    with EmbeddedPostgres(server_folder.directory) as postgres:
        store(postgres, 1)
    wait_until(server_folder.is_idle, "the server stops")
    return server_folder
