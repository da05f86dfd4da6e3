"""`lookalike doctor` beside real obstacles: whatever is in the way of a file is found by writing one."""

import subprocess
import sys

import pytest


@pytest.fixture
def doctor(lookalike, nobody):
    """The verb, where something is to be mended."""
    return lambda at, *words: lookalike("doctor", *words, at=at, code=1)


@pytest.mark.parametrize("place", ["data", "runs", "data/datasets", "data/cache", "data/features", "data/images"])
def test_a_file_where_a_folder_is_needed_is_named_with_the_mend(doctor, tmp_path, place):
    path = tmp_path / place
    path.parent.mkdir(exist_ok=True)
    path.write_text("")
    said = doctor(tmp_path)
    assert said.count(f"wrong  writing        {path} is a file where a folder is needed\n") == 1
    assert "mend: move it away or make it writable, or point paths.data and paths.runs elsewhere" in said
    assert "1 of " in said


def test_a_link_to_nowhere_is_named(doctor, tmp_path):
    (tmp_path / "data").symlink_to(tmp_path / "unplugged")
    assert f"{tmp_path}/data is a broken link where a folder is needed" in doctor(tmp_path)


@pytest.fixture
def read_only(disk):
    return disk("1m", "ro")


def test_a_folder_on_a_disk_that_can_only_be_read_is_named_also_to_the_administrator(doctor, tmp_path, read_only):
    said = doctor(tmp_path, f"paths.runs={read_only}/runs")
    assert "wrong  writing        nothing can be written into " in said
    assert f"{read_only}: Read-only file system" in said


@pytest.mark.slow
def test_where_nothing_is_in_the_way_nothing_is_left_behind(tmp_path, nobody):
    """As a user starts it, in a process of its own: no library has a word to say on stderr."""
    words = [sys.executable, "-m", "lookalike", "doctor"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "good   writing        files can be written under data/ and runs/" in done.stdout
    assert list(tmp_path.iterdir()) == []
