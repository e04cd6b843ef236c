"""Static files below a data folder, streamed, and never a file outside it."""

from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from unde_catalog.sandbox.fault_responses import FILE
from unde_catalog.sandbox.faults import Faults
from unde_catalog.sandbox.request_log import KIND

_TYPES = {
    ".avif": "image/avif",
    ".avifs": "image/avif-sequence",
    ".bmp": "image/bmp",
    ".csv": "text/csv",
    ".gif": "image/gif",
    ".gz": "application/gzip",
    ".heic": "image/heic",
    ".heif": "image/heif",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".json": "application/json",
    ".jsonl": "application/x-ndjson",
    ".md": "text/markdown",
    ".mpo": "image/mpo",
    ".png": "image/png",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".txt": "text/plain",
    ".webp": "image/webp",
}


@dataclass(slots=True)
class Files:
    """The catch-all route of a sandbox that serves a data folder."""

    folder: Path
    faults: Faults

    def routes(self) -> list[web.RouteDef]:
        """Returns one route for every path that no other route matches."""
        return [web.get("/{path:.*}", self._file)]

    async def _file(self, request: web.Request) -> web.StreamResponse:
        path = self.find(request.match_info["path"])
        content_type = content_type_of(path) if path else "application/octet-stream"
        kind = "photo" if content_type.startswith("image/") else "file"
        request[KIND] = kind

        async def respond(_: web.Request) -> web.StreamResponse:
            if path is None:
                raise web.HTTPNotFound(text="no such file")
            request[FILE] = path
            return web.FileResponse(path, headers={"Content-Type": content_type})

        return await self.faults.around(kind, request, respond)

    def find(self, name: str) -> Path | None:
        """Returns the file with this decoded name if, after following links, it is inside the folder."""
        root = self.folder.resolve()
        try:
            path = (root / name.lstrip("/")).resolve()
            return path if path.is_relative_to(root) and path.is_file() else None
        except (OSError, ValueError):  # overlong names, NUL bytes, loops of links
            return None


def content_type_of(path: Path) -> str:
    """Returns the content type for the file's extension."""
    return _TYPES.get(path.suffix.lower(), "application/octet-stream")
