"""How the server is: each thing it depends on, with how long that took to answer, and what Prometheus reads.

A look takes a limited time, and many who ask at once get the same one. Why something fails is told by the log alone.
"""

import asyncio
from collections.abc import Callable
from time import monotonic, perf_counter
from typing import Annotated, Literal

import anyio.to_thread
from fastapi import APIRouter, Depends, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel, Field

from unde_catalog.services.search.context import Context, InContext
from unde_catalog.services.search.middleware.request_log import LOG
from unde_catalog.services.search.schemas.problems import Problem, from_error
from unde_catalog.services.search.search_service import SearchService
from unde_catalog.stages.visual_index.vector_store import SIZE

_SECONDS = 2.0  # for each look
_REMEMBERED = 1.0
_SOMEWHERE = [1.0] + [0.0] * (SIZE - 1)  # a direction like any other

Part = Literal["staging", "vectors", "store", "model"]
_NEEDED: frozenset[Part] = frozenset({"staging", "vectors"})  # without the others some of it still works
_NOTHING_YET = "nothing_embedded"  # a code: products can be asked for all the same

router = APIRouter(tags=["health"])


class PartResponse(BaseModel):
    """One thing that the server depends on; `code` says what is wrong."""

    ok: bool
    ms: float
    code: str | None = None


class HealthResponse(BaseModel):
    """`degraded`: some requests can't be answered. `down`: nothing can be found."""

    status: Literal["ok", "degraded", "down"]
    checks: dict[Part, PartResponse] = Field(examples=[{"staging": {"ok": True, "ms": 0.8}}])


class Health:
    """Looks at all parts at once."""

    def __init__(self, context: Context, finder: SearchService) -> None:
        self._looks: dict[Part, Callable[[], object]] = {
            "staging": lambda: context.db.read(lambda cursor: cursor.execute("SELECT 1")),
            "vectors": lambda: context.vectors.search(finder.serving(), _SOMEWHERE, top_k=1),
            "store": lambda: context.store.exists("health"),
            "model": lambda: finder.models.named(finder.serving()),
        }
        self._running: dict[Part, asyncio.Task[PartResponse]] = {}
        self._last: tuple[HealthResponse, float] | None = None
        self._looking = asyncio.Lock()

    async def look(self) -> HealthResponse:
        """How everything is; up to a second old."""
        async with self._looking:
            if self._last is None or monotonic() >= self._last[1]:
                self._last = (await self._look(), monotonic() + _REMEMBERED)
            return self._last[0]

    async def _look(self) -> HealthResponse:
        for part, look in self._looks.items():
            if part not in self._running:  # one that hangs is not asked once more
                self._running[part] = asyncio.create_task(_look_at(part, look))
        await asyncio.wait(self._running.values(), timeout=_SECONDS)
        checks = {}
        for part in self._looks:
            task = self._running[part]
            if task.done():
                checks[part] = self._running.pop(part).result()
            else:
                checks[part] = PartResponse(ok=False, ms=_SECONDS * 1000, code="no_answer")
        failing = {part: found.code for part, found in checks.items() if not found.ok}
        down = any(part in _NEEDED and code != _NOTHING_YET for part, code in failing.items())
        status = "down" if down else "degraded" if failing else "ok"
        return HealthResponse(status=status, checks=checks)


async def _look_at(part: Part, look: Callable[[], object]) -> PartResponse:
    began = perf_counter()
    code = None
    try:
        await anyio.to_thread.run_sync(look)
    except Exception as error:  # whatever it is, it is the answer
        problem = from_error(error)
        code = problem.code if problem else "internal_error"
        if not isinstance(error, Problem):
            told = {"check": part, "code": code, "error": f"{type(error).__name__}: {error}"}
            LOG.error("health", extra={"told": told})
    return PartResponse(ok=code is None, ms=round((perf_counter() - began) * 1000, 1), code=code)


async def _health(request: Request) -> Health:
    return request.app.state.health


@router.get(
    "/api/v1/health", summary="How the server and all it depends on are", responses={503: {"model": HealthResponse}}
)
async def health(response: Response, health: Annotated[Health, Depends(_health)]) -> HealthResponse:
    """200 while anything can be found, else 503."""
    found = await health.look()
    response.status_code = 503 if found.status == "down" else 200
    return found


@router.get("/metrics", summary="What Prometheus reads", response_class=Response, include_in_schema=False)
async def metrics(context: InContext) -> Response:
    """All counters."""
    return Response(context.metrics.exposition(), media_type=CONTENT_TYPE_LATEST)
