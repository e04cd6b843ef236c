"""What a run of a stage is asked for and what it reports; the loop itself is in `loop.py`."""

import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

_EXAMPLES = 5  # products named for each reason: enough to look at, never a list that grows


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What every stage takes.

    `limit`: the most products; `max_minutes`: begin nothing after that; `product_ids`: only these external ids;
    `retry_failed`: what was given up or waits for a later try is due now; `force`: everything is due again. These
    two hold once for a `root_run` (by default this run alone), so that a retry of a run goes on, not starts over.
    `poll_minutes`: recurring work goes on for so long with what comes due meanwhile; `day`: it is for this day (UTC).
    """

    limit: int | None = None
    max_minutes: float | None = None
    product_ids: tuple[str, ...] | None = None
    retry_failed: bool = False
    force: bool = False
    run_id: str = ""
    root_run: str = field(default_factory=lambda: str(uuid.uuid4()))
    poll_minutes: float | None = None
    day: date | None = None


@dataclass(slots=True)
class StageReport:
    """What came of a run: products by outcome, failures by reason with examples, and what the stage counted itself.

    `superseded`: handled here, but the lease was lost meanwhile, so that another worker's outcome counts.
    """

    stage: str
    brand: str
    done: int = 0
    later: Counter[str] = field(default_factory=Counter)
    given_up: Counter[str] = field(default_factory=Counter)
    released: int = 0
    superseded: int = 0
    still_due: int = 0
    leased_elsewhere: int = 0
    seconds: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    details: dict[str, str] = field(default_factory=dict)
    note: str = ""

    @property
    def failed(self) -> int:
        """Products that did not get through, now or for good."""
        return self.later.total() + self.given_up.total()

    @property
    def handled(self) -> int:
        """Products with an outcome."""
        return self.done + self.failed

    @property
    def per_second(self) -> float:
        """Products with an outcome a second."""
        return self.handled / self.seconds if self.seconds else 0.0

    def name_example(self, reason: str, external_id: str, detail: str | None = None) -> None:
        """Keep the product as an example of the reason, while there are few; the first one's detail for all."""
        named = self.examples.setdefault(reason, [])
        if not named and detail:
            self.details[reason] = detail
        if len(named) < _EXAMPLES:
            named.append(external_id)

    def failures(self) -> Mapping[str, int]:
        """Failures by reason, the most frequent first."""
        return dict((self.later + self.given_up).most_common())

    def as_dict(self) -> dict[str, object]:
        """Plain values for a log row or JSON."""
        return {
            "done": self.done,
            "retry_later": dict(self.later),
            "given_up": dict(self.given_up),
            "released": self.released,
            "superseded": self.superseded,
            "still_due": self.still_due,
            "leased_elsewhere": self.leased_elsewhere,
            "seconds": round(self.seconds, 3),
            "examples": self.examples,
            "note": self.note,
            **self.counts,
        }

    def sentence(self) -> str:
        """One line for a log."""
        parts = [f"{self.done} done"]
        if self.failed:
            reasons = ", ".join(f"{count} {reason}" for reason, count in self.failures().items())
            parts.append(f"{self.failed} failed ({reasons})")
        if self.released:
            parts.append(f"{self.released} handed back")
        if self.superseded:
            parts.append(f"{self.superseded} finished by others")
        if self.still_due:
            parts.append(f"{self.still_due} still due")
        if self.leased_elsewhere:
            parts.append(f"{self.leased_elsewhere} in other hands")
        parts.append(f"{self.seconds:.1f} s" + (f", {self.per_second:.1f} a second" if self.handled else ""))
        return f"{self.stage} {self.brand}: " + ", ".join(parts) + (f"; {self.note}" if self.note else "")
