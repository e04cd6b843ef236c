"""Runs all benchmarks in turn: every `bench_*.py` in this folder has a `main()` that prints its figures."""

import subprocess
import sys
from pathlib import Path

from unde_catalog_tests.support.servers import PROJECT


def main() -> int:
    """Run each benchmark in its own process, so that they do not affect each other. Returns the number of failures."""
    failed = 0
    for file in sorted(Path(__file__).parent.glob("bench_*.py")):
        print(f"\n== {file.stem.removeprefix('bench_').replace('_', ' ')}\n", flush=True)
        module = f"{__package__}.{file.stem}"
        failed += subprocess.run([sys.executable, "-m", module], cwd=PROJECT).returncode != 0
    return failed


if __name__ == "__main__":
    sys.exit(main())
