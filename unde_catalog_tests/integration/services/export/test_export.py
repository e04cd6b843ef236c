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
from unde_catalog_tests.support.exports import GREEN, PROGRAM, RED, Market, checkpoint, files, market
from unde_catalog_tests.support.upstream import reply
from unde_catalog_tests.unit.drawn_photos import detailed, plain, saved

BUSY, GONE, ERROR = (reply(b"", status) for status in ("503 Busy", "404 Not Found", "500 Oh"))
PAGE, CUT, SMALL = b"<html>no photo</html>", RED[:-20], saved(plain("red", (49, 64)))


@pytest.fixture
def bakai(db: Database, tmp_path: Path) -> Iterator[Market]:
    with market(db, tmp_path) as opened:
        yield opened


def test_a_copy_has_a_file_a_product_in_its_categorys_folder(bakai: Market) -> None:
    bakai.add(1, RED, GREEN)
    bakai.add(2, GREEN, category="clothing")
    bakai.add(3, RED, category=None)
    bakai.add(4)
    bakai.add(5, RED, brand="zara")
    ran = bakai.export()
    assert ran.code == 0, ran.err
    assert files(bakai.copy) == {
        "electronics/bakai_1.jpg": RED,
        "clothing/bakai_2.jpg": GREEN,
        "uncategorized/bakai_3.jpg": RED,
    }
    assert checkpoint(bakai.copy) == (["bakai_1", "bakai_2", "bakai_3"], [])
    assert bakai.asked() == ["/1/1", "/2/1", "/3/1"]
    assert "downloaded:      3 of 3" in ran.out
    assert re.search(r"uncategorized +1 +0 +0", ran.out)


def test_a_second_run_asks_for_nothing_that_is_there(bakai: Market) -> None:
    bakai.add(1, RED)
    assert bakai.export().code == 0
    bakai.add(2, GREEN)
    bakai.asked()
    ran = bakai.export("--json")
    assert (ran.figures["downloaded"], ran.figures["already_there"]) == (1, 1)
    assert bakai.asked() == ["/2/1"]
    (bakai.copy / "electronics" / "bakai_1.jpg").unlink()
    assert bakai.export().code == 0
    assert bakai.asked() == ["/1/1"]


def test_all_photos_stand_beside_the_first(bakai: Market) -> None:
    bakai.add(1, RED, GREEN, RED)
    bakai.add("1_2", GREEN)  # would be called as photo 2 of 1 is
    assert bakai.export("--all-photos").code == 0
    found = files(bakai.copy)
    others = [name for name in found if not name.startswith(("electronics/bakai_1.", "electronics/bakai_1_3"))]
    assert [found[f"electronics/bakai_1{n}.jpg"] for n in ("", "_2", "_3")] == [RED, GREEN, RED]
    assert any(re.fullmatch(r"electronics/bakai_1_2~[0-9a-f]{16}\.jpg", name) for name in others)
    bakai.asked()
    assert bakai.export().code == 0
    assert bakai.asked() == []


def test_a_limit_counts_images_of_the_list(bakai: Market) -> None:
    for number in range(1, 4):
        bakai.add(number, RED, GREEN)
    assert bakai.export("--limit", "3", "--all-photos", "--json").figures["total"] == 3
    assert sorted(files(bakai.copy)) == [f"electronics/bakai_{name}.jpg" for name in ("1", "1_2", "2")]


def test_one_category_alone_is_copied(bakai: Market) -> None:
    bakai.add(1, RED)
    bakai.add(2, GREEN, category="bags")
    bakai.add(3, GREEN, category="")
    assert bakai.export("--category", "bags").code == 0
    assert bakai.export("--category", "uncategorized").code == 0
    assert sorted(files(bakai.copy)) == ["bags/bakai_2.jpg", "uncategorized/bakai_3.jpg"]
    none = bakai.export("--category", "begs")
    assert none.code == 1
    assert none.err.strip().endswith("of the category 'begs'; there are: bags, electronics")


def test_faults_are_counted_by_reason_named_in_the_log_and_tried_again_the_next_time(bakai: Market) -> None:
    for number, photo in enumerate([RED, GONE, PAGE, CUT, SMALL, ERROR], start=1):
        bakai.add(number, photo)
    ran = bakai.export("--json", "--log-dir", "logs")
    assert ran.code == 3
    figures = ran.figures
    assert figures["downloaded"] == 1
    assert figures["download_errors"] == {"http_404": 1, "http_500": 1}
    assert figures["invalid_images"] == {"not_an_image": 1, "truncated": 1, "too_small": 1}
    assert figures["examples"]["http_404"] == ["electronics/bakai_2.jpg"]
    assert checkpoint(bakai.copy) == (["bakai_1"], [f"bakai_{n}" for n in range(2, 7)])
    log = (bakai.folder / "logs" / f"app_{time.strftime('%Y-%m-%d')}.log").read_text()
    assert f"electronics/bakai_5.jpg: too_small: 49 x 64, a side is under 50 ({bakai.host.url('/5/1')})" in log
    assert log.count("WARNING") == 5
    # What may pass is asked for three times, what will not once.
    asked = bakai.asked()
    assert [asked.count(f"/{n}/1") for n in range(1, 7)] == [1, 1, 3, 3, 1, 3]
    for number in range(2, 7):
        bakai.now_is(number, GREEN)
    again = bakai.export()
    assert again.code == 0, again.err
    assert len(bakai.asked()) == 5
    assert checkpoint(bakai.copy)[1] == []


def test_a_fault_that_passes_costs_nothing(bakai: Market) -> None:
    bakai.add(1, RED)
    bakai.host.answer("/1/1", ERROR, reply(CUT), reply(RED))
    ran = bakai.export("--json")
    assert ran.code == 0
    assert ran.figures["download_errors"] == ran.figures["invalid_images"] == {}


def test_everything_becomes_a_jpeg_and_one_that_is_stays_as_it_is_unless_asked_otherwise(bakai: Market) -> None:
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


def test_whatever_ids_and_categories_contain_nothing_leaves_the_copy(bakai: Market) -> None:
    odd = ["../../x", "a/b", "..", ".", "", "CON", "A", "a", "é", "e\u0301", "y" * 90, "-rf", "\n", "\u202e", "~"]
    for number, name in enumerate(odd):
        bakai.add(number, RED, category=name, external_id=name)
    before = {path for path in bakai.folder.rglob("*") if bakai.copy not in (path, *path.parents)}
    ran = bakai.export("--json")
    assert ran.code == 0, ran.err
    assert ran.figures["downloaded"] == len(odd)
    assert len(files(bakai.copy)) == len(odd)
    assert all(name.count("/") == 1 for name in files(bakai.copy))
    after = {path for path in bakai.folder.rglob("*") if bakai.copy not in (path, *path.parents)}
    assert {path for path in after - before if "home" not in path.parts} == set()
    assert sorted(checkpoint(bakai.copy)[0]) == sorted(odd)
    bakai.asked()
    assert bakai.export().code == 0
    assert bakai.asked() == []


def test_the_checkpoint_of_an_older_tool_is_honoured(bakai: Market) -> None:
    for number in range(1, 5):
        bakai.add(number, RED)
    (bakai.copy / "electronics").mkdir(parents=True)
    (bakai.copy / "electronics" / "bakai_1.jpg").write_bytes(GREEN)
    left = {"timestamp": 1700000000.0, "downloaded": ["bakai_1", "bakai_2", "bakai_77"], "failed": ["bakai_3"]}
    (bakai.copy / CHECKPOINT).write_text(json.dumps(left))
    assert bakai.export().code == 0
    assert bakai.asked() == ["/2/1", "/3/1", "/4/1"]
    assert files(bakai.copy)["electronics/bakai_1.jpg"] == GREEN
    assert checkpoint(bakai.copy) == (["bakai_1", "bakai_2", "bakai_3", "bakai_4", "bakai_77"], [])


def test_what_is_no_terminal_gets_plain_lines_and_a_terminal_a_bar(bakai: Market) -> None:
    bakai.add(1, RED)
    ran = bakai.export("--no-skip-existing", FORCE_COLOR="1", COLORTERM="truecolor", TERM="xterm-256color")
    assert ran.code == 0
    assert all(char.isprintable() or char == "\n" for char in ran.out + ran.err)
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [PROGRAM, "export", "--output", str(bakai.copy), "--no-skip-existing"],
        env={**os.environ, **bakai.environment, "TERM": "xterm-256color", "COLUMNS": "120"},
        cwd=bakai.folder, stdout=theirs, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    while piece := _read(ours):
        shown += piece
    os.close(ours)
    assert process.wait(60) == 0
    assert b"\x1b[" in shown
    assert b"1 of 1" in shown


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # the other side has closed
        return b""


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--brand", "gap"), "unknown brand 'gap'"),
        (("--brand", "zara", "--from", "api"), "--from api lists bakai alone: take database or storage for zara"),
        (("--from", "api"), "not configured: set BAKAI_CDN_ACCESS_KEY, BAKAI_CDN_SECRET_KEY"),
        (("--from", "bucket"), "not configured: set BAKAI_S3_ENDPOINT"),
        (("--from", "storage"), "is gone or can't be read"),
        ((), "the staging database has no active product of bakai with a photo: collect it first"),
        (("--output", "/proc/nowhere"), "opening /proc/nowhere failed"),
    ],
)
def test_what_cannot_be_is_told_in_a_sentence(bakai: Market, arguments: tuple[str, ...], told: str) -> None:
    ran = bakai.export(*arguments)
    assert ran.code == 1
    assert told in ran.err
    assert "Traceback" not in ran.err
    assert ran.err.count("\n") == 1
