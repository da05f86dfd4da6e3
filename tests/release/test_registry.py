"""The registry: what a release may be called, what a damaged one is refused with, and moves that nobody sees half of."""

import json
import os
import shutil
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike import files
from lookalike.release import bundle, registry
from lookalike.release.registry import Pointers
from lookalike.settings import ConfigError, DataError, DiskFullError

WHOLE = {"champion": "boots/1", "previous": None, "candidate": "bags/2", "log": []}
LABELS = st.none() | st.sampled_from(["boots/1", "boots/2", "bags/1"])


def reset(release, made):
    """Give a release another time, as if it had been made then."""
    manifest = release.folder / files.MANIFEST
    files.write_json(manifest, {**json.loads(manifest.read_text()), "made": made})
    return release.folder


def promote(folder, label):
    """A promotion, as the verb does it, but judged by nobody."""
    with registry.held(folder):
        return registry.moved(folder, registry.promoted(registry.pointers(folder), label), what="promote", why="a test")


# What a release is called


def test_a_release_is_found_by_folder_by_name_and_id_by_name_alone_and_by_what_it_is(make, place):
    old = reset(make("boots", card="1"), "2026-11-01T10:00:00+00:00")
    new = reset(make("boots", card="2"), "2026-11-02T10:00:00+02:00")
    bags = make("bags").folder
    promote(place.folder, f"boots/{old.name}")
    for said in (str(old), f"boots/{old.name}", "champion"):
        assert registry.resolve(said, place.folder) == old
    assert registry.resolve("boots", place.folder) == registry.resolve(str(new.parent), place.folder) == new
    assert registry.resolve("bags", place.folder) == bags


def test_the_newest_is_so_by_its_own_word_whatever_the_time_zone(make, place):
    late = reset(make("boots", card="1"), "2026-11-01T23:30:00-05:00")  # 04:30 of the next day in London
    early = reset(make("boots", card="2"), "2026-11-02T03:00:00+00:00")
    os.utime(early / files.MANIFEST, (2e9, 2e9))
    assert registry.resolve("boots", place.folder) == late


def test_of_two_of_one_second_the_one_written_last_is_the_newest(make, place):
    both = [reset(make("boots", card=card), "2026-11-01T10:00:00+00:00") for card in "12"]
    for first, last in (both, both[::-1]):
        for folder, at in ((first, 1e9), (last, 1e9 + 0.5)):
            os.utime(folder / files.MANIFEST, (at, at))
        assert registry.resolve("boots", place.folder) == last


def test_what_is_being_written_is_no_release_yet(make, place):
    whole = reset(make("boots", card="1"), "2026-11-01T10:00:00+00:00")
    draft = shutil.copytree(whole, whole.parent / ".3f9c.tmp")
    files.write_json(draft / files.MANIFEST, {**json.loads((draft / files.MANIFEST).read_text()), "made": "2027-01-01"})
    assert registry.resolve("boots", place.folder) == whole


def test_a_folder_of_the_same_name_elsewhere_does_not_stand_in_the_way(make, place, monkeypatch, tmp_path):
    whole = make("boots").folder
    (tmp_path / "here" / "boots").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    assert registry.resolve("boots", place.folder) == whole


def test_a_wrong_word_is_answered_with_what_there_is_and_what_was_meant(make, place):
    for card in "12":
        make("boots", card=card)
    make("bags")
    with pytest.raises(DataError, match=r"release=boot: no such release; did you mean 'boots'\? .*bags, boots \(2\)"):
        registry.resolve("boot", place.folder)
    with pytest.raises(DataError, match=r"did you mean 'champion'"):
        registry.resolve("champoin", place.folder)
    with pytest.raises(DataError, match=r"release=previous: no release is the previous yet; .*bags, boots \(2\)"):
        registry.resolve("previous", place.folder)
    (place.folder / "half" / "0123").mkdir(parents=True)
    with pytest.raises(DataError, match=r"half/0123 holds no finished release \(no manifest.json\)"):
        registry.resolve("half/0123", place.folder)
    with pytest.raises(DataError, match="release=: no such release"):
        registry.resolve("", place.folder)
    with pytest.raises(DataError, match="there is none: lookalike export RUN makes one"):
        registry.resolve("boots", place.folder / "empty")


def test_a_release_that_does_not_tell_when_it_was_made_hides_behind_no_other(make, place):
    make("boots", card="1")
    damaged = make("boots", card="2").folder
    (damaged / files.MANIFEST).write_text("{")
    with pytest.raises(DataError, match=rf"{damaged.name}/manifest.json: it does not tell .* say NAME/ID"):
        registry.resolve("boots", place.folder)


def test_a_pointer_at_what_is_gone_or_damaged_is_told_by_name(make, place):
    release = make("boots")
    promote(place.folder, release.label)
    assert registry.whole(release.label, place.folder) == release
    (release.folder / "card.md").write_text("another")
    with pytest.raises(DataError, match=r"card\.md has 7 bytes"):
        registry.whole(release.label, place.folder)
    shutil.rmtree(release.folder)
    with pytest.raises(DataError, match=f"{release.folder} is gone; restore"):
        registry.whole(release.label, place.folder)
    with pytest.raises(DataError, match=f"the champion is {release.label}, and .* is gone; restore that folder"):
        registry.resolve("champion", place.folder)


def test_a_release_elsewhere_has_no_name_that_a_pointer_could_say(make, place, tmp_path):
    release = make("boots")
    assert registry.label_of(release.folder, place.folder) == release.label
    moved = shutil.copytree(release.folder, tmp_path / "elsewhere" / "boots" / release.folder.name)
    with pytest.raises(DataError, match="not under .*; copy it to NAME/ID there"):
        registry.label_of(moved, place.folder)


@pytest.mark.parametrize("name", ["champion", "candidate", "previous", "Previous", "registry.json"])
def test_what_means_another_thing_is_no_name_of_a_release(place, name):
    with (
        pytest.raises(ConfigError, match=f"name={name}: means another thing where a release is named"),
        bundle.draft(place.folder, name),
    ):
        raise AssertionError
    assert not list(place.folder.iterdir())


def test_a_name_that_leads_elsewhere_is_none(place):
    assert registry.name_fault("boots") == ""
    for name in ("../boots", "a/b", "", ".hidden"):
        assert "becomes a folder" in registry.name_fault(name)


# What it says


def test_where_nothing_was_promoted_nothing_is_pointed_at(place):
    assert registry.pointers(place.folder) == Pointers()
    assert registry.pointers(place.folder / "nosuch").named() == {}


@pytest.mark.parametrize(
    "text",
    [
        "",
        json.dumps(WHOLE)[:-9],
        "[]",
        "[" * 100_000,
        json.dumps({name: WHOLE[name] for name in ("champion", "previous", "log")}),
        json.dumps(WHOLE | {"challenger": "boots/2"}),
        json.dumps(WHOLE | {"champion": "../secrets"}),
        json.dumps(WHOLE | {"champion": "boots"}),
        json.dumps(WHOLE | {"champion": 7}),
        json.dumps(WHOLE | {"log": {}}),
        json.dumps(WHOLE | {"log": ["promote"]}),
    ],
    ids=["empty", "cut", "list", "deep", "lacks", "more", "outside", "no id", "number", "no log", "no moves"],
)
def test_a_damaged_registry_is_refused_by_name_with_the_mend_and_never_overwritten(place, text):
    place.registry.write_text(text)
    told = r"registry\.json: damaged \(.*restore it from a copy, or move it away and promote again"
    with pytest.raises(DataError, match=told):
        registry.pointers(place.folder)
    with pytest.raises(DataError, match=told):
        promote(place.folder, "boots/1")
    with pytest.raises(DataError, match=told):
        registry.moved(place.folder, Pointers(champion="boots/1"), what="promote", why="")
    assert place.registry.read_text() == text


def test_a_registry_that_cannot_be_read_is_not_taken_for_an_empty_one(place, tmp_path):
    place.registry.symlink_to(tmp_path / "nowhere")
    with pytest.raises(DataError, match="registry.json: damaged"):
        registry.pointers(place.folder)
    place.registry.unlink()
    place.registry.mkdir()
    with pytest.raises(DataError, match="registry.json: damaged"):
        registry.pointers(place.folder)


# Moves


def test_a_promotion_moves_champion_previous_and_candidate_at_once_and_says_why(place):
    with registry.held(place.folder):
        registry.moved(place.folder, registry.named(Pointers(), "boots/2"), what="candidate", why="to be looked at")
    promote(place.folder, "boots/1")
    promote(place.folder, "boots/2")
    now = registry.pointers(place.folder)
    assert (now.champion, now.previous, now.candidate) == ("boots/2", "boots/1", None)
    told = [(move["what"], move["from"], move["to"], move["why"]) for move in now.log]
    assert told == [
        ("candidate", None, "boots/2", "to be looked at"),
        ("promote", None, "boots/1", "a test"),
        ("promote", "boots/1", "boots/2", "a test"),
    ]
    assert set(json.loads(place.registry.read_text())) == {"champion", "previous", "candidate", "log"}


@given(champion=LABELS, previous=LABELS, candidate=LABELS)
def test_rolled_back_twice_all_is_as_it_was(champion, previous, candidate):
    now = Pointers(champion=champion, previous=previous, candidate=candidate)
    assert registry.rolled_back(registry.rolled_back(now)) == now
    assert registry.rolled_back(now).named().keys() >= ({"champion"} if previous else set())


@given(champion=LABELS, previous=LABELS, candidate=LABELS)
def test_a_promotion_that_is_rolled_back_leaves_the_old_champion(champion, previous, candidate):
    now = Pointers(champion=champion, previous=previous, candidate=candidate)
    after = registry.promoted(now, "boots/3")
    assert (after.champion, after.candidate) == ("boots/3", candidate)
    if champion:
        assert registry.rolled_back(after).champion == champion


def test_the_log_keeps_the_last_thousand_moves(place):
    log = tuple({"time": str(number)} for number in range(registry.KEPT))
    files.write_json(place.registry, {**WHOLE, "log": list(log)})
    now = promote(place.folder, "boots/2")
    assert (len(now.log), now.log[0], now.log[-1]["to"]) == (1000, {"time": "1"}, "boots/2")
    assert registry.pointers(place.folder) == now


def test_a_disk_that_is_full_leaves_the_registry_as_it_was(disk):
    folder = disk("64k")
    before = promote(folder, "boots/1")
    with pytest.raises(OSError, match="No space left"), (folder / "fill").open("wb") as fill:
        fill.write(bytes(100_000))
    with pytest.raises(DiskFullError, match="disk is full"):
        registry.moved(folder, Pointers(champion="boots/2"), what="promote", why="x" * 20_000)
    assert registry.pointers(folder) == before


# Two at once

MOVER = """
import sys
from pathlib import Path
from lookalike.release import registry
folder, name = Path(sys.argv[1]), sys.argv[2]
for number in range(int(sys.argv[3])):
    with registry.held(folder):
        now = registry.pointers(folder)
        after = registry.promoted(now, f"{name}/{number}")
        registry.moved(folder, after, what="promote", why=now.champion or "")
"""
HOLDER = """
import sys, time
from pathlib import Path
from lookalike.release import registry
with registry.held(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def process(code, *words):
    return subprocess.Popen([sys.executable, "-c", code, *map(str, words)], stdout=subprocess.PIPE, text=True)


def test_of_two_processes_that_promote_at_once_none_undoes_the_other_and_no_reader_sees_half(place):
    moves = 40
    with process(MOVER, place.folder, "boots", moves) as one, process(MOVER, place.folder, "bags", moves) as other:
        seen = [registry.pointers(place.folder)]
        while one.poll() is None or other.poll() is None:
            seen.append(registry.pointers(place.folder))
    assert (one.returncode, other.returncode) == (0, 0)
    log = registry.pointers(place.folder).log
    assert len(log) == 2 * moves
    assert all(before["to"] == after["from"] == after["why"] for before, after in pairwise(log))
    for now in seen:
        last = [move["to"] for move in now.log[-2:]]
        assert [now.previous, now.champion][-len(last) :] == last or not last
    assert len({now.champion for now in seen}) > 1


def test_who_finds_another_at_work_is_told_and_one_that_was_killed_holds_nothing(place):
    with process(HOLDER, place.folder) as other:
        assert other.stdout.readline() == "held\n"
        waits = registry.held(place.folder, patience=0)
        with (
            pytest.raises(DataError, match="another promotion or rollback is at work there; wait until it ends"),
            waits,
        ):
            raise AssertionError
        other.send_signal(signal.SIGKILL)
        other.wait()
        with registry.held(place.folder, patience=5):
            assert registry.pointers(place.folder) == Pointers()


def test_where_there_is_no_release_at_all_nothing_is_made(tmp_path):
    with pytest.raises(DataError, match="no such folder; lookalike export RUN"), registry.held(tmp_path / "releases"):
        raise AssertionError
    assert not Path(tmp_path / "releases").exists()
