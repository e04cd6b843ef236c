"""Groups failures into incidents: those of a stage for the same reason, whatever brand, numbers and ids it contains."""

import re
from datetime import datetime

from unde_catalog.brands import BRANDS
from unde_catalog.operations.alerts.sanitize import Sanitizer
from unde_catalog.stores.staging.alerts.incidents import FailureEvent, Kind

_MAX_KEY_LENGTH = 300  # characters
_BRAND = re.compile(
    r"(?<![a-z0-9])(?:" + "|".join(re.escape(name.lower()) for one in BRANDS.values() for name in (one.key, one.name))
    + r")(?![a-z0-9])"
)  # fmt: skip
_QUOTED = re.compile(r"(?<![a-z0-9])'[^']{1,80}'(?![a-z0-9])|\"[^\"]{1,80}\"")  # not the text between two apostrophes
_ID = re.compile(r"\b(?=[a-z0-9_-]*\d)[a-z0-9]+(?:[_-][a-z0-9]+)*\b")  # a word with a digit: numbers, ids, hashes


def reason_key(reason: str) -> str:
    """The reason without brands, numbers, ids and quoted text, which differ between failures of one incident."""
    key = _BRAND.sub("brand", reason.lower())
    key = _ID.sub("#", _QUOTED.sub("#", key))
    key = re.sub(r"#(?:[ .,:/-]+#)+", "#", key)  # 12.5, 2026-03-01 10:00
    key = re.sub(r"\bbrand(?:(?:, | and )brand\b)+", "brand", key)
    return re.sub(r"\s+", " ", key).strip()[:_MAX_KEY_LENGTH]


def failed_step(run_id: str, stage: str, brand: str, message: str, at: datetime, sanitize: Sanitizer) -> FailureEvent:
    """A step of a run, or a run as a whole, that failed with this message."""
    reason = sanitize(message) or "no error message: check the run's log"
    return FailureEvent(f"run:{run_id}:{stage}", "run", stage, "", reason_key(reason), reason, brand, run_id, at)


def failed_check(
    kind: Kind, run_id: str, asset: str, check: str, brand: str, message: str, at: datetime, sanitize: Sanitizer
) -> FailureEvent:
    """A check that failed. All failures of a check are one incident, because its message lists the current findings."""
    reason = sanitize(message) or "the check has no description"
    return FailureEvent(f"check:{run_id}:{asset}:{check}:{brand}", kind, asset, check, "", reason, brand, run_id, at)
