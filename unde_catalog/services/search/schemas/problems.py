"""Error responses: RFC 9457 problems, each with a stable code.

A response names no host, path or library: those are written to the log only.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from unde_catalog.stages.visual_index.model import ModelMissing
from unde_catalog.stages.visual_index.vector_store import ModelReplaced, VectorStoreUnavailable
from unde_catalog.stores.db.database import DatabaseUnavailable
from unde_catalog.stores.objects.objects import StorageUnavailable

MEDIA_TYPE = "application/problem+json"
_MAX_ERRORS = 20  # invalid fields listed for one request
_RETRY_SOON = {"Retry-After": "5"}
_UNAVAILABLE: Mapping[type[Exception], tuple[str, str]] = {
    DatabaseUnavailable: ("staging_down", "The catalogue database is unavailable."),
    StorageUnavailable: ("store_down", "The object store is unavailable."),
    VectorStoreUnavailable: ("vectors_down", "The vector index is unavailable."),
    ModelMissing: ("model_missing", "The embedding model of the index is not available on this server."),
    ModelReplaced: ("model_switching", "The index is switching to another model."),
    TimeoutError: ("took_too_long", "The request took too long."),
}
_HTTP_ERRORS: Mapping[int, tuple[str, str]] = {
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address does not support this method."),
    408: ("too_slow", "The request body took too long to arrive."),
    413: ("too_large", "The request body is too large."),
}


class ProblemResponse(BaseModel):
    """An error (`application/problem+json`)."""

    type: str = Field(examples=["urn:unde:problem:too_large"])
    title: str
    status: int
    detail: str = Field(description="An explanation for people.")
    code: str = Field(description="A stable code for programs.")
    request_id: str = Field(description="The id of the request in the server's log.")


class Problem(Exception):
    """Ends a request with an error response. `code` is for programs, `detail` for people."""

    def __init__(
        self, status: int, code: str, detail: str, headers: Mapping[str, str] | None = None, **members: Any
    ) -> None:
        """`members`: further members of the JSON object, by name."""
        super().__init__(f"{code}: {detail}")
        self.status, self.code, self.detail = status, code, detail
        self.headers, self.members = dict(headers or {}), members


def to_response(problem: Problem, request_id: str) -> Response:
    """The HTTP response of a problem."""
    body = {
        "type": f"urn:unde:problem:{problem.code}",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
        "code": problem.code,
        "request_id": request_id,
        **problem.members,
    }
    return JSONResponse(body, problem.status, headers=problem.headers, media_type=MEDIA_TYPE)


def from_error(error: Exception) -> Problem | None:
    """The problem of an expected exception. None for a bug."""
    if isinstance(error, Problem):
        return error
    for kind, (code, detail) in _UNAVAILABLE.items():
        if isinstance(error, kind):
            return Problem(503, code, f"{detail} Try again in a few seconds.", _RETRY_SOON)
    return None


def add_handlers(app: FastAPI) -> None:
    """Make the application answer expected exceptions with a problem. `RequestLogMiddleware` answers all others."""
    for kind in (Problem, *_UNAVAILABLE):
        app.add_exception_handler(kind, _handle_expected)
    app.add_exception_handler(RequestValidationError, _handle_invalid)
    app.add_exception_handler(HTTPException, _handle_http)


async def _handle_expected(request: Request, error: Exception) -> Response:
    problem = from_error(error)
    assert problem is not None  # registered for these types only
    if not isinstance(error, Problem):
        request.state.error = error  # the log has the cause, which the response leaves out
    return to_response(problem, request.state.request_id)


async def _handle_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = [{"field": _field(one["loc"]), "reason": one["msg"]} for one in error.errors()[:_MAX_ERRORS]]
    summary = "; ".join(f"{one['field']}: {one['reason']}" for one in errors[:3])
    problem = Problem(422, "invalid_request", f"The request is invalid: {summary}.", errors=errors)
    return to_response(problem, request.state.request_id)


async def _handle_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = error.status_code
    other = ("invalid_request", "The request is invalid.") if status < 500 else ("failed", "The request failed.")
    code, detail = _HTTP_ERRORS.get(status, other)
    return to_response(Problem(status, code, detail, error.headers), request.state.request_id)


def _field(loc: Sequence[int | str]) -> str:
    """The path of an invalid value, e.g. `top_k` or `external_ids.3`."""
    names = [str(part)[:100] for part in loc if part not in ("body", "query", "path", "form")]
    return ".".join(names) or "body"
