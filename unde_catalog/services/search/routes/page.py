"""Serves the static files of the search page, with a content security policy that allows no other origin.

The files are in `services/search/page/`.
"""

from pathlib import Path
from urllib.parse import urlsplit

from starlette.responses import Response
from starlette.routing import Match, Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from unde_catalog.settings.environment import Settings

_API_PATHS = ("/api/", "/images/", "/docs")


class PageMount(Mount):
    """The page at the root. It leaves the API's paths alone, so that their errors are problems and not pages."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether a request is for the page."""
        return (Match.NONE, {}) if scope["path"].startswith(_API_PATHS) else super().matches(scope)


class PageFiles(StaticFiles):
    """A folder of static files. Browsers revalidate them on every use."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        super().__init__(directory=folder, html=True)
        # Photos come from brands over https, or from an object store that may use plain http in a private network.
        objects_url = settings.object_base_url or (settings.s3.endpoint if settings.s3 else None)
        parts = urlsplit(str(objects_url)) if objects_url else None
        http_origin = f" {parts.scheme}://{parts.netloc}" if parts and parts.scheme == "http" else ""
        self._policy = (
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; manifest-src 'self'; "
            f"img-src 'self' data: blob: https:{http_origin}; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file, with the page's headers."""
        response = await super().get_response(path, scope)
        response.headers["Content-Security-Policy"] = self._policy
        response.headers["Cache-Control"] = "no-cache"
        return response
