"""The ximilar_index stage, killed at arbitrary moments: according to the sandbox's log nothing is bought twice."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from unde_catalog.stores.db.database import Database
from unde_catalog_tests.support.due import execute, expire_leases
from unde_catalog_tests.support.servers import Sandbox
from unde_catalog_tests.support.ximilar_index import XimilarIndex

pytestmark = pytest.mark.slow

PROGRAM = str(Path(sys.executable).parent / "unde-catalog")
PRODUCTS = 30


def _start(environment: dict[str, str], folder: Path) -> subprocess.Popen[bytes]:
    command = [PROGRAM, "run", "ximilar_index", "--brand", "zara"]
    return subprocess.Popen(
        command, env={**os.environ, **environment}, cwd=folder, start_new_session=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )  # fmt: skip


def _kill(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


@pytest.mark.parametrize("inserts", [1, 2, 4])
def test_a_kill_between_call_and_commit_buys_nothing_twice(
    db: Database,
    start_sandbox: Callable[..., Sandbox],
    configured: Callable[..., dict[str, str]],
    tmp_path: Path,
    inserts: int,
) -> None:
    sandbox = start_sandbox()
    # One insert at a time. The response comes half a second after the insert, and in between the stage is killed.
    environment = configured(sandbox, XIMILAR_RATE_LIMIT="4")
    index = XimilarIndex(db, sandbox, tmp_path / "home" / "objects")
    for _ in range(PRODUCTS):
        index.add("red", "green")
    sandbox.control(ximilar={"delay": 0.5})
    kills = 0
    pause = threading.Event()
    for number in range(1, inserts + 1):
        process = _start(environment, tmp_path)
        try:
            while process.poll() is None and len(sandbox.log("ximilar.insert")) < number:
                pause.wait(0.02)
            kills += process.poll() is None
        finally:
            _kill(process)
        expire_leases(db)
        execute(db, "UPDATE ximilar_records SET intended_at = intended_at - interval '1 minute'")
    assert kills == inserts
    assert execute(db, "SELECT 1 FROM ximilar_records WHERE state = 'intended'"), "no intent was left open"
    sandbox.control(ximilar={"delay": 0})
    last = _start(environment, tmp_path)
    out, _ = last.communicate(timeout=60)
    assert last.returncode == 0, out.decode()
    sent = index.sent_records()
    assert len(sent) == len(set(sent)) == 2 * PRODUCTS, "a record was sent twice"
    assert index.billed() == 2 * PRODUCTS and len(index.collection()) == 2 * PRODUCTS
    assert {row["ximilar_status"] for row in execute(db, "SELECT ximilar_status FROM raw_products")} == {"synced"}
    assert execute(db, "SELECT sum(records)::int AS n FROM ximilar_credits") == [{"n": 2 * PRODUCTS}]
