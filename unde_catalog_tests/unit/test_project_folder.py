"""Where `.env` and the state are, from wherever a command is started."""

from pathlib import Path

import pytest

from unde_catalog.settings import project
from unde_catalog.settings.environment import load_settings


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout without state yet, where one stands."""
    folder = tmp_path / "checkout"
    (folder / "docs" / "img").mkdir(parents=True)
    monkeypatch.setattr(project, "_CHECKOUT", folder)
    monkeypatch.delenv("UNDE_HOME", raising=False)
    monkeypatch.chdir(folder)
    return folder


def test_a_folder_inside_the_project_has_its_state(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().home == checkout / ".unde"
    monkeypatch.chdir(checkout / "docs" / "img")
    assert load_settings().home == checkout / ".unde"
    (checkout / ".env").write_text("UNDE_HOME=state\nAPIFY_TOKEN=from-the-project\n")
    settings = load_settings()
    assert settings.home == checkout / "state"
    assert settings.apify_token is not None and settings.apify_token.get_secret_value() == "from-the-project"


def test_any_other_folder_has_the_state_of_the_checkout(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    assert load_settings().home == checkout / ".unde"
    monkeypatch.setattr(project, "_CHECKOUT", None)  # an installed wheel
    assert load_settings().home == Path("/.unde")


def test_the_nearest_state_wins_like_the_nearest_repository(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    inner = tmp_path / "other" / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "other" / ".unde").mkdir()
    monkeypatch.chdir(inner)
    assert load_settings().home == tmp_path / "other" / ".unde"
    monkeypatch.setenv("UNDE_HOME", "mine")  # in the environment it is relative to where one stands
    assert load_settings().home == inner / "mine"
