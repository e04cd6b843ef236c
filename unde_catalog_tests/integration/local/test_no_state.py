"""Commands where nothing was ever stored: those that read create nothing, and those that create say so."""

from pathlib import Path

import pytest

from unde_catalog_tests.support.own_sandboxes import unde_catalog


@pytest.mark.parametrize(
    "arguments",
    [
        ("status",), ("show", "zara/1"), ("report",), ("export", "-b", "zara"), ("verify",), ("upkeep",),
        ("pause", "--brand", "zara", "--why", "x"), ("vectors", "status"), ("search", "keys", "list"),
    ],
)  # fmt: skip
def test_a_command_that_reads_creates_nothing(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    home = tmp_path / "state"
    done = unde_catalog(home, *arguments)
    assert done.returncode == 1
    assert f"there is no state in {home}: make demo" in done.stderr and "Traceback" not in done.stderr
    assert not home.exists()


def test_a_command_that_creates_a_state_says_where(tmp_path: Path) -> None:
    home = tmp_path / "state"
    done = unde_catalog(home, "migrate")
    assert done.returncode == 0, done.stderr
    assert done.stderr == f"New state: {home}\n"
    assert unde_catalog(home, "migrate").stderr == ""
    assert unde_catalog(home, "status").returncode == 0
