"""The API's documentation for people at `/docs`: Swagger UI where a wheel brings it, else a plain page of our own.

Nothing is loaded from another host: pages of the API may not (their policy says so), and servers often can't.
"""

import html
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, HTMLResponse

from unde_catalog.search.problems import Problem

_WHEEL = "fastapi_offline"  # holds Swagger UI's own files; nothing of it is imported
_FILES = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css"}
# Swagger UI sets styles on its elements; scripts are files all the same.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache"}
_HEAD = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>Unde catalogue: API</title>'
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
)
_SWAGGER = (
    _HEAD + '<link rel="stylesheet" href="/docs/swagger-ui.css"><div id="ui"></div>'
    '<script src="/docs/swagger-ui-bundle.js"></script><script src="/docs/start.js"></script></html>'
)
_START = "SwaggerUIBundle({url: '/openapi.json', dom_id: '#ui', deepLinking: true, tryItOutEnabled: true})"
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem}"
    "h2{margin:2.5rem 0 0}code{font:1rem/1.5 ui-monospace,monospace}td{padding:.1rem 1.5rem .1rem 0;vertical-align:top}"
)

router = APIRouter(prefix="/docs", include_in_schema=False)


@router.get("")
async def docs(request: Request) -> Response:
    """The documentation's page."""
    if _folder() is not None:
        return HTMLResponse(_SWAGGER, headers=_HEADERS)
    return HTMLResponse(plain_page(request.app.openapi()), headers=_HEADERS)


@router.get("/start.js")
async def start() -> Response:
    """What starts Swagger UI."""
    return Response(_START, media_type="text/javascript", headers=_HEADERS)


@router.get("/{name}")
async def file(name: str) -> Response:
    """A file of Swagger UI."""
    folder = _folder()
    if folder is None or name not in _FILES:
        raise Problem(404, "not_found", "there is nothing at this address")
    return FileResponse(folder / name, media_type=_FILES[name], headers=_HEADERS)


def plain_page(openapi: dict[str, Any]) -> str:
    """Every address with what it takes and answers, made of the OpenAPI document."""
    parts = [_HEAD, f"<style>{_STYLE}</style><h1>{html.escape(openapi['info']['title'])}: API</h1>"]
    parts.append(f"<p>{html.escape(openapi['info'].get('description', ''))} ")
    parts.append('For programs: <a href="/openapi.json">openapi.json</a>.</p>')
    for path, methods in openapi["paths"].items():
        for method, told in methods.items():
            parts.append(f"<h2><code>{method.upper()} {html.escape(path)}</code></h2>")
            parts.append(f"<p>{html.escape(told.get('description', told.get('summary', '')))}</p>")
            parts.append(_table(_takes(openapi, told)))
            answers = ", ".join(status for status in told.get("responses", {}) if status != "default")
            parts.append(f"<p>Answers {html.escape(answers)}; problems as application/problem+json.</p>")
    return "".join([*parts, "</html>"])


def _takes(openapi: dict[str, Any], told: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Name, where it stands, and what it is, of all that an address takes."""
    rows = [
        (one["name"], one["in"], one.get("description") or _kind(one.get("schema", {})))
        for one in told.get("parameters", ())
    ]
    for media, content in told.get("requestBody", {}).get("content", {}).items():
        place = "form" if "form" in media else "body"
        schema = content.get("schema", {})
        named = schema.get("$ref", "").rpartition("/")[2]
        schema = openapi.get("components", {}).get("schemas", {}).get(named, schema)
        for name, one in schema.get("properties", {}).items():
            rows.append((name, place, one.get("description") or _kind(one)))
    return rows


def _kind(schema: dict[str, Any]) -> str:
    kinds = [schema, *schema.get("anyOf", ())]
    return " or ".join(str(kind["type"]) for kind in kinds if "type" in kind)


def _table(rows: list[tuple[str, str, str]]) -> str:
    if not rows:
        return ""
    cells = (
        "".join(f"<td>{html.escape(text)}</td>" for text in (f"{name}", place, what)) for name, place, what in rows
    )
    return "<table>" + "".join(f"<tr>{row}</tr>" for row in cells) + "</table>"


@cache
def _folder() -> Path | None:
    spec = find_spec(_WHEEL)
    folder = Path(spec.origin).parent / "static" if spec and spec.origin else None
    return folder if folder is not None and all((folder / name).is_file() for name in _FILES) else None
