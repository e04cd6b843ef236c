"""An aiohttp connector that reuses a connection only where that is safe.

What is requested, and how often, is decided in `download.py` and by the clients.
"""

from typing import Any

import aiohttp


class CleanConnector(aiohttp.TCPConnector):
    """Closes idle connections that received unsolicited data, which aiohttp would read as the next response."""

    async def _get(self, key: Any, traces: Any) -> Any:
        while (connection := await super()._get(key, traces)) is not None:
            if connection.protocol is not None and not connection.protocol.should_close:
                return connection
            connection.close()
        return None
