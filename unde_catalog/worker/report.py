"""The options of a run of a stage, and its report; the loop itself is in `loop.py`."""

import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

_EXAMPLES = 5  # products listed for each reason, so that a report stays short


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Options that every stage accepts.

    `limit`: handle at most this many products. `max_minutes`: start nothing after this time. `product_ids`: handle
    only these external ids. `retry_failed`: products that were given up or wait for another try are due now. `force`:
    all products are due again. The last two apply once per `root_run` (by default this run alone), so that a retry of
    a run continues instead of starting over.
    `poll_minutes`: for recurring work, also handle what comes due during this time. `day`: the UTC day of the run.
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
    """The result of a run: products by outcome, failures by reason with examples, and the stage's own counts.

    `superseded`: handled by this run, but its lease had run out, so that another worker's outcome counts.
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
        """Products that failed, whether they are retried later or given up."""
        return self.later.total() + self.given_up.total()

    @property
    def not_configured(self) -> bool:
        """Whether nothing was done because a setting is missing; the note names it."""
        return self.note.startswith("not configured")

    @property
    def handled(self) -> int:
        """Products that are done or failed."""
        return self.done + self.failed

    @property
    def idle(self) -> bool:
        """Whether there was nothing to do: no product was tried or is left, and nothing was counted."""
        products = (self.handled, self.released, self.superseded, self.still_due, self.leased_elsewhere)
        return not any((*products, *self.counts.values()))

    @property
    def per_second(self) -> float:
        """Handled products a second; 0.0 for a run that took no time."""
        return self.handled / self.seconds if self.seconds else 0.0

    def add_example(self, reason: str, external_id: str, detail: str | None = None) -> None:
        """Keep the product as an example of the reason, up to five; the first one's detail stands for all."""
        examples = self.examples.setdefault(reason, [])
        if not examples and detail:
            self.details[reason] = detail
        if len(examples) < _EXAMPLES:
            examples.append(external_id)

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

    def summary(self) -> str:
        """What happened, in one line: `20 done, 1 failed (1 gone), 2.1 s, 10.0 a second`."""
        parts = [f"{self.done} done"]
        if self.failed:
            reasons = ", ".join(f"{count} {reason}" for reason, count in self.failures().items())
            parts.append(f"{self.failed} failed ({reasons})")
        if self.released:
            parts.append(f"{self.released} released")
        if self.superseded:
            parts.append(f"{self.superseded} finished by another worker")
        if self.still_due:
            parts.append(f"{self.still_due} still due")
        if self.leased_elsewhere:
            parts.append(f"{self.leased_elsewhere} leased by another worker")
        parts.append(f"{self.seconds:.1f} s" + (f", {self.per_second:.1f} a second" if self.handled else ""))
        return ", ".join(parts)

    def sentence(self) -> str:
        """The same for a log, with the stage, the brand and the note."""
        return f"{self.stage} {self.brand}: {self.summary()}" + (f"; {self.note}" if self.note else "")
