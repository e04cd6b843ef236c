"""Health checks of the server's dependencies, and the Prometheus endpoint.

A check has a time limit, and concurrent requests share its result. Only the log says why a check fails.
"""

import asyncio
from collections.abc import Callable
from time import monotonic, perf_counter
from typing import Annotated, Literal

import anyio.to_thread
from fastapi import APIRouter, Depends, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel, Field

from unde_catalog.services.search.context import Context, ContextDep
from unde_catalog.services.search.middleware.request_log import LOG
from unde_catalog.services.search.schemas.problems import Problem, from_error
from unde_catalog.services.search.search_service import SearchService
from unde_catalog.stores.db.replica import ReplicatedDatabase

_TIMEOUT = 2.0  # seconds per check
_CACHE_SECONDS = 1.0

Dependency = Literal["staging", "replica", "vectors", "store", "model"]
_REQUIRED: frozenset[Dependency] = frozenset({"staging", "vectors"})  # some requests work without the others
_INDEX_EMPTY = "nothing_embedded"  # not a failure: product endpoints work with an empty index

router = APIRouter(tags=["health"])


class DependencyHealth(BaseModel):
    """The state of one dependency. `code` says what is wrong."""

    ok: bool
    ms: float
    code: str | None = None


class HealthResponse(BaseModel):
    """`degraded`: some requests fail. `down`: every search fails."""

    status: Literal["ok", "degraded", "down"]
    checks: dict[Dependency, DependencyHealth] = Field(examples=[{"staging": {"ok": True, "ms": 0.8}}])


class HealthChecker:
    """Checks all dependencies concurrently."""

    def __init__(self, context: Context, service: SearchService) -> None:
        self._checks: dict[Dependency, Callable[[], object]] = {
            "staging": lambda: context.db.run(lambda cursor: cursor.execute("SELECT 1")),
            "vectors": service.check_index,
            "store": lambda: context.store.exists("health"),
            "model": lambda: service.models.get(service.serving_model()),
        }
        if context.settings.search_db_url is not None:
            self._checks["replica"] = lambda: _check_replica(context)
        self._running: dict[Dependency, asyncio.Task[DependencyHealth]] = {}
        self._cached: tuple[HealthResponse, float] | None = None  # response, expiry
        self._lock = asyncio.Lock()

    async def check(self) -> HealthResponse:
        """The state of all dependencies, at most a second old."""
        async with self._lock:
            if self._cached is None or monotonic() >= self._cached[1]:
                self._cached = (await self._check_all(), monotonic() + _CACHE_SECONDS)
            return self._cached[0]

    async def _check_all(self) -> HealthResponse:
        for dependency, check in self._checks.items():
            if dependency not in self._running:  # a check that hangs is not started again
                self._running[dependency] = asyncio.create_task(_check(dependency, check))
        await asyncio.wait(self._running.values(), timeout=_TIMEOUT)
        checks = {}
        for dependency in self._checks:
            task = self._running[dependency]
            if task.done():
                checks[dependency] = self._running.pop(dependency).result()
            else:
                checks[dependency] = DependencyHealth(ok=False, ms=_TIMEOUT * 1000, code="no_answer")
        failed = {dependency: result.code for dependency, result in checks.items() if not result.ok}
        down = any(dependency in _REQUIRED and code != _INDEX_EMPTY for dependency, code in failed.items())
        status = "down" if down else "degraded" if failed else "ok"
        return HealthResponse(status=status, checks=checks)


def _check_replica(context: Context) -> None:
    if isinstance(context.db, ReplicatedDatabase):
        context.db.check_replica()


async def _check(dependency: Dependency, check: Callable[[], object]) -> DependencyHealth:
    started = perf_counter()
    code = None
    try:
        await anyio.to_thread.run_sync(check)
    except Exception as error:  # any failure is the result of the check
        problem = from_error(error)
        code = problem.code if problem else "internal_error"
        if not isinstance(error, Problem):
            fields = {"check": dependency, "code": code, "error": f"{type(error).__name__}: {error}"}
            LOG.error("health", extra={"fields": fields})
    return DependencyHealth(ok=code is None, ms=round((perf_counter() - started) * 1000, 1), code=code)


async def _checker(request: Request) -> HealthChecker:
    return request.app.state.health


@router.get(
    "/api/v1/health", summary="Health of the server and its dependencies", responses={503: {"model": HealthResponse}}
)
async def health(response: Response, checker: Annotated[HealthChecker, Depends(_checker)]) -> HealthResponse:
    """200 if searches work, 503 if they do not."""
    result = await checker.check()
    response.status_code = 503 if result.status == "down" else 200
    return result


@router.get("/metrics", summary="Prometheus metrics", response_class=Response, include_in_schema=False)
async def metrics(context: ContextDep) -> Response:
    """All metrics."""
    return Response(context.metrics.exposition(), media_type=CONTENT_TYPE_LATEST)
