"""What `unde-catalog export` is measured beside: other downloaders, and its parts one by one.

`python -m` this module with a mode, a file of URLs and a folder; it is run by `bench_export.py`.
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
    """One after the other over one session of requests; files written as they came, nothing decoded."""
    import requests

    with requests.Session() as session:
        for n, url in enumerate(urls):
            answer = session.get(url, timeout=30)
            answer.raise_for_status()
            (folder / f"{n}.jpg").write_bytes(answer.content)


def threads(urls: list[str], folder: Path) -> None:
    """The same in ten threads, with a session each."""
    parts = [list(enumerate(urls))[n::AT_ONCE] for n in range(AT_ONCE)]

    def part(numbered: list[tuple[int, str]]) -> None:
        import requests

        with requests.Session() as session:
            for n, url in numbered:
                answer = session.get(url, timeout=30)
                answer.raise_for_status()
                (folder / f"{n}.jpg").write_bytes(answer.content)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(part, parts))


def bare(urls: list[str], folder: Path) -> None:
    """Print seconds a photo of download (aiohttp, ten at once), decode (as thrifty as ours) and write, each alone."""
    from PIL import Image

    bodies: list[bytes] = []

    async def download() -> None:
        import aiohttp

        left = iter(urls)

        async def one(session: aiohttp.ClientSession) -> None:
            for url in left:
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

    taken = {
        "download": _seconds(lambda: asyncio.run(download())),
        "decode": _seconds(lambda: decode(enumerate(bodies))),
        "write": _seconds(lambda: write(enumerate(bodies))),
    }
    print(json.dumps({name: seconds / len(urls) for name, seconds in taken.items()}))


def install_img2dataset(home: Path) -> Path:
    """img2dataset in an environment of its own below a folder; its program. `RuntimeError` where pip can't have it."""
    folder = home / "benchmarks" / IMG2DATASET
    program = folder / "bin" / "img2dataset"
    if not (folder / "complete").exists():
        print(f"Installing {IMG2DATASET} into {folder} (800 MB, a minute or two) ...", flush=True)
        venv.create(folder, clear=True, with_pip=True)
        pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        done = subprocess.run([*pip, IMG2DATASET], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"not measured beside img2dataset: pip can't install it ({done.stderr.strip()[-200:]})")
        (folder / "complete").touch()
    return program


def img2dataset_command(program: Path, urls: Path, folder: Path, count: int, processes: int) -> list[str | Path]:
    """Its command: ten downloads at once, each photo decoded, a JPEG kept as it is, files as output."""
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
