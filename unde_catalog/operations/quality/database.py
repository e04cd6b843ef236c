"""Whether anything holds the staging database up: forgotten transactions and locks, slots that nobody reads."""

from collections.abc import Sequence

from unde_catalog.operations.quality.result import CheckResult
from unde_catalog.stores.db.sessions import Holdup

_MAX_TOLD = 5


def nothing_holds_it_up(found: Sequence[Holdup]) -> CheckResult:
    """No session blocks others, and nothing keeps VACUUM from removing dead rows."""
    figures = {"holdups": len(found)}
    if not found:
        return CheckResult(True, "No session blocks others or keeps dead rows.", figures=figures)
    message = " ".join(f"{one.message[0].upper()}{one.message[1:]}." for one in found[:_MAX_TOLD])
    table = [{"kind": one.kind, "message": one.message} for one in found]
    return CheckResult(False, message, "alert" if any(one.urgent for one in found) else "warn", figures, table)
