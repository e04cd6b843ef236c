"""The page's files, with the policy that its browser keeps: nothing is run or loaded from anywhere else."""

from pathlib import Path
from urllib.parse import urlsplit

from starlette.responses import Response
from starlette.routing import Match, Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from unde_catalog.settings.environment import Settings

_NOT_OURS = ("/api/", "/images/", "/docs")


class PageMount(Mount):
    """The page at the root, but for what is the API's: what is wrong there is told by the API."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether a request is for the page."""
        return (Match.NONE, {}) if scope["path"].startswith(_NOT_OURS) else super().matches(scope)


class PageFiles(StaticFiles):
    """A folder of static files; browsers ask each time whether one is still as it was."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        super().__init__(directory=folder, html=True)
        # Photos may be a shop's own, or lie in a store on a private network.
        own = settings.object_base_url or (settings.s3.endpoint if settings.s3 else None)
        parts = urlsplit(str(own)) if own else None
        elsewhere = f" {parts.scheme}://{parts.netloc}" if parts and parts.scheme == "http" else ""
        self._policy = (
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; manifest-src 'self'; "
            f"img-src 'self' data: blob: https:{elsewhere}; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file, or a page of the same folder."""
        response = await super().get_response(path, scope)
        response.headers["Content-Security-Policy"] = self._policy
        response.headers["Cache-Control"] = "no-cache"
        return response
