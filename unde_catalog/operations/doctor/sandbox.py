"""Checks the state's own sandbox, on which the checks of all external services depend while it stands in for them."""

from unde_catalog.operations.doctor.result import Finding, green, red
from unde_catalog.sandbox.own import OwnSandbox
from unde_catalog.stages.run import START_SANDBOX


def check_sandbox(sandbox: OwnSandbox) -> Finding:
    """It runs, and it is this state's."""
    if sandbox.runs():
        return green(f"{sandbox.url} stands in for the external services")
    return red(f"{sandbox.url} does not respond: {START_SANDBOX}")
