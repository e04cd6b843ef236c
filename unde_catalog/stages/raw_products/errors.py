"""What every source raises when it can't be used: one sentence that says what was asked, what it answered, what to do.

What is wrong with a single item is a `Rejected`, never an exception.
"""


class SourceUnusable(RuntimeError):
    """A source can't be used now; the sentence says what was asked, what it answered and what to do.

    `refused`: it said no, so that what was asked for has certainly not been done.
    """

    refused = False


class ListingBroken(SourceUnusable):
    """The listing has no end that can be believed: it repeats itself, or goes on and on. Asking again is no use."""


class CursorLost(SourceUnusable):
    """The source does not know the place any more at which reading was to go on: begin at the beginning."""
