"""Treats blank query values of the API as unset: a form that is submitted sends `price_from=` for an empty field."""

from urllib.parse import unquote_plus

from starlette.types import ASGIApp, Receive, Scope, Send


class BlankValuesMiddleware:
    """Removes `name=` from the query strings of the API; everything else stays as it was sent."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] == "http" and scope["path"].startswith("/api/"):
            pairs = scope["query_string"].split(b"&")
            kept = [pair for pair in pairs if not _is_blank(pair)]
            if len(kept) < len(pairs):
                scope = {**scope, "query_string": b"&".join(kept)}
        await self._app(scope, receive, send)


def _is_blank(pair: bytes) -> bool:
    name, equals, value = pair.partition(b"=")
    return bool(name and equals) and not unquote_plus(value.decode("latin-1")).strip()
