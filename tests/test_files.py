"""Writing that is whole or not there, also when the disk is full or the process is killed."""

import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lookalike import files
from lookalike.settings import DataError, DiskFullError, PlaceError


def left_in(folder):
    return sorted(one.name for one in folder.iterdir())


def test_what_is_written_is_read_and_nothing_else_is_left(tmp_path):
    files.write_text(tmp_path / "new" / "a.txt", "Größe")
    assert (tmp_path / "new" / "a.txt").read_text("utf-8") == "Größe"
    assert left_in(tmp_path / "new") == ["a.txt"]


def test_two_equal_values_are_two_equal_files(tmp_path):
    files.write_json(tmp_path / "a", {"b": 1, "a": [2]})
    files.write_json(tmp_path / "b", {"a": [2], "b": 1})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_folder_whose_block_fails_never_was(tmp_path):
    def write_half():
        with files.new_folder(tmp_path / "made") as draft:
            (draft / "a").write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert left_in(tmp_path) == []


def test_a_finished_folder_is_left_as_it_is(tmp_path):
    for text in ("first", "second"):
        with files.new_folder(tmp_path / "made") as draft:
            (draft / "a").write_text(text)
    assert (tmp_path / "made" / "a").read_text() == "first"
    assert left_in(tmp_path) == ["made"]


def test_a_damaged_folder_makes_way_for_a_sound_one_and_what_a_kill_left_is_swept(tmp_path):
    (tmp_path / ".made.killed.old").mkdir()
    for text in ("damaged", "sound"):
        with files.new_folder(tmp_path / "made", replace=True) as draft:
            (draft / "a").write_text(text)
    assert (tmp_path / "made" / "a").read_text() == "sound"
    assert left_in(tmp_path) == ["made"]


def test_a_damaged_folder_stays_where_the_sound_one_could_not_be_made(tmp_path):
    (tmp_path / "made").mkdir()
    with pytest.raises(RuntimeError), files.new_folder(tmp_path / "made", replace=True):
        raise RuntimeError
    assert left_in(tmp_path) == ["made"]


def test_many_writers_of_one_folder_do_no_harm(tmp_path):
    def write():
        with files.new_folder(tmp_path / "made") as draft:
            (draft / "a").write_text("same")

    writers = [threading.Thread(target=write) for _ in range(8)]
    for one in writers:
        one.start()
    for one in writers:
        one.join()
    assert left_in(tmp_path) == ["made"]
    assert (tmp_path / "made" / "a").read_text() == "same"


def test_a_sealed_folder_is_read_back_with_its_facts(tmp_path):
    (tmp_path / "a").write_bytes(b"x")
    files.seal(tmp_path, {"name": "shoes"})
    assert files.sealed(tmp_path)["name"] == "shoes"
    assert files.sealed(tmp_path)["files"]["a"]["bytes"] == 1


def test_a_manifest_that_is_no_manifest_is_refused(tmp_path):
    (tmp_path / "manifest.json").write_text("[1, 2")
    with pytest.raises(DataError, match="not a manifest"):
        files.sealed(tmp_path)


@pytest.mark.parametrize(
    "said",
    [
        b"\xff\xfe\x00\x80",
        b"[1, 2]",
        b"3",
        b"null",
        b"{}",
        b'{"files": ["a"]}',
        b'{"files": {"a": 3}}',
        b'{"files": {"a": {}}}',
        b"[" * 100_000,
    ],
)
def test_a_manifest_of_anything_but_an_object_is_refused_by_name(tmp_path, said):
    (tmp_path / "manifest.json").write_bytes(said)
    with pytest.raises(DataError, match=r"manifest\.json: not a manifest"):
        files.sealed(tmp_path)


def test_hidden_files_that_a_file_manager_leaves_are_no_fault(tmp_path):
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / ".before").write_bytes(b"x")
    files.seal(tmp_path, {})
    (tmp_path / ".before").unlink()
    (tmp_path / ".DS_Store").write_bytes(b"x")
    (tmp_path / ".Trashes").mkdir()
    (tmp_path / ".Trashes" / "b").write_bytes(b"x")
    assert list(files.sealed(tmp_path)["files"]) == ["a"]


def test_every_fault_of_a_sealed_folder_is_told_at_once(tmp_path):
    for name in ("gone", "short", "other"):
        (tmp_path / name).write_bytes(b"abc")
    files.seal(tmp_path, {})
    (tmp_path / "gone").unlink()
    (tmp_path / "short").write_bytes(b"a")
    (tmp_path / "other").write_bytes(b"abd")
    (tmp_path / "new").write_bytes(b"")
    with pytest.raises(DataError) as caught:
        files.sealed(tmp_path)
    for said in ("gone is missing", "short has 1 bytes where", "other was altered", "new is not in the manifest"):
        assert said in str(caught.value)


@pytest.fixture
def tiny_disk(disk):
    return disk("1m")


def test_a_full_disk_is_named_and_nothing_half_written_stays(tiny_disk):
    files.write_text(tiny_disk / "kept", "before")
    with pytest.raises(DiskFullError, match="the disk is full .*paths.data"):
        files.write_bytes(tiny_disk / "large", bytes(5_000_000))
    with pytest.raises(DiskFullError), files.new_folder(tiny_disk / "folder") as draft:
        (draft / "large").write_bytes(bytes(5_000_000))
    with pytest.raises(DiskFullError, match="the disk is full"), files.new_folder(tiny_disk / "folder") as draft:
        files.write_bytes(draft / "large", bytes(5_000_000))
    assert left_in(tiny_disk) == ["kept"]


@pytest.mark.parametrize("place", ["file", "file/below", "broken", "broken/below"])
def test_what_stands_in_the_way_of_a_folder_is_named_with_the_mend(tmp_path, place):
    (tmp_path / "file").write_text("")
    (tmp_path / "broken").symlink_to(tmp_path / "nowhere")
    said = f"{place.split('/')[0]} is a (file|broken link) where a folder is needed"
    assert re.search(said, files.obstacle(tmp_path / place))
    with pytest.raises(PlaceError, match=rf"{said}\. Mend that, or point paths\.data and paths\.runs"):
        files.write_text(tmp_path / place / "a", "")
    with pytest.raises(PlaceError, match=said), files.new_folder(tmp_path / place / "a"):
        pass


def test_a_disk_that_can_only_be_read_is_found_by_writing_to_it(tiny_disk):
    assert files.obstacle(tiny_disk / "new" / "folder") == ""
    subprocess.run(["mount", "-o", "remount,ro", str(tiny_disk)], check=True)  # noqa: S607
    said = f"nothing can be written into {tiny_disk}: Read-only file system"
    assert files.obstacle(tiny_disk / "new" / "folder") == said
    with pytest.raises(PlaceError, match=said):
        files.write_text(tiny_disk / "new" / "a", "")


def test_looking_for_an_obstacle_leaves_nothing_behind(tmp_path):
    assert files.obstacle(tmp_path / "not" / "there") == ""
    assert left_in(tmp_path) == []


def test_a_kill_in_the_middle_leaves_the_old_file_or_the_new_one(tmp_path):
    writer = (
        "import sys; from pathlib import Path; from lookalike import files\n"
        "n = 0\n"
        "while True: n += 1; files.write_bytes(Path(sys.argv[1]) / 'a', bytes([n % 256]) * 200_000)"
    )
    with subprocess.Popen([sys.executable, "-c", writer, str(tmp_path)]) as process:
        for _ in range(200):
            if (tmp_path / "a").exists():
                break
            threading.Event().wait(0.05)
        process.kill()
    found = Path(tmp_path / "a").read_bytes()
    assert len(found) == 200_000
    assert len(set(found)) == 1
