"""The exceptions of all sources: a message that says what was requested, what the source responded and what to do.

A single bad item is a `RejectedItem`, never an exception.
"""


class SourceUnusable(RuntimeError):
    """The source cannot be used now. The message says what was requested, what it responded and what to do.

    `refused`: the source rejected the request, so it has certainly not carried it out.
    """

    refused = False


class ListingBroken(SourceUnusable):
    """The listing repeats itself or does not end. A retry does not help."""


class CursorLost(SourceUnusable):
    """The source no longer knows the page at which reading was to resume: start from the beginning."""


class NotConfigured(ValueError):
    """The source needs settings that are not set; the message names them."""
