import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unde_catalog.services.export import checkpoint
from unde_catalog.services.export.folder import CHECKPOINT, JOURNAL, UNFINISHED, CopyFolder, CopyStopped, PathConflict
from unde_catalog.services.export.journal import RunJournal, RunStart, journal_line
from unde_catalog_tests.support import exports

IDS = st.text('ab\n"\\é\ud800],[', max_size=3)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[CopyFolder]:
    with CopyFolder(tmp_path / "copy") as folder:
        yield folder


def test_files_are_written_atomically(folder: CopyFolder) -> None:
    assert not folder.has("bags", "a.jpg")
    folder.write("bags", "a.jpg", b"one")
    assert folder.has("bags", "a.jpg")
    folder.write("bags", "a.jpg", b"two")
    assert exports.files(folder.path) == {"bags/a.jpg": b"two"}
    assert list((folder.path / UNFINISHED).iterdir()) == []


def test_empty_files_folders_and_links_are_not_images(folder: CopyFolder) -> None:
    folder.write("bags", "a.jpg", b"one")
    (folder.path / "bags" / "empty.jpg").touch()
    (folder.path / "bags" / "folder.jpg").mkdir()
    (folder.path / "bags" / "link.jpg").symlink_to("a.jpg")
    assert [folder.has("bags", f"{name}.jpg") for name in ("empty", "folder", "link")] == [False] * 3


def test_a_link_at_the_path_of_a_category_is_not_followed(folder: CopyFolder, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.jpg").write_bytes(b"other")
    (folder.path / "bags").symlink_to(outside)
    assert not folder.has("bags", "a.jpg")
    with pytest.raises(PathConflict):
        folder.write("bags", "a.jpg", b"image")
    assert exports.files(outside) == {"a.jpg": b"other"}


def test_a_link_at_the_path_of_a_file_is_replaced(folder: CopyFolder, tmp_path: Path) -> None:
    (folder.path / "bags").mkdir()
    other = tmp_path / "other"
    other.write_bytes(b"other")
    (folder.path / "bags" / "a.jpg").symlink_to(other)
    folder.write("bags", "a.jpg", b"image")
    assert (other.read_bytes(), (folder.path / "bags" / "a.jpg").read_bytes()) == (b"other", b"image")


@pytest.mark.parametrize("name", [JOURNAL, UNFINISHED])
def test_a_link_at_the_path_of_a_control_file_stops_the_copy(tmp_path: Path, name: str) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / name).symlink_to(tmp_path / "outside")
    with pytest.raises(CopyStopped, match=name), CopyFolder(tmp_path / "copy"):
        pass


def test_a_path_conflict_fails_one_image_only(folder: CopyFolder) -> None:
    (folder.path / "bags").touch()
    (folder.path / "hats" / "a.jpg").mkdir(parents=True)
    for category in ("bags", "hats"):
        with pytest.raises(PathConflict):
            folder.write(category, "a.jpg", b"image")
    assert list((folder.path / UNFINISHED).iterdir()) == []


def test_there_may_be_more_categories_than_open_folders(folder: CopyFolder) -> None:
    for number in range(300):
        folder.write(f"c{number}", "a.jpg", b"x")
    assert all(folder.has(f"c{number}", "a.jpg") for number in range(300))


def test_unfinished_files_of_a_killed_process_are_removed(tmp_path: Path) -> None:
    unfinished = tmp_path / "copy" / UNFINISHED
    unfinished.mkdir(parents=True)
    (unfinished / "0123.part").write_bytes(b"half")
    with CopyFolder(tmp_path / "copy"):
        assert list(unfinished.iterdir()) == []
    assert not unfinished.exists()


def test_only_one_process_can_fill_a_folder(folder: CopyFolder) -> None:
    with pytest.raises(CopyStopped, match="another export is writing to"), CopyFolder(folder.path):
        pass


def test_files_older_than_a_given_time_do_not_count(folder: CopyFolder) -> None:
    folder.write("bags", "old.jpg", b"x")
    os.utime(folder.path / "bags" / "old.jpg", (1, 1))
    now = folder.now()
    folder.write("bags", "new.jpg", b"x")
    assert [folder.has("bags", f"{name}.jpg", since=now) for name in ("old", "new")] == [False, True]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    runs=st.lists(st.lists(st.tuples(st.booleans(), IDS), max_size=12), max_size=4),
    foreign=st.none() | st.tuples(st.lists(IDS, max_size=5), st.lists(IDS, max_size=5)),
    max_sorted=st.integers(1, 5),
)
def test_a_checkpoint_has_the_last_result_of_each_product(
    folder: CopyFolder,
    runs: list[list[tuple[bool, str]]],
    foreign: tuple[list[str], list[str]] | None,
    max_sorted: int,
) -> None:
    expected: dict[str, bool] = {}
    path = folder.path / CHECKPOINT
    path.unlink(missing_ok=True)
    if foreign is not None:
        path.write_text(json.dumps({"timestamp": 1.5, "downloaded": foreign[0], "failed": foreign[1]}))
        expected = {**dict.fromkeys(foreign[0], True), **dict.fromkeys(foreign[1], False)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint, "_MAX_SORTED", max_sorted)
        assert checkpoint.convert_foreign(folder) is None
        for run in runs:
            checkpoint.save(folder, [journal_line(done, name)[:-1] for done, name in run], 2.5)
            expected |= {name: done for done, name in run}
    if foreign is None and not runs:
        assert not path.exists()
        return
    content = json.loads(path.read_text())
    assert content["timestamp"] == (2.5 if runs else 1.5)
    for key, done in (("downloaded", True), ("failed", False)):
        assert sorted(content[key]) == sorted(name for name, was_done in expected.items() if was_done is done)


@pytest.mark.parametrize("broken", ['{"timestamp": 1, "downlo', "[1]", '{"downloaded": 7}', '{"timestamp": "x"}', "\0"])
def test_an_unreadable_checkpoint_is_renamed(folder: CopyFolder, broken: str) -> None:
    (folder.path / CHECKPOINT).write_text(broken)
    message = checkpoint.convert_foreign(folder)
    assert message is not None
    assert [path.read_text() for path in folder.path.glob(f"{CHECKPOINT}.*")] == [broken]
    checkpoint.save(folder, [], 1.0)
    assert exports.checkpoint(folder.path) == ([], [])


def test_a_journal_survives_its_process_without_a_cut_off_line(folder: CopyFolder) -> None:
    journal = RunJournal(folder)
    journal.start(RunStart("all", 7))
    journal.add(journal_line(True, "a") + journal_line(False, "b\n"))
    journal.flush()
    with (folder.path / JOURNAL).open("ab") as file:
        file.write(b'+"c')
    later = RunJournal(folder)
    assert later.unfinished() == RunStart("all", 7)
    assert list(later.lines(*later.unsaved())) == [b'+"a"', b'-"b\\n"']


@pytest.mark.parametrize(
    "content", [b"", b"{", b"nonsense\n", b'{"at": "x"}\n', b'{"refresh": 7, "at": 1}\n', b"\0\xff"]
)
def test_an_invalid_journal_is_ignored(folder: CopyFolder, content: bytes) -> None:
    (folder.path / JOURNAL).write_bytes(content)
    journal = RunJournal(folder)
    assert journal.unfinished() is None
    assert list(journal.lines(*journal.unsaved())) == []


def test_an_old_interrupted_run_is_not_resumed(folder: CopyFolder) -> None:
    journal = RunJournal(folder)
    journal.start(RunStart("all", 7))
    os.utime(folder.path / JOURNAL, (1, 1))
    assert RunJournal(folder).unfinished() is None
