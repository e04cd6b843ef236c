"""Numbers and moments in words, and text of others made harmless to look at. Nothing here knows HTML or Markdown."""

import re
import unicodedata
from datetime import datetime, timedelta

from unde_catalog.stage_specs import STAGE_SPECS
from unde_catalog.text import duration

LONGEST = 80  # characters of a name that are shown


def stage_name(stage: str) -> str:
    """What people call a stage."""
    return STAGE_SPECS[stage].label if stage in STAGE_SPECS else harmless(stage)


def count(number: int) -> str:
    """E.g. `12,345`."""
    return f"{number:,}"


def share(part: int, whole: int) -> str:
    """E.g. `97 %`; 100 and 0 only where that is all or nothing, "" of nothing at all."""
    if whole <= 0:
        return ""
    percent = round(100 * part / whole)
    if part < whole:
        percent = min(percent, 99)
    if part > 0:
        percent = max(percent, 1)
    return f"{percent} %"


def change(now: int, before: int | None) -> str:
    """E.g. `+12`, `−3`, `0`; a dash where nothing is known of before."""
    if before is None:
        return "–"
    return f"+{now - before:,}" if now > before else f"{now - before:,}".replace("-", "−")


def ago(moment: datetime | None, now: datetime) -> str:
    """E.g. `12 minutes ago`; `never` where there is none."""
    if moment is None:
        return "never"
    seconds = (now - moment).total_seconds()
    return "just now" if seconds < 60 else f"{duration(seconds)} ago"


def done_in(seconds: float | None, *, going: bool, paused: bool) -> str:
    """When work is done that takes so long at its rate (None: no rate is known)."""
    if paused:
        return "when it is resumed"
    if seconds is None:
        return "not at this rate"
    if timedelta(seconds=seconds) > timedelta(days=365):
        return "not at this rate"
    length = f"about {duration(seconds)}"
    return f"in {length}" if going else f"nobody is at it; it takes {length}"


def rate(per_second: float) -> str:
    """E.g. `4.2 a second`, `30 an hour`; a dash where there is none."""
    if per_second <= 0:
        return "–"
    for unit, name in ((1, "a second"), (60, "a minute")):
        if per_second * unit >= 1:
            return f"{per_second * unit:,.1f} {name}"
    return f"{per_second * 3600:,.1f} an hour"


def size(number: int) -> str:
    """E.g. `70.5 GB`, in powers of ten."""
    amount = float(number)
    for unit in ("bytes", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:,.1f} TB"


def moment(at: datetime) -> str:
    """E.g. `2026-03-01 04:20 UTC`, of a moment in UTC."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


def harmless(text: str, longest: int = LONGEST) -> str:
    """Text of others on one line, without what is invisible or turns the direction of writing, and not too long."""
    seen = "".join(
        " " if char.isspace() or unicodedata.category(char) == "Cc" else char
        for char in text[: 4 * longest]
        if char.isspace() or unicodedata.category(char) not in ("Cf", "Cs", "Co", "Cn")
    )
    seen = re.sub(r" +", " ", seen).strip()
    return seen if len(seen) <= longest else seen[: longest - 1].rstrip() + "…"
