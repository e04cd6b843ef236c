"""Numbers and times as the report writes them, and untrusted text on one line. Nothing here knows HTML or Markdown."""

import re
import unicodedata
from datetime import datetime, timedelta

from unde_catalog.stage_specs import STAGE_SPECS
from unde_catalog.text import duration, shorten

NAME_LIMIT = 80  # characters of a name


def stage_name(stage: str) -> str:
    """The label of a stage."""
    return STAGE_SPECS[stage].label if stage in STAGE_SPECS else one_line(stage)


def count(number: int) -> str:
    """E.g. `12,345`."""
    return f"{number:,}"


def share(part: int, whole: int) -> str:
    """E.g. `97 %`. 100 and 0 stand only for all and nothing; "" where the whole is 0."""
    if whole <= 0:
        return ""
    percent = round(100 * part / whole)
    if part < whole:
        percent = min(percent, 99)
    if part > 0:
        percent = max(percent, 1)
    return f"{percent} %"


def change(now: int, before: int | None) -> str:
    """E.g. `+12`, `−3`, `0`; a dash where the former number is unknown."""
    if before is None:
        return "–"
    return f"+{now - before:,}" if now > before else f"{now - before:,}".replace("-", "−")


def ago(moment: datetime | None, now: datetime) -> str:
    """E.g. `12 minutes ago`; `never` for None."""
    if moment is None:
        return "never"
    seconds = (now - moment).total_seconds()
    return "just now" if seconds < 60 else f"{duration(seconds)} ago"


def expected_end(seconds: float | None, *, active: bool, paused: bool) -> str:
    """When work ends that takes this long at its rate (None: the rate is unknown)."""
    if paused:
        return "after it is resumed"
    if seconds is None or timedelta(seconds=seconds) > timedelta(days=365):
        return "unknown: no progress"
    length = f"about {duration(seconds)}"
    return f"in {length}" if active else f"not in progress; takes {length}"


def rate(per_second: float) -> str:
    """E.g. `4.2 per second`, `30.0 per hour`; a dash for 0."""
    if per_second <= 0:
        return "–"
    for seconds, unit in ((1, "second"), (60, "minute")):
        if per_second * seconds >= 1:
            return f"{per_second * seconds:,.1f} per {unit}"
    return f"{per_second * 3600:,.1f} per hour"


def size(number: int) -> str:
    """E.g. `70.5 GB`, in powers of ten."""
    amount = float(number)
    for unit in ("bytes", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:,.1f} TB"


def moment(at: datetime) -> str:
    """E.g. `2026-03-01 04:20 UTC`, for a time in UTC."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


def one_line(text: str, limit: int = NAME_LIMIT) -> str:
    """Untrusted text on one line of at most `limit` characters, without invisible characters and direction marks."""
    visible = "".join(
        " " if char.isspace() or unicodedata.category(char) == "Cc" else char
        for char in text[: 4 * limit]
        if char.isspace() or unicodedata.category(char) not in ("Cf", "Cs", "Co", "Cn")
    )
    return shorten(re.sub(r" +", " ", visible).strip(), limit)
