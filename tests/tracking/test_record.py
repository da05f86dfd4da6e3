"""The run folder: what is in it, that it is found again, and that an unfinished one is not taken for a run."""

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
import yaml

from lookalike.settings import Choice, DataError, DiskFullError, PlaceError, Train, Wandb
from lookalike.tracking import record

SETTINGS = Train(
    name="try",
    dataset="toy",
    backbone=Choice(name="efficientnet_lite0"),
    head=Choice(name="identity"),
    loss=Choice(name="contrastive", options={"margin": 0.5}),
    augment=Choice(name="none"),
)
TABLE = pl.DataFrame({"image": ["a"], "rank": [1]})


def finished(runs, settings=SETTINGS, dataset="toy@abc"):
    book = record.start(runs, settings.name, settings, dataset=dataset, seed=settings.seed)
    book.log({"train/loss": 0.5}, 1, 0)
    book.finish({"test": {}}, TABLE)
    return book.folder


def test_a_finished_run_holds_what_the_contract_says(tmp_path):
    folder = finished(tmp_path)
    assert {one.name for one in folder.iterdir()} == {
        "settings.yaml",
        "environment.json",
        "history.jsonl",
        "metrics.json",
        "per_query.parquet",
    }
    said = yaml.safe_load((folder / "settings.yaml").read_text())
    assert said["loss"] == {"name": "contrastive", "margin": 0.5}
    assert json.loads((folder / "history.jsonl").read_text()) == {"step": 1, "epoch": 0, "train/loss": 0.5}
    assert pl.read_parquet(folder / "per_query.parquet").equals(TABLE)
    told = json.loads((folder / "environment.json").read_text())
    assert (told["dataset"], told["seed"]) == ("toy@abc", 0)
    assert {"torch", "faiss-cpu"} <= set(told["packages"])


def test_two_runs_in_one_second_have_two_folders(tmp_path):
    assert len({finished(tmp_path) for _ in range(3)}) == 3


def test_a_name_means_its_newest_finished_run(tmp_path):
    folders = [finished(tmp_path) for _ in range(2)]
    record.start(tmp_path, "try", SETTINGS, dataset="toy@abc", seed=0)
    assert record.find("try", tmp_path) == folders[-1]
    assert record.find(str(folders[0]), tmp_path) == folders[0]


def test_an_unfinished_run_says_so(tmp_path):
    book = record.start(tmp_path, "try", SETTINGS, dataset="toy@abc", seed=0)
    with pytest.raises(DataError, match="did not finish"):
        record.find(str(book.folder), tmp_path)


def test_a_run_that_is_not_there_names_those_that_are(tmp_path):
    finished(tmp_path)
    with pytest.raises(DataError, match="no such run.*there are: try"):
        record.find("tyr", tmp_path)


def test_the_very_same_run_is_known_again_and_another_is_not(tmp_path):
    folder = finished(tmp_path)
    assert record.same_run(tmp_path, replace(SETTINGS, again=False), "toy@abc") == folder
    assert record.same_run(tmp_path, replace(SETTINGS, seed=1), "toy@abc") is None
    assert record.same_run(tmp_path, SETTINGS, "toy@abd") is None
    assert (
        record.same_run(tmp_path, replace(SETTINGS, tracking="both", wandb=Wandb(project="other")), "toy@abc") == folder
    )


def test_of_more_than_nine_runs_in_one_second_the_last_is_the_newest(tmp_path):
    made = finished(tmp_path)
    for name in ("20260102-030405", *(f"20260102-030405-{number}" for number in range(2, 12)), "20251231-235959-30"):
        shutil.copytree(made, tmp_path / "try" / name)
    shutil.rmtree(made)
    shutil.copytree(tmp_path / "try" / "20260102-030405", tmp_path / "try" / "zz backup")  # no time is known of it
    assert record.find("try", tmp_path).name == "20260102-030405-11"
    assert record.same_run(tmp_path, SETTINGS, "toy@abc").name == "20260102-030405-11"


@pytest.mark.parametrize(("count", "said"), [(1, "try has 1 run, not finished"), (2, "try has 2 runs, none finished")])
def test_a_name_with_unfinished_runs_alone_says_so(tmp_path, count, said):
    for _ in range(count):
        record.start(tmp_path, "try", SETTINGS, dataset="toy@abc", seed=0)
    with pytest.raises(DataError, match=f"run=try: {said}.*; train again"):
        record.find("try", tmp_path)
    with pytest.raises(DataError, match="no such run; train one first"):
        record.find("other", tmp_path)


def test_an_abandoned_run_leaves_nothing_and_a_finished_one_stays(tmp_path):
    record.start(tmp_path, "try", SETTINGS, dataset="toy@abc", seed=0).abandon()
    assert list(tmp_path.iterdir()) == []
    done = finished(tmp_path)
    record.Record(done).abandon()
    other = record.start(tmp_path, "try", SETTINGS, dataset="toy@abc", seed=0)
    other.abandon()
    assert list((tmp_path / "try").iterdir()) == [done]


def test_a_run_where_no_folder_can_be_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(PlaceError, match="file is a file where a folder is needed"):
        record.start(tmp_path / "file", "try", SETTINGS, dataset="toy@abc", seed=0)


def test_a_disk_that_is_full_when_a_run_begins_is_named_and_the_run_leaves_nothing(tiny_disk):
    (tiny_disk / "other").write_bytes(bytes(64 * 1024))
    with pytest.raises(DiskFullError, match="the disk is full"):
        record.start(tiny_disk, "try", SETTINGS, dataset="toy@abc", seed=0)
    assert [one.name for one in tiny_disk.iterdir()] == ["other"]


def test_a_disk_that_is_full_while_a_run_is_logged_is_named(tiny_disk):
    book = record.start(tiny_disk, "try", SETTINGS, dataset="toy@abc", seed=0)
    room = os.statvfs(tiny_disk)
    (tiny_disk / "other").write_bytes(bytes(room.f_bavail * room.f_frsize))
    with pytest.raises(DiskFullError, match="the disk is full"):
        book.log({"train/loss": 0.5}, 1, 0)
    book.abandon()
    assert [one.name for one in tiny_disk.iterdir()] == ["other"]


@pytest.fixture
def tiny_disk(disk):
    return disk("64k")


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path):
    path.write_bytes(b"")


def binary(path):
    path.write_bytes(b"\xff\xfe\x00\x80")


def listed(path):
    path.write_text("[1, 2]\n...\n")


def look(kind, runs, folder):
    return {
        "settings.yaml": lambda: record.settings_of(folder),
        "environment.json": lambda: record.dataset_of(folder),
        "metrics.json": lambda: record.find("try", runs),
    }[kind]()


@pytest.mark.parametrize("name", ["settings.yaml", "environment.json", "metrics.json"])
@pytest.mark.parametrize("harm", [cut, empty, binary, listed])
def test_a_damaged_file_of_a_run_is_named_with_the_mend(tmp_path, name, harm):
    folder = finished(tmp_path)
    harm(folder / name)
    said = rf"{name}: (cut short|altered|cannot be read).*restore the run's folder from a copy, or remove it and train"
    with pytest.raises(DataError, match=said):
        look(name, tmp_path, folder)
    assert record.same_run(tmp_path, SETTINGS, "toy@abc") is None  # it is trained again, not shown


@pytest.mark.parametrize("name", ["settings.yaml", "environment.json"])
def test_a_missing_file_of_a_finished_run_is_named_with_the_mend(tmp_path, name):
    folder = finished(tmp_path)
    (folder / name).unlink()
    with pytest.raises(DataError, match=rf"{name}: missing from this run; restore"):
        look(name, tmp_path, folder)
    assert record.same_run(tmp_path, SETTINGS, "toy@abc") is None


def test_the_chosen_weights_are_told_with_their_checksum_or_refused_by_name(tmp_path):
    folder = finished(tmp_path)
    with pytest.raises(DataError, match="metrics.json: altered, it says no checkpoint"):
        record.checkpoint_of(folder)
    for kept in ([], {"file": "a"}):
        (folder / "metrics.json").write_text(json.dumps({"checkpoint": kept}))
        with pytest.raises(DataError, match="metrics.json: altered, its checkpoint has no file and sha256"):
            record.checkpoint_of(folder)
    (folder / "metrics.json").write_text(json.dumps({"checkpoint": {"file": "a/b.ckpt", "sha256": "12"}}))
    assert record.checkpoint_of(folder) == (folder / "a" / "b.ckpt", "12")


def test_settings_cut_anywhere_are_refused_although_half_of_them_may_well_be_yaml(tmp_path):
    folder = finished(tmp_path)
    whole = (folder / "settings.yaml").read_bytes()
    for end in range(len(whole) - 1):  # the last sign of all is a newline
        (folder / "settings.yaml").write_bytes(whole[:end])
        with pytest.raises(DataError, match="settings.yaml: cut short"):
            record.settings_of(folder)


# A run that is stopped and goes on


def begun(runs, lines=(), settings=SETTINGS):
    """A run that was stopped after some lines, each (step, loss)."""
    book = record.start(runs, settings.name, settings, dataset="toy@abc", seed=settings.seed)
    for step, loss in lines:
        book.log({"train/loss": loss}, step, 0)
    return book.folder


LINES = [(1, 0.5), (2, 0.1 + 0.2), (3, float("nan")), (4, 1e-300), (5, 5.0)]


@pytest.mark.parametrize("checkpoint", [0, 3, 5, 9])
def test_a_history_that_is_rewound_and_logged_again_is_that_of_an_undisturbed_run(tmp_path, checkpoint):
    whole = (begun(tmp_path, LINES) / "history.jsonl").read_bytes()
    book = record.reopen(begun(tmp_path, LINES))
    book.rewind(checkpoint)
    assert [line["step"] for line in record.history_of(book.folder)] == [*range(1, min(checkpoint, 5) + 1)]
    for step, loss in LINES[checkpoint:]:
        book.log({"train/loss": loss}, step, 0)
    assert (book.folder / "history.jsonl").read_bytes() == whole


def test_a_line_that_a_kill_tore_is_dropped_wherever_it_was_torn(tmp_path):
    book = record.reopen(begun(tmp_path, LINES))
    path = book.folder / "history.jsonl"
    *before, last = path.read_bytes().splitlines(keepends=True)
    for end in range(len(last)):
        path.write_bytes(b"".join(before) + last[:end])
        assert len(record.history_of(book.folder)) == 4 + (end == len(last) - 1)  # all but the newline: it is whole
        book.rewind(4)
        assert path.read_bytes() == b"".join(before)


def test_a_line_that_was_altered_in_the_middle_is_named(tmp_path):
    book = record.reopen(begun(tmp_path, LINES))
    path = book.folder / "history.jsonl"
    for harm in (b"{", b"[1]", b"{}"):
        path.write_bytes(harm + b"\n" + path.read_bytes())
        with pytest.raises(DataError, match=r"history.jsonl, line 1: altered .*; restore the run's folder"):
            book.rewind(4)


def test_a_run_that_logged_nothing_yet_can_be_rewound(tmp_path):
    book = record.reopen(begun(tmp_path))
    book.rewind(0)
    assert record.history_of(book.folder) == []


def test_the_same_command_finds_the_newest_run_that_it_left_unfinished(tmp_path):
    assert record.unfinished(tmp_path, SETTINGS, "toy@abc") is None
    finished(tmp_path)
    begun(tmp_path)
    newest = begun(tmp_path)
    finished(tmp_path)
    other = begun(tmp_path, settings=replace(SETTINGS, seed=1))
    assert record.unfinished(tmp_path, replace(SETTINGS, again=False, tracking="both"), "toy@abc") == newest
    assert record.unfinished(tmp_path, replace(SETTINGS, seed=1), "toy@abc") == other
    assert record.unfinished(tmp_path, replace(SETTINGS, epochs=7), "toy@abc") is None
    assert record.unfinished(tmp_path, SETTINGS, "toy@abd") is None
    cut(newest / "settings.yaml")
    assert record.unfinished(tmp_path, SETTINGS, "toy@abc") != newest  # nobody can tell what that one was


def test_a_run_of_other_code_is_not_gone_on_with(tmp_path):
    folder = begun(tmp_path)
    told = record.environment_of(folder)
    (folder / "environment.json").write_text(json.dumps({**told, "code": "other"}))
    assert record.unfinished(tmp_path, SETTINGS, "toy@abc") is None


def test_going_on_is_noted_and_the_beginning_stays(tmp_path):
    folder = begun(tmp_path)
    before = record.environment_of(folder)
    for _ in range(2):
        record.reopen(folder)
    after = record.environment_of(folder)
    assert len(after.pop("resumed")) == 2
    assert after == before


def test_a_finished_run_is_not_gone_on_with(tmp_path):
    with pytest.raises(DataError, match="this run is finished; train again"):
        record.reopen(finished(tmp_path))


WORKS = """
import os, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import test_record
folder = test_record.begun(Path(sys.argv[2]))
if os.fork():
    print(folder, flush=True)  # only now, so that whoever reads it finds the worker alive
else:
    os.close(1)  # a worker, which outlives the process that made it
time.sleep(60)
"""


def test_a_run_that_another_process_works_on_is_left_alone_until_that_one_is_killed(tmp_path):
    words = [sys.executable, "-c", WORKS, str(Path(__file__).parent), str(tmp_path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        folder = Path(process.stdout.readline().strip())
        assert record.unfinished(tmp_path, SETTINGS, "toy@abc") is None
        with pytest.raises(DataError, match="another process works on this run; wait until it ends"):
            record.reopen(folder)
        process.kill()
        process.wait()
        assert record.unfinished(tmp_path, SETTINGS, "toy@abc") == folder
        assert record.reopen(folder).folder == folder
        os.killpg(process.pid, signal.SIGKILL)  # the worker


def test_a_finished_run_keeps_no_lock(tmp_path):
    book = record.reopen(begun(tmp_path))
    assert (book.folder / record.LOCK).exists()
    book.finish({}, TABLE)
    assert not (book.folder / record.LOCK).exists()
    assert record.unfinished(tmp_path, SETTINGS, "toy@abc") is None
