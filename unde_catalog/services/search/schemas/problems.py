"""What the API says when it can't do what was asked: RFC 9457 problems, each with a code.

No sentence here or elsewhere in an answer names a host, a folder or a library: those are for the log.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from unde_catalog.stages.visual_index.model import ModelMissing, TextUnsupported
from unde_catalog.stages.visual_index.vector_store import ModelReplaced, VectorStoreUnavailable
from unde_catalog.stores.db.database import DatabaseUnavailable
from unde_catalog.stores.objects.objects import StorageUnavailable

MEDIA_TYPE = "application/problem+json"
_MOST_TOLD = 20  # wrong fields of one request
_SOON = {"Retry-After": "5"}
_WORDS_NEED_CLIP = "the index is made by the built-in descriptor, which knows photos only: words need CLIP"
_DOWN: Mapping[type[Exception], tuple[str, str]] = {
    DatabaseUnavailable: ("staging_down", "the catalogue's database can't be asked now"),
    StorageUnavailable: ("store_down", "the store of photos can't be asked now"),
    VectorStoreUnavailable: ("vectors_down", "the index of photos can't be searched now"),
    ModelMissing: ("model_missing", "what the index is made by can't be had here now, so nothing new can be embedded"),
    ModelReplaced: ("model_switching", "the index is changing to another model"),
    TimeoutError: ("took_too_long", "it took too long"),
}
_OF_STATUS: Mapping[int, tuple[str, str]] = {
    404: ("not_found", "there is nothing at this address"),
    405: ("method_not_allowed", "this address does not take this method"),
    408: ("too_slow", "the request took too long to come"),
    413: ("too_large", "this is more than is taken at once"),
}


class ProblemResponse(BaseModel):
    """A problem as it is answered (`application/problem+json`)."""

    type: str = Field(examples=["urn:unde:problem:too_large"])
    title: str
    status: int
    detail: str = Field(description="one sentence for people")
    code: str = Field(description="for programs: it stays the same")
    request_id: str = Field(description="the server's log has it, too")


class Problem(Exception):
    """Ends a request with a problem: `code` for programs, `detail` one sentence for people."""

    def __init__(
        self, status: int, code: str, detail: str, headers: Mapping[str, str] | None = None, **more: Any
    ) -> None:
        """`more`: further members of the answer's object, by name."""
        super().__init__(f"{code}: {detail}")
        self.status, self.code, self.detail = status, code, detail
        self.headers, self.more = dict(headers or {}), more


def answer(problem: Problem, request_id: str) -> Response:
    """The HTTP answer that tells a problem."""
    body = {
        "type": f"urn:unde:problem:{problem.code}",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
        "code": problem.code,
        "request_id": request_id,
        **problem.more,
    }
    return JSONResponse(body, problem.status, headers=problem.headers, media_type=MEDIA_TYPE)


def from_error(error: Exception) -> Problem | None:
    """What is told of an error that is expected; None for a bug."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, TextUnsupported):
        return Problem(501, "words_need_clip", _WORDS_NEED_CLIP)
    for kind, (code, detail) in _DOWN.items():
        if isinstance(error, kind):
            return Problem(503, code, f"{detail}: try again in a few seconds", _SOON)
    return None


def add_handlers(app: FastAPI) -> None:
    """Let the application tell every expected error as a problem; all others are the journal's."""
    for kind in (Problem, TextUnsupported, *_DOWN):
        app.add_exception_handler(kind, _expected)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _of_http)


async def _expected(request: Request, error: Exception) -> Response:
    problem = from_error(error)
    assert problem is not None  # these kinds are known
    if not isinstance(error, Problem):
        request.state.error = error  # the log tells what the answer does not
    return answer(problem, request.state.request_id)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    wrong = [{"field": _place(one["loc"]), "reason": one["msg"]} for one in error.errors()[:_MOST_TOLD]]
    told = "; ".join(f"{one['field']}: {one['reason']}" for one in wrong[:3])
    problem = Problem(422, "invalid_request", f"this request can't be read: {told}", errors=wrong)
    return answer(problem, request.state.request_id)


async def _of_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = error.status_code
    code, detail = _OF_STATUS.get(
        status, ("invalid_request", "this request can't be read") if status < 500 else ("failed", "this failed")
    )
    return answer(Problem(status, code, detail, error.headers), request.state.request_id)


def _place(loc: Sequence[int | str]) -> str:
    """Where a wrong value is, e.g. `top_k` or `external_ids.3`."""
    names = [str(one)[:100] for one in loc if one not in ("body", "query", "path", "form")]
    return ".".join(names) or "body"
