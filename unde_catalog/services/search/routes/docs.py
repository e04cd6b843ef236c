"""The interactive API documentation at `/docs`: Swagger UI, served from an installed package.

Nothing is loaded from another host: the content security policy forbids it, and servers may have no internet access.
"""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from fastapi import APIRouter, Response
from fastapi.responses import FileResponse, HTMLResponse

from unde_catalog.services.search.schemas.problems import Problem

_PACKAGE = "fastapi_offline"  # contains the files of Swagger UI; its code is not imported
_FILES = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css", "favicon.png": "image/png"}
# Swagger UI sets inline styles. It needs no inline scripts.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache"}
_PAGE = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>Unde catalogue: API</title>'
    '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="/docs/favicon.png">'
    '<link rel="stylesheet" href="/docs/swagger-ui.css"><div id="ui"></div>'
    '<script src="/docs/swagger-ui-bundle.js"></script><script src="/docs/start.js"></script></html>'
)
_START = "SwaggerUIBundle({url: '/openapi.json', dom_id: '#ui', deepLinking: true, tryItOutEnabled: true})"

router = APIRouter(prefix="/docs", include_in_schema=False)


@router.get("")
async def docs() -> Response:
    """The documentation page."""
    return HTMLResponse(_PAGE, headers=_HEADERS)


@router.get("/start.js")
async def start() -> Response:
    """The script that starts Swagger UI."""
    return Response(_START, media_type="text/javascript", headers=_HEADERS)


@router.get("/{name}")
async def file(name: str) -> Response:
    """A file of Swagger UI."""
    if name not in _FILES:
        raise Problem(404, "not_found", "There is nothing at this address.")
    return FileResponse(_folder() / name, media_type=_FILES[name], headers=_HEADERS)


@cache
def _folder() -> Path:
    spec = find_spec(_PACKAGE)
    assert spec is not None and spec.origin is not None  # installed by the extra [search]
    return Path(spec.origin).parent / "static"
