"""Fixtures of the stages: backends on simulated time, and the ximilar_index stage."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from unde_catalog.backends import Backends
from unde_catalog.settings.environment import load_settings
from unde_catalog.stages.ximilar_index import stage as ximilar
from unde_catalog.stores.db.database import Database
from unde_catalog_tests.support.servers import Sandbox, Server
from unde_catalog_tests.support.simulated_time import SimulatedTime
from unde_catalog_tests.support.stock import NOON, run
from unde_catalog_tests.support.ximilar_index import XimilarIndex


@pytest.fixture
def simulated_time(server: Server, database_url: str) -> Iterator[SimulatedTime]:
    simulated = SimulatedTime(server.direct_url(database_url), NOON)
    yield simulated
    simulated.close()


@pytest.fixture
def open_backends(
    sandbox: Sandbox, configured: Callable[..., dict[str, str]], simulated_time: SimulatedTime
) -> Iterator[Callable[..., Backends]]:
    """Opens backends with a collected brand. The sandbox uses the database's day, and waiting takes no time."""
    opened: list[Backends] = []

    def open_with(brand: str = "zara", **settings: str) -> Backends:
        configured(sandbox, **settings)
        sandbox.control(shops={"now": NOON.isoformat()})
        backends = Backends(load_settings(), simulated_time.clock)
        opened.append(backends)
        assert run(backends, "raw_products", brand).done == 20
        return backends

    yield open_with
    for backends in opened:
        backends.close()


@pytest.fixture
def index(
    db: Database, start_sandbox: Callable[..., Sandbox], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[XimilarIndex]:
    monkeypatch.setattr(ximilar, "SETTLE_SECONDS", 0.0)
    monkeypatch.setattr("unde_catalog.stages.ximilar_index.client._FIRST_WAIT", 0.01)
    yield XimilarIndex(db, start_sandbox(), tmp_path / "objects")


@pytest.fixture
def outside(backends: Backends) -> Iterator[psycopg.Connection[Any]]:
    """A connection of another program."""
    with psycopg.connect(backends.db.url, autocommit=True, prepare_threshold=None) as connection:
        yield connection
