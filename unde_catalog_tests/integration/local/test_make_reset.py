"""`make reset`: removes the state, unless an embedded server uses it."""

import subprocess
import sys
from pathlib import Path

from unde_catalog_tests.support.servers import PROJECT


def reset(folder: Path) -> subprocess.CompletedProcess[str]:
    command = ["make", "-C", str(folder), "-f", str(PROJECT / "Makefile"), "reset", "FORCE=1"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_make_reset_removes_the_state_unless_it_is_in_use(tmp_path: Path) -> None:
    (tmp_path / ".unde").mkdir()
    # Waits like a supervisor, with its command line.
    supervisor = subprocess.Popen(
        [sys.executable, "-c", "input()", "-m", "unde_catalog.stores.embedded.supervisor", f"{tmp_path}/.unde", "18"],
        stdin=subprocess.PIPE,
    )
    try:
        refused = reset(tmp_path)
        assert refused.returncode != 0 and "stop make up first" in refused.stdout
        assert (tmp_path / ".unde").is_dir()
    finally:
        supervisor.communicate(b"\n", timeout=60)
    assert "removed .unde" in reset(tmp_path).stdout
    assert not (tmp_path / ".unde").exists()
