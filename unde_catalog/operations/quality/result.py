"""What a rule says: whether it holds, in one sentence, and how urgent it is where it does not.

Which figures lead to which answer is the rules' own; how it is shown is `checks/`'s.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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


def named(examples: Sequence[str]) -> str:
    """` (for example 1, 2)`, or nothing."""
    return f" (for example {', '.join(examples)})" if examples else ""
