"""The result of a rule: whether it holds, in words and figures, and how urgent it is where it does not.

Each rule has a module of its own beside this one; `defs/checks/` shows the results.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Urgency = Literal["warn", "alert"]  # part of the daily digest, or an alert at once


@dataclass(frozen=True, slots=True)
class CheckResult:
    """A result. `message` is one or more sentences: the figures and, where the rule does not hold, what to do.

    `figures` are numbers to plot, `table` rows to read (all with the same columns), `repair_sql` a statement to run.
    """

    passed: bool
    message: str
    urgency: Urgency = "warn"
    figures: Mapping[str, int | float] = field(default_factory=dict)
    table: Sequence[Mapping[str, str | int | float]] = ()
    repair_sql: str = ""


def fraction(part: int, whole: int) -> float:
    """The part of a whole, 1 where the whole is 0."""
    return part / whole if whole else 1.0


def such_as(examples: Sequence[str]) -> str:
    """` (for example 1, 2)`, or nothing."""
    return f" (for example {', '.join(examples)})" if examples else ""
