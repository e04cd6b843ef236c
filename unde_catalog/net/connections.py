"""Connections that are kept open between requests, and used again only where that is safe.

Who is asked, and how often, is `download.py`'s and the clients'.
"""

from typing import Any

import aiohttp


class CleanConnections(aiohttp.TCPConnector):
    """Connections are used again only where nothing came that nobody asked for: it would pass as the next answer."""

    async def _get(self, key: Any, traces: Any) -> Any:
        while (connection := await super()._get(key, traces)) is not None:
            if connection.protocol is not None and not connection.protocol.should_close:
                return connection
            connection.close()
        return None
