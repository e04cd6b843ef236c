"""All benchmarks, one after the other: every `bench_*.py` beside this file has a `main()` that prints its figures."""

import subprocess
import sys
from pathlib import Path

from unde_catalog_tests.support.servers import PROJECT


def main() -> int:
    """Run each in a process of its own, so that none measures what another left behind; how many failed."""
    failed = 0
    for file in sorted(Path(__file__).parent.glob("bench_*.py")):
        print(f"\n== {file.stem.removeprefix('bench_').replace('_', ' ')}\n", flush=True)
        module = f"{__package__}.{file.stem}"
        failed += subprocess.run([sys.executable, "-m", module], cwd=PROJECT).returncode != 0
    return failed


if __name__ == "__main__":
    sys.exit(main())
