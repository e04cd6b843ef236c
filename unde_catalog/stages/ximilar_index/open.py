"""Opens the client of the configured Ximilar collection, for the stage, the quality check and the doctor.

What the client can do is in `client.py`.
"""

import time

from unde_catalog.net.download import MAX_HOST_PAUSE
from unde_catalog.settings.ximilar import XimilarFields
from unde_catalog.stages.ximilar_index.client import TRIES, Pace, Ximilar
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.due_work import host_holds, host_pace
from unde_catalog.text import duration

_LONG_HOLD = 60.0  # seconds: the client does not wait longer
_HOST = "ximilar"  # in host_pace: the rate limit is one for all of its addresses


class SharedPace:
    """At most `per_second` requests a second to Ximilar over all processes, by a row of the staging database."""

    def __init__(self, db: Database, per_second: float) -> None:
        self._db, self._gap = db, 1 / per_second

    def wait(self) -> None:
        """Wait until a request may be sent."""
        time.sleep(self._db.run(host_pace.next_slot, _HOST, self._gap).wait)

    def hold(self, seconds: float) -> None:
        """Let no process send a request for this time; runs that begin later wait for longer than this one does."""
        self._db.run(host_pace.hold, _HOST, seconds)
        if seconds > _LONG_HOLD:
            self._db.run(host_holds.hold, _HOST, min(seconds, MAX_HOST_PAUSE))

    def why_held(self) -> str | None:
        """The sentence that says how long Ximilar asked to be left alone; None if it did not."""
        seconds = self._db.run(host_holds.held).get(_HOST)
        return None if seconds is None else f"Ximilar asked for no requests for another {duration(seconds)}"


def open_ximilar(settings: XimilarFields, pace: Pace, tries: int = TRIES) -> Ximilar | None:
    """The client; None while XIMILAR_API_TOKEN or XIMILAR_COLLECTION_ID is not set. Nothing is sent yet."""
    token, collection = settings.ximilar_api_token, settings.ximilar_collection_id
    if token is None or collection is None:
        return None
    url, prefix = str(settings.ximilar_api_url), settings.ximilar_prefix
    return Ximilar(url, prefix, token.get_secret_value(), collection, pace, tries=tries)
