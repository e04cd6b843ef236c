"""Downloaders that `unde-catalog export` is compared with, and its parts one by one.

`bench_export.py` runs this module with a mode, a file of URLs and a folder.
"""

import asyncio
import io
import json
import os
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

AT_ONCE = 10
IMG2DATASET = "img2dataset==1.47.0"


def sequential(urls: list[str], folder: Path) -> None:
    """Download one after the other in one session of requests, without decoding."""
    import requests

    with requests.Session() as session:
        for n, url in enumerate(urls):
            response = session.get(url, timeout=30)
            response.raise_for_status()
            (folder / f"{n}.jpg").write_bytes(response.content)


def threads(urls: list[str], folder: Path) -> None:
    """Download in ten threads, each with its own session."""
    parts = [list(enumerate(urls))[n::AT_ONCE] for n in range(AT_ONCE)]

    def part(numbered: list[tuple[int, str]]) -> None:
        import requests

        with requests.Session() as session:
            for n, url in numbered:
                response = session.get(url, timeout=30)
                response.raise_for_status()
                (folder / f"{n}.jpg").write_bytes(response.content)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(part, parts))


def bare(urls: list[str], folder: Path) -> None:
    """Print the seconds per photo of download (aiohttp, ten at once), decoding and writing, each measured alone."""
    from PIL import Image

    bodies: list[bytes] = []

    async def download() -> None:
        import aiohttp

        remaining = iter(urls)

        async def one(session: aiohttp.ClientSession) -> None:
            for url in remaining:
                async with session.get(url) as response:
                    bodies.append(await response.read())

        async with aiohttp.ClientSession() as session:
            await asyncio.gather(*(one(session) for _ in range(AT_ONCE)))

    def decode(numbered: Iterable[tuple[int, bytes]]) -> None:
        for _, body in numbered:
            with Image.open(io.BytesIO(body), formats=["JPEG"]) as image:
                image.draft(None, (1, 1))  # at 1/8 scale: all bytes are read, at a third of the time
                image.load()

    def write(numbered: Iterable[tuple[int, bytes]]) -> None:
        for n, body in numbered:
            part = folder / f"{n}.part"
            part.write_bytes(body)
            os.rename(part, folder / f"{n}.jpg")

    durations = {
        "download": _seconds(lambda: asyncio.run(download())),
        "decode": _seconds(lambda: decode(enumerate(bodies))),
        "write": _seconds(lambda: write(enumerate(bodies))),
    }
    print(json.dumps({name: seconds / len(urls) for name, seconds in durations.items()}))


def install_img2dataset(home: Path) -> Path:
    """Install img2dataset in its own environment. Returns its program. Raises RuntimeError if pip can't install it."""
    folder = home / "benchmarks" / IMG2DATASET
    program = folder / "bin" / "img2dataset"
    if not (folder / "complete").exists():
        print(f"Installing {IMG2DATASET} into {folder} (800 MB, a minute or two) ...", flush=True)
        venv.create(folder, clear=True, with_pip=True)
        pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        result = subprocess.run([*pip, IMG2DATASET], capture_output=True, text=True)
        if result.returncode:
            raise RuntimeError(
                f"not measured beside img2dataset: pip can't install it ({result.stderr.strip()[-200:]})"
            )
        (folder / "complete").touch()
    return program


def img2dataset_command(program: Path, urls: Path, folder: Path, count: int, processes: int) -> list[str | Path]:
    """The command for ten concurrent downloads with decoding, unchanged JPEGs and files as output."""
    shard = -(-count // processes)
    return [
        program, f"--url_list={urls}", f"--output_folder={folder}", "--output_format=files", "--input_format=txt",
        "--resize_mode=no", "--skip_reencode=True", "--enable_wandb=False", "--timeout=30",
        f"--number_sample_per_shard={shard}", f"--processes_count={processes}",
        f"--thread_count={AT_ONCE // processes}",
    ]  # fmt: skip


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    modes = {"sequential": sequential, "threads": threads, "bare": bare}
    modes[sys.argv[1]](Path(sys.argv[2]).read_text().split(), Path(sys.argv[3]))
