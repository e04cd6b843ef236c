"""Runs a program and measures seconds, CPU and memory of it and its children.

The benchmarks decide what is run and compared.
"""

import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_EVERY = 0.05  # seconds between two samples
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample of the processes: seconds since 1970, CPU seconds so far, and peak memory so far in bytes."""

    at: float
    cpu: float
    peak: int


@dataclass(frozen=True, slots=True)
class ProgramResult:
    """A finished program: its output, exit code, seconds from start to end, and samples."""

    printed: str
    code: int
    seconds: float
    samples: Sequence[Sample]

    @property
    def peak(self) -> int:
        """The peak resident memory of all its processes together, in bytes."""
        return max(sample.peak for sample in self.samples)

    def cpu(self, begin: float, end: float) -> float:
        """CPU seconds between two times (seconds since 1970), with the precision of a sample."""
        last = [sample.cpu for sample in self.samples if sample.at <= end + _EVERY]
        return last[-1] - max((sample.cpu for sample in self.samples if sample.at <= begin), default=0.0)


def run(command: Sequence[str | Path], environment: Mapping[str, str], folder: Path) -> ProgramResult:
    """Run a program in a folder to its end. Prints its standard error if it fails."""
    samples: list[Sample] = []
    peaks: dict[int, int] = {}
    cpus: dict[int, float] = {}
    began = time.perf_counter()
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = subprocess.Popen(command, env=dict(environment), cwd=folder, stdout=out, stderr=err)
        while process.poll() is None:
            for pid in _with_children(process.pid):
                _sample(pid, peaks, cpus)
            samples.append(Sample(time.time(), sum(cpus.values()), sum(peaks.values())))
            time.sleep(_EVERY)
        seconds = time.perf_counter() - began
        out.seek(0)
        err.seek(0)
        if process.returncode:
            print(err.read()[-2_000:])
        return ProgramResult(out.read(), process.returncode, seconds, samples)


def _sample(pid: int, peaks: dict[int, int], cpus: dict[int, float]) -> None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return  # it has ended
    cpus[pid] = (int(stat[11]) + int(stat[12])) / _TICK
    if "VmHWM:" in status:
        peaks[pid] = 1024 * int(status.split("VmHWM:")[1].split()[0])


def _with_children(pid: int) -> list[int]:
    found = [pid]
    try:
        for file in Path(f"/proc/{pid}/task").glob("*/children"):
            for child in file.read_text().split():
                found += _with_children(int(child))
    except OSError:
        pass  # it has ended
    return found
