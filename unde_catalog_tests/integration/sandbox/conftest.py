"""Sandbox processes for the tests of the sandbox."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from unde_catalog_tests.support.sandbox_client import ITEM, SandboxClient, sandbox_client


@pytest.fixture(scope="module")
def default_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxClient]:
    with sandbox_client(tmp_path_factory.mktemp("state")) as sandbox:
        yield sandbox


@pytest.fixture
def data_folder(tmp_path: Path) -> Path:
    """A tiny data folder: one brand, odd items, two photos, and a link to a file outside."""
    data = tmp_path / "data"
    (data / "apify_items").mkdir(parents=True)
    (data / "photos").mkdir()
    odd = [ITEM, "not an object", {"no": "id"}, {"id": 8, "name": "café 😀"}]
    (data / "apify_items/zara.json").write_text(json.dumps(odd))
    (data / "photos/a b.png").write_bytes(b"\x89PNG" + bytes(range(256)) * 5000)
    (data / "photos/c.webp").write_bytes(b"RIFF")
    (tmp_path / "secret.txt").write_text("secret")
    (data / "link.txt").symlink_to(tmp_path / "secret.txt")
    return data


@pytest.fixture
def folder_sandbox(tmp_path: Path, data_folder: Path) -> Iterator[SandboxClient]:
    with sandbox_client(tmp_path / "state", "--data", str(data_folder)) as sandbox:
        yield sandbox
