import io
import json
import os
import pty
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from unde_catalog.services.export.folder import CHECKPOINT
from unde_catalog.stores.db.database import Database
from unde_catalog_tests.support.exports import GREEN, PROGRAM, RED, Marketplace, checkpoint, files, open_marketplace
from unde_catalog_tests.support.upstream import reply
from unde_catalog_tests.unit.drawn_photos import detailed, plain, saved

BUSY, GONE, ERROR = (reply(b"", status) for status in ("503 Busy", "404 Not Found", "500 Oh"))
PAGE, CUT, SMALL = b"<html>no photo</html>", RED[:-20], saved(plain("red", (49, 64)))


@pytest.fixture
def bakai(db: Database, tmp_path: Path) -> Iterator[Marketplace]:
    with open_marketplace(db, tmp_path) as marketplace:
        yield marketplace


def test_a_copy_has_one_file_per_product_in_category_folders(bakai: Marketplace) -> None:
    bakai.add(1, RED, GREEN)
    bakai.add(2, GREEN, category="clothing")
    bakai.add(3, RED, category=None)
    bakai.add(4)
    bakai.add(5, RED, brand="zara")
    result = bakai.export()
    assert result.code == 0, result.err
    assert files(bakai.copy) == {
        "electronics/bakai_1.jpg": RED,
        "clothing/bakai_2.jpg": GREEN,
        "uncategorized/bakai_3.jpg": RED,
    }
    assert checkpoint(bakai.copy) == (["bakai_1", "bakai_2", "bakai_3"], [])
    assert bakai.requested() == ["/1/1", "/2/1", "/3/1"]
    assert "downloaded:      3 of 3" in result.out
    assert re.search(r"uncategorized +1 +0 +0", result.out)


@pytest.mark.slow
def test_a_second_run_downloads_only_missing_files(bakai: Marketplace) -> None:
    bakai.add(1, RED)
    assert bakai.export().code == 0
    bakai.add(2, GREEN)
    bakai.requested()
    result = bakai.export("--json")
    assert (result.totals["downloaded"], result.totals["already_there"]) == (1, 1)
    assert bakai.requested() == ["/2/1"]
    (bakai.copy / "electronics" / "bakai_1.jpg").unlink()
    assert bakai.export().code == 0
    assert bakai.requested() == ["/1/1"]


@pytest.mark.slow
def test_all_photos_are_numbered_files(bakai: Marketplace) -> None:
    bakai.add(1, RED, GREEN, RED)
    bakai.add("1_2", GREEN)  # its plain name is that of photo 2 of product 1
    assert bakai.export("--all-photos").code == 0
    found = files(bakai.copy)
    others = [name for name in found if not name.startswith(("electronics/bakai_1.", "electronics/bakai_1_3"))]
    assert [found[f"electronics/bakai_1{n}.jpg"] for n in ("", "_2", "_3")] == [RED, GREEN, RED]
    assert any(re.fullmatch(r"electronics/bakai_1_2~[0-9a-f]{16}\.jpg", name) for name in others)
    bakai.requested()
    assert bakai.export().code == 0
    assert bakai.requested() == []


def test_products_whose_names_differ_only_in_case_have_distinct_files(bakai: Marketplace) -> None:
    for number, photo in (("AB-1", RED), ("ab-1", GREEN), ("Ab-1", RED)):
        bakai.add(number, photo, GREEN)
    assert bakai.export("--all-photos").code == 0
    found = files(bakai.copy)
    assert len({name.casefold() for name in found}) == 6
    assert found["electronics/bakai_AB-1.jpg"] == RED and "electronics/bakai_ab-1.jpg" not in found
    bakai.requested()
    assert bakai.export("--all-photos").code == 0
    assert bakai.requested() == []


def test_a_limit_counts_images(bakai: Marketplace) -> None:
    for number in range(1, 4):
        bakai.add(number, RED, GREEN)
    assert bakai.export("--limit", "3", "--all-photos", "--json").totals["total"] == 3
    assert sorted(files(bakai.copy)) == [f"electronics/bakai_{name}.jpg" for name in ("1", "1_2", "2")]


@pytest.mark.slow
def test_a_single_category_can_be_copied(bakai: Marketplace) -> None:
    bakai.add(1, RED)
    bakai.add(2, GREEN, category="bags")
    bakai.add(3, GREEN, category="")
    assert bakai.export("--category", "bags").code == 0
    assert bakai.export("--category", "uncategorized").code == 0
    assert sorted(files(bakai.copy)) == ["bags/bakai_2.jpg", "uncategorized/bakai_3.jpg"]
    none = bakai.export("--category", "begs")
    assert none.code == 1
    assert none.err.strip().endswith("of category 'begs'; it has: bags, electronics")


@pytest.mark.slow
def test_failures_are_counted_logged_and_retried_by_the_next_run(bakai: Marketplace) -> None:
    for number, photo in enumerate([RED, GONE, PAGE, CUT, SMALL, ERROR], start=1):
        bakai.add(number, photo)
    result = bakai.export("--json", "--log-dir", "logs")
    assert result.code == 3
    totals = result.totals
    assert totals["downloaded"] == 1
    assert totals["download_errors"] == {"http_404": 1, "http_500": 1}
    assert totals["invalid_images"] == {"not_an_image": 1, "truncated": 1, "too_small": 1}
    assert totals["examples"]["http_404"] == ["electronics/bakai_2.jpg"]
    assert checkpoint(bakai.copy) == (["bakai_1"], [f"bakai_{n}" for n in range(2, 7)])
    log = (bakai.folder / "logs" / f"app_{time.strftime('%Y-%m-%d')}.log").read_text()
    assert f"electronics/bakai_5.jpg: too_small: 49 x 64; both sides need 50 pixels ({bakai.host.url('/5/1')})" in log
    assert log.count("WARNING") == 5
    # Temporary failures are requested three times, permanent ones once.
    requested = bakai.requested()
    assert [requested.count(f"/{n}/1") for n in range(1, 7)] == [1, 1, 3, 3, 1, 3]
    for number in range(2, 7):
        bakai.replace_photo(number, GREEN)
    again = bakai.export()
    assert again.code == 0, again.err
    assert len(bakai.requested()) == 5
    assert checkpoint(bakai.copy)[1] == []


@pytest.mark.slow
def test_a_temporary_failure_leaves_no_trace(bakai: Marketplace) -> None:
    bakai.add(1, RED)
    bakai.host.respond("/1/1", ERROR, reply(CUT), reply(RED))
    result = bakai.export("--json")
    assert result.code == 0
    assert result.totals["download_errors"] == result.totals["invalid_images"] == {}


@pytest.mark.slow  # converts images of every format
def test_every_image_becomes_jpeg_and_plain_jpegs_are_kept(bakai: Marketplace) -> None:
    bakai.add(1, saved(detailed(), "PNG"))
    bakai.add(2, RED)
    assert bakai.export().code == 0
    made = files(bakai.copy)
    assert Image.open(io.BytesIO(made["electronics/bakai_1.jpg"])).format == "JPEG"
    assert made["electronics/bakai_2.jpg"] == RED
    assert bakai.export("--reencode", "--no-skip-existing").code == 0
    again = files(bakai.copy)
    assert again["electronics/bakai_1.jpg"] == made["electronics/bakai_1.jpg"]
    assert again["electronics/bakai_2.jpg"] != RED
    assert Image.open(io.BytesIO(again["electronics/bakai_2.jpg"])).size == (64, 64)


def test_no_id_or_category_escapes_the_folder(bakai: Marketplace) -> None:
    odd = ["../../x", "a/b", "..", ".", "", "CON", "A", "a", "é", "e\u0301", "y" * 90, "-rf", "\n", "\u202e", "~"]
    for number, name in enumerate(odd):
        bakai.add(number, RED, category=name, external_id=name)
    before = {path for path in bakai.folder.rglob("*") if bakai.copy not in (path, *path.parents)}
    result = bakai.export("--json")
    assert result.code == 0, result.err
    assert result.totals["downloaded"] == len(odd)
    assert len(files(bakai.copy)) == len(odd)
    assert all(name.count("/") == 1 for name in files(bakai.copy))
    after = {path for path in bakai.folder.rglob("*") if bakai.copy not in (path, *path.parents)}
    assert {path for path in after - before if "home" not in path.parts} == set()
    assert sorted(checkpoint(bakai.copy)[0]) == sorted(odd)
    bakai.requested()
    assert bakai.export().code == 0
    assert bakai.requested() == []


def test_the_checkpoint_of_another_tool_is_kept(bakai: Marketplace) -> None:
    for number in range(1, 5):
        bakai.add(number, RED)
    (bakai.copy / "electronics").mkdir(parents=True)
    (bakai.copy / "electronics" / "bakai_1.jpg").write_bytes(GREEN)
    old = {"timestamp": 1700000000.0, "downloaded": ["bakai_1", "bakai_2", "bakai_77"], "failed": ["bakai_3"]}
    (bakai.copy / CHECKPOINT).write_text(json.dumps(old))
    assert bakai.export().code == 0
    assert bakai.requested() == ["/2/1", "/3/1", "/4/1"]
    assert files(bakai.copy)["electronics/bakai_1.jpg"] == GREEN
    assert checkpoint(bakai.copy) == (["bakai_1", "bakai_2", "bakai_3", "bakai_4", "bakai_77"], [])


@pytest.mark.slow
def test_output_is_plain_lines_or_a_bar_on_a_terminal(bakai: Marketplace) -> None:
    bakai.add(1, RED)
    result = bakai.export("--no-skip-existing", FORCE_COLOR="1", COLORTERM="truecolor", TERM="xterm-256color")
    assert result.code == 0
    assert all(char.isprintable() or char == "\n" for char in result.out + result.err)
    terminal, child_end = pty.openpty()
    process = subprocess.Popen(
        [PROGRAM, "export", "--output", str(bakai.copy), "--no-skip-existing"],
        env={**os.environ, **bakai.environment, "TERM": "xterm-256color", "COLUMNS": "120"},
        cwd=bakai.folder, stdout=child_end, stderr=child_end,
    )  # fmt: skip
    os.close(child_end)
    output = b""
    while piece := _read(terminal):
        output += piece
    os.close(terminal)
    assert process.wait(60) == 0
    assert b"\x1b[" in output
    assert b"1 of 1" in output


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # the process has closed it
        return b""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--brand", "gap"), "unknown brand 'gap'"),
        (("--brand", "zara", "--from", "api"), "--from api has only bakai: use database or storage for zara"),
        (("--from", "api"), "not configured: set BAKAI_CDN_ACCESS_KEY, BAKAI_CDN_SECRET_KEY"),
        (("--from", "bucket"), "not configured: set BAKAI_S3_ENDPOINT"),
        (("--from", "storage"), "is missing or can't be read"),
        ((), "the staging database has no active product of bakai with a photo: collect the brand first"),
        (("--output", "/proc/nowhere"), "opening /proc/nowhere failed"),
    ],
)
def test_errors_are_one_line(bakai: Marketplace, arguments: tuple[str, ...], message: str) -> None:
    result = bakai.export(*arguments)
    assert result.code == 1
    assert message in result.err
    assert "Traceback" not in result.err
    assert result.err.count("\n") == 1
