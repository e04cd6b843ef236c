"""What a rule says: whether it holds, in one sentence, and how urgent it is where it does not.

Which figures lead to which answer is the rules' own; how it is shown is `checks/`'s.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

Urgency = Literal["look", "wake"]  # look at it by day; or somebody must be told at once


@dataclass(frozen=True, slots=True)
class CheckResult:
    """A rule's answer: figures in one sentence and, where it does not hold, what to do next.

    `figures` are numbers for plots, `table` rows for people (all with the same columns), `mend` a statement to run.
    """

    holds: bool
    sentence: str
    urgency: Urgency = "look"
    figures: Mapping[str, int | float] = field(default_factory=dict)
    table: Sequence[Mapping[str, str | int | float]] = ()
    mend: str = ""


def share(part: int, whole: int) -> float:
    """A part of a whole, 1 where there is none."""
    return part / whole if whole else 1.0


def counted(number: int, thing: str) -> str:
    """`1 product`, `2 products`."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def in_words(age: timedelta) -> str:
    """An age as people say it: `20 minutes`, `5 hours`, `3 days`."""
    minutes = age / timedelta(minutes=1)
    if minutes < 90:
        return counted(round(minutes), "minute")
    return counted(round(minutes / 60), "hour") if minutes < 48 * 60 else counted(round(minutes / 1440), "day")


def named(examples: Sequence[str]) -> str:
    """` (for example 1, 2)`, or nothing."""
    return f" (for example {', '.join(examples)})" if examples else ""
