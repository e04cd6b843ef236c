"""`python -m unde_catalog.sandbox`: the command line of the sandbox as a separate process.

Only arguments belong here.
"""

import argparse
import sys
from pathlib import Path

from unde_catalog.sandbox import faults
from unde_catalog.sandbox.identity import BRAND_NAMES, DEFAULT_PORT
from unde_catalog.sandbox.serve import PortBusyError, serve


def main(arguments: list[str] | None = None) -> int:
    """Runs the sandbox until it is stopped; returns 2, with one line on stderr, if it cannot start."""
    options = _parser().parse_args(arguments)
    try:
        serve(
            options.host,
            options.port,
            options.data,
            state_dir=options.state_dir,
            own=options.own,
            faults=options.faults,
            seed=options.seed,
            items=dict(options.items),
            log=options.log,
            run_seconds=options.run_seconds,
        )
    except (PortBusyError, ValueError, NotADirectoryError) as error:
        print(f"sandbox: {error.strerror if isinstance(error, PortBusyError) else error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m unde_catalog.sandbox",
        description="Stand-ins for the external services on this machine.",
        epilog=faults.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, help=f"0 takes a free port; default: {DEFAULT_PORT}, or see --own")
    parser.add_argument("--state-dir", type=Path, required=True, help="the folder that keeps runs and collections")
    parser.add_argument("--own", action="store_true", help="use the token and the port that are kept in that folder")
    parser.add_argument("--data", type=Path, help="serve this folder (apify_items/<brand>.json and photos)")
    parser.add_argument("--items", type=_item_file, action="append", default=[], metavar="BRAND=FILE")
    parser.add_argument("--log", type=Path, help="the request log; default: requests.jsonl in the state folder")
    parser.add_argument("--faults", metavar="SPEC", help="faults to inject, see below")
    parser.add_argument("--seed", type=int, default=0, help="selects the paths that faults hit")
    parser.add_argument("--run-seconds", type=float, default=0.3, help="the duration of a scrape")
    return parser


def _item_file(text: str) -> tuple[str, Path]:
    brand, equals, path = text.partition("=")
    if not equals or brand not in BRAND_NAMES or not Path(path).is_file():
        raise argparse.ArgumentTypeError(f"{text!r} is not BRAND=FILE with a known brand and a file")
    return brand, Path(path)


if __name__ == "__main__":
    sys.exit(main())
