import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unde_catalog.services.export import checkpoint
from unde_catalog.services.export.folder import CHECKPOINT, JOURNAL, UNFINISHED, CopyFolder, CopyStopped, PathConflict
from unde_catalog.services.export.journal import RunJournal, RunStart, line
from unde_catalog_tests.support import exports

IDS = st.text('ab\n"\\é\ud800],[', max_size=3)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[CopyFolder]:
    with CopyFolder(tmp_path / "copy") as opened:
        yield opened


def test_a_file_is_there_whole_or_not_at_all(folder: CopyFolder) -> None:
    assert not folder.there("bags", "a.jpg")
    folder.put("bags", "a.jpg", b"one")
    assert folder.there("bags", "a.jpg")
    folder.put("bags", "a.jpg", b"two")
    assert exports.files(folder.path) == {"bags/a.jpg": b"two"}
    assert list((folder.path / UNFINISHED).iterdir()) == []


def test_an_empty_file_a_folder_and_a_link_are_no_image(folder: CopyFolder) -> None:
    folder.put("bags", "a.jpg", b"one")
    (folder.path / "bags" / "empty.jpg").touch()
    (folder.path / "bags" / "folder.jpg").mkdir()
    (folder.path / "bags" / "link.jpg").symlink_to("a.jpg")
    assert [folder.there("bags", f"{name}.jpg") for name in ("empty", "folder", "link")] == [False] * 3


def test_a_link_in_the_place_of_a_category_is_not_followed(folder: CopyFolder, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.jpg").write_bytes(b"theirs")
    (folder.path / "bags").symlink_to(outside)
    assert not folder.there("bags", "a.jpg")
    with pytest.raises(PathConflict):
        folder.put("bags", "a.jpg", b"ours")
    assert exports.files(outside) == {"a.jpg": b"theirs"}


def test_a_link_in_the_place_of_a_file_is_replaced_and_not_written_through(folder: CopyFolder, tmp_path: Path) -> None:
    (folder.path / "bags").mkdir()
    theirs = tmp_path / "theirs"
    theirs.write_bytes(b"theirs")
    (folder.path / "bags" / "a.jpg").symlink_to(theirs)
    folder.put("bags", "a.jpg", b"ours")
    assert (theirs.read_bytes(), (folder.path / "bags" / "a.jpg").read_bytes()) == (b"theirs", b"ours")


@pytest.mark.parametrize("name", [JOURNAL, UNFINISHED])
def test_a_link_in_the_place_of_the_copys_own_files_stops_it(tmp_path: Path, name: str) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / name).symlink_to(tmp_path / "outside")
    with pytest.raises(CopyStopped, match=name), CopyFolder(tmp_path / "copy"):
        pass


def test_a_file_or_a_folder_in_the_way_is_the_fault_of_one_item(folder: CopyFolder) -> None:
    (folder.path / "bags").touch()
    (folder.path / "hats" / "a.jpg").mkdir(parents=True)
    for category in ("bags", "hats"):
        with pytest.raises(PathConflict):
            folder.put(category, "a.jpg", b"ours")
    assert list((folder.path / UNFINISHED).iterdir()) == []


def test_more_categories_than_are_kept_open_are_fine(folder: CopyFolder) -> None:
    for number in range(300):
        folder.put(f"c{number}", "a.jpg", b"x")
    assert all(folder.there(f"c{number}", "a.jpg") for number in range(300))


def test_what_a_killed_process_left_unfinished_goes(tmp_path: Path) -> None:
    unfinished = tmp_path / "copy" / UNFINISHED
    unfinished.mkdir(parents=True)
    (unfinished / "0123.part").write_bytes(b"half")
    with CopyFolder(tmp_path / "copy"):
        assert list(unfinished.iterdir()) == []
    assert not unfinished.exists()


def test_one_process_at_a_time_fills_a_folder(folder: CopyFolder) -> None:
    with pytest.raises(CopyStopped, match="another export fills"), CopyFolder(folder.path):
        pass


def test_a_file_can_be_told_from_those_written_before_a_moment(folder: CopyFolder) -> None:
    folder.put("bags", "old.jpg", b"x")
    os.utime(folder.path / "bags" / "old.jpg", (1, 1))
    now = folder.now()
    folder.put("bags", "new.jpg", b"x")
    assert [folder.there("bags", f"{name}.jpg", since=now) for name in ("old", "new")] == [False, True]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    runs=st.lists(st.lists(st.tuples(st.booleans(), IDS), max_size=12), max_size=4),
    adopted=st.none() | st.tuples(st.lists(IDS, max_size=5), st.lists(IDS, max_size=5)),
    at_once=st.integers(1, 5),
)
def test_a_checkpoint_holds_what_became_of_each_product_last(
    folder: CopyFolder,
    runs: list[list[tuple[bool, str]]],
    adopted: tuple[list[str], list[str]] | None,
    at_once: int,
) -> None:
    wanted: dict[str, bool] = {}
    path = folder.path / CHECKPOINT
    path.unlink(missing_ok=True)
    if adopted is not None:
        path.write_text(json.dumps({"timestamp": 1.5, "downloaded": adopted[0], "failed": adopted[1]}))
        wanted = {**dict.fromkeys(adopted[0], True), **dict.fromkeys(adopted[1], False)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint, "_SORTED_AT_ONCE", at_once)
        assert checkpoint.adopt(folder) is None
        for run in runs:
            checkpoint.save(folder, [line(done, name)[:-1] for done, name in run], 2.5)
            wanted |= {name: done for done, name in run}
    if adopted is None and not runs:
        assert not path.exists()
        return
    found = json.loads(path.read_text())
    assert found["timestamp"] == (2.5 if runs else 1.5)
    for key, done in (("downloaded", True), ("failed", False)):
        assert sorted(found[key]) == sorted(name for name, was_done in wanted.items() if was_done is done)


@pytest.mark.parametrize("broken", ['{"timestamp": 1, "downlo', "[1]", '{"downloaded": 7}', '{"timestamp": "x"}', "\0"])
def test_a_checkpoint_that_cannot_be_read_is_set_aside(folder: CopyFolder, broken: str) -> None:
    (folder.path / CHECKPOINT).write_text(broken)
    said = checkpoint.adopt(folder)
    assert said is not None
    assert [path.read_text() for path in folder.path.glob(f"{CHECKPOINT}.*")] == [broken]
    checkpoint.save(folder, [], 1.0)
    assert exports.checkpoint(folder.path) == ([], [])


def test_a_journal_outlives_its_process_but_for_a_line_that_was_not_finished(folder: CopyFolder) -> None:
    journal = RunJournal(folder)
    journal.begin(RunStart("all", 7))
    journal.add(line(True, "a") + line(False, "b\n"))
    journal.flush()
    with (folder.path / JOURNAL).open("ab") as file:
        file.write(b'+"c')
    later = RunJournal(folder)
    assert later.left_over() == RunStart("all", 7)
    assert list(later.lines(*later.since_checkpoint())) == [b'+"a"', b'-"b\\n"']


@pytest.mark.parametrize(
    "content", [b"", b"{", b"nonsense\n", b'{"at": "x"}\n', b'{"refresh": 7, "at": 1}\n', b"\0\xff"]
)
def test_a_journal_of_nonsense_is_none(folder: CopyFolder, content: bytes) -> None:
    (folder.path / JOURNAL).write_bytes(content)
    journal = RunJournal(folder)
    assert journal.left_over() is None
    assert list(journal.lines(*journal.since_checkpoint())) == []


def test_nobody_goes_on_with_what_was_broken_off_long_ago(folder: CopyFolder) -> None:
    journal = RunJournal(folder)
    journal.begin(RunStart("all", 7))
    os.utime(folder.path / JOURNAL, (1, 1))
    assert RunJournal(folder).left_over() is None
