"""Another release comes onto the counter while people are being served."""

import logging
import threading
import weakref
from dataclasses import replace

import pytest

from lookalike.serving.watch import Counter, NotReady, Refused
from lookalike.settings import DataError


class Shelf:
    """Releases by label, and a pointer. What is an exception is raised; what is not there cannot be opened."""

    def __init__(self, make, *labels):
        self.make, self.label, self.before = make, labels[0], None
        self.releases = {label: make(label) for label in labels}
        self.opened, self.told, self.now = [], [], 0.0

    def latest(self):
        if isinstance(self.label, Exception):
            raise self.label
        return self.label

    def open(self, label):
        self.opened.append(label)
        release = self.releases[label]
        if isinstance(release, Exception):
            raise release
        return release

    def roll_back(self):
        if self.before is None:
            raise DataError("there is no release before; promote one")
        self.label = self.before

    def counter(self, **more):
        return Counter(
            latest=self.latest,
            opened=self.open,
            rolled_back=self.roll_back,
            told=self.told.append,
            seconds=0.01,
            clock=lambda: self.now,
            **more,
        )


@pytest.fixture
def shelf(box):
    return Shelf(box, "boots/1", "boots/2", "boots/3")


def test_before_a_release_is_there_nobody_is_served_and_told_so(shelf):
    with pytest.raises(NotReady, match="being opened"):
        shelf.counter().box  # noqa: B018


def test_a_look_opens_what_is_meant_once(shelf):
    counter = shelf.counter()
    assert [counter.look(), counter.look(), counter.look()] == [None, None, None]
    assert counter.box is shelf.releases["boots/1"]
    assert shelf.opened == ["boots/1"]
    assert shelf.told == [counter.box]


def test_a_moved_pointer_puts_another_box_there_and_who_has_the_old_one_keeps_it(shelf):
    counter = shelf.counter()
    counter.look()
    mine = counter.box
    shelf.label = "boots/2"
    assert counter.look() is None
    assert (mine.label, counter.box.label) == ("boots/1", "boots/2")


def test_a_broken_release_is_refused_told_once_and_tried_again_at_once_when_the_pointer_comes_back(shelf):
    counter = shelf.counter()
    counter.look()
    shelf.releases["boots/2"], shelf.label = DataError("its manifest was altered"), "boots/2"
    words = [counter.look() for _ in range(3)]
    assert words == ["boots/2 cannot be opened: its manifest was altered"] * 3
    assert counter.refused == Refused(label="boots/2", words=words[0])
    assert counter.box.label == "boots/1"
    assert shelf.opened == ["boots/1", "boots/2"]
    assert shelf.told[1:] == [counter.refused]
    shelf.label = "boots/1"
    assert counter.look() is None
    assert counter.refused is None
    shelf.releases["boots/2"], shelf.label = shelf.make("boots/2"), "boots/2"  # mended, and promoted again
    assert counter.look() is None
    assert counter.box.label == "boots/2"
    assert shelf.opened == ["boots/1", "boots/2", "boots/2"]


def test_a_broken_first_release_says_why_there_is_nothing_to_serve_from(shelf):
    shelf.releases["boots/1"] = DataError("its manifest was altered")
    counter = shelf.counter()
    counter.look()
    with pytest.raises(NotReady, match=r"\(boots/1 cannot be opened\)"):
        counter.box  # noqa: B018


def test_strangers_are_told_no_folder_and_nothing_of_what_failed(shelf):
    shelf.label = "/srv/elsewhere/boots/1"
    shelf.releases[shelf.label] = DataError("/srv/elsewhere/boots/1/manifest.json: altered")
    counter = shelf.counter()
    assert "manifest.json" in counter.look()
    assert counter.refused.name == "boots/1"
    assert counter.refused.told == "boots/1 cannot be opened"
    with pytest.raises(NotReady, match=r"^((?!srv|manifest).)*$"):
        counter.box  # noqa: B018
    shelf.label = DataError("/srv/registry.json: damaged")
    counter.look()
    assert counter.refused.told == "which release is meant cannot be read"


def test_what_failed_to_open_is_tried_again_after_half_a_minute_and_then_ever_later(shelf):
    counter = shelf.counter()
    counter.look()
    shelf.releases["boots/2"], shelf.label = DataError("no space left"), "boots/2"
    tried = []
    for second in range(1600):
        shelf.now, before = float(second), len(shelf.opened)
        counter.look()
        tried += [second] * (len(shelf.opened) - before)
    assert tried == [0, 30, 90, 210, 450, 930, 1410]  # 30, 60, 120, 240, 480 and 480 later
    assert shelf.told[1:] == [counter.refused]  # once
    shelf.releases["boots/2"], shelf.now = shelf.make("boots/2"), 1890.0
    assert counter.look() is None
    assert counter.box.label == "boots/2"
    shelf.releases["boots/3"], shelf.label = DataError("no space left"), "boots/3"
    counter.look()
    shelf.now += 30
    counter.look()
    assert shelf.opened[-2:] == ["boots/3"] * 2  # another release begins anew


def test_a_reload_in_one_process_reaches_the_others_and_each_reloads_once(shelf, tmp_path):
    counters = [shelf.counter(bell=tmp_path / "bell") for _ in range(3)]
    for one in counters:
        one.look()
    newer = shelf.releases["boots/1"] = replace(counters[0].box, catalog="boots@2")
    assert counters[0].reload() is None
    for _ in range(3):
        for one in counters:
            assert one.look() is None
    assert [one.box for one in counters] == [newer] * 3
    assert shelf.opened == ["boots/1"] * 6
    (tmp_path / "bell").unlink()  # somebody tidied
    counters[1].look()
    assert len(shelf.opened) == 6


def test_a_reload_is_not_lost_while_the_pointer_cannot_be_read(shelf, tmp_path):
    here, there = (shelf.counter(bell=tmp_path / "bell") for _ in range(2))
    here.look(), there.look()
    here.reload()
    shelf.label, label = DataError("damaged"), shelf.label
    there.look()
    shelf.label = label
    there.look()
    assert shelf.opened == ["boots/1"] * 4


def test_a_reload_that_cannot_reach_the_others_is_none(shelf, tmp_path):
    (tmp_path / "file").touch()
    counter = shelf.counter(bell=tmp_path / "file" / "bell")
    counter.look()
    assert "the other processes were not told" in counter.reload()
    assert shelf.opened == ["boots/1"]


def test_small_pictures_are_to_be_had_of_this_release_and_of_the_one_before(shelf):
    counter = shelf.counter()
    seen = []
    for label in ("boots/1", "boots/2", "boots/2", "boots/3", "boots/2"):
        small = (label, len(seen)).count  # one of its own
        counter.swap(lambda label=label, small=small: replace(shelf.make(label), thumbnail=small))
        seen.append(list(counter.thumbnails))
        assert counter.thumbnails[label] is small
    assert seen == [["boots/1"], *[["boots/1", "boots/2"]] * 2, ["boots/2", "boots/3"], ["boots/3", "boots/2"]]


def test_a_pointer_that_is_damaged_for_a_moment_changes_nothing_and_is_read_again(shelf):
    counter = shelf.counter()
    counter.look()
    shelf.label = DataError("registry.json: damaged")
    for _ in range(3):
        assert counter.look() == "which release is meant cannot be read: registry.json: damaged"
    assert counter.refused.label == ""
    assert counter.box.label == "boots/1"
    shelf.label = "boots/1"
    assert counter.look() is None
    assert counter.refused is None
    assert shelf.opened == ["boots/1"]
    assert len(shelf.told) == 2


def test_a_damaged_pointer_does_not_make_it_forget_what_was_refused(shelf):
    counter = shelf.counter()
    counter.look()
    shelf.releases["boots/2"], shelf.label = DataError("altered"), "boots/2"
    counter.look()
    shelf.label = DataError("damaged")
    counter.look()
    shelf.label = "boots/2"
    assert counter.look() == "boots/2 cannot be opened: altered"
    assert counter.refused.label == "boots/2"
    assert shelf.opened == ["boots/1", "boots/2"]


def test_what_nobody_foresaw_leaves_its_trace_in_the_log(shelf, caplog):
    shelf.releases["boots/1"] = ZeroDivisionError("of pixels")
    with caplog.at_level(logging.ERROR):
        assert shelf.counter().look() == "boots/1 cannot be opened: ZeroDivisionError: of pixels"
    assert [one.exc_info[0] for one in caplog.records] == [ZeroDivisionError]


def test_a_reload_opens_again_what_is_there_or_was_refused(shelf):
    counter = shelf.counter()
    counter.look()
    shelf.releases["boots/1"] = replace(counter.box, catalog="boots@2")
    assert counter.reload() is None
    assert counter.box.catalog == "boots@2"
    shelf.releases["boots/1"] = DataError("altered")
    assert counter.reload() == "boots/1 cannot be opened: altered"
    assert counter.look() == "boots/1 cannot be opened: altered"
    assert counter.box.catalog == "boots@2"
    shelf.releases["boots/1"] = shelf.make("boots/1")
    assert counter.reload() is None
    assert counter.refused is None


def test_a_rollback_moves_the_pointer_and_opens_the_release_before(shelf):
    counter = shelf.counter()
    counter.look()
    assert counter.rollback() == "the pointer was not moved: there is no release before; promote one"
    assert counter.refused is None
    assert shelf.opened == ["boots/1"]
    shelf.before = "boots/3"
    assert counter.rollback() is None
    assert counter.box.label == "boots/3"


def test_a_swap_by_hand_holds_until_the_pointer_moves(shelf):
    counter = shelf.counter()
    counter.look()
    assert counter.swap(lambda: shelf.releases["boots/3"]) is None
    counter.look()
    assert counter.box.label == "boots/3"
    assert counter.swap(lambda: shelf.open("boots/9")) == "a release cannot be opened: KeyError: 'boots/9'"
    assert counter.box.label == "boots/3"
    shelf.label = "boots/2"
    counter.look()
    assert counter.box.label == "boots/2"


def test_while_a_release_is_opened_the_old_one_serves_and_no_second_one_is_opened(shelf, until):
    counter = shelf.counter()
    counter.look()
    go, inside = threading.Event(), []

    def slow():
        inside.append(1)
        most = len(inside)
        assert go.wait(10)
        inside.pop()
        assert most == 1
        return shelf.releases["boots/2"]

    answers = []
    threads = [threading.Thread(target=lambda: answers.append(counter.swap(slow))) for _ in range(4)]
    for one in threads:
        one.start()
    until(lambda: inside)
    assert counter.box.label == "boots/1"  # and at once: this very thread would wait otherwise
    go.set()
    for one in threads:
        one.join(10)
    assert answers == [None] * 4
    assert counter.box.label == "boots/2"


def test_an_old_box_is_let_go_when_its_last_request_has_ended(box):
    counter = Counter(latest=lambda: pointer[-1], opened=box, rolled_back=list, seconds=9)
    pointer = ["boots/1"]
    counter.look()
    request, old = counter.box, weakref.ref(counter.box.vectors.shape)
    pointer.append("boots/2")
    counter.look()
    assert old() is request.vectors.shape
    del request
    assert old() is None


def test_its_thread_sees_a_promotion_and_ends_when_it_is_told_to(shelf, until):
    counter = shelf.counter()
    counter.start()
    until(lambda: shelf.opened)
    shelf.label = "boots/2"
    until(lambda: "boots/2" in shelf.opened)
    until(lambda: counter.box.label == "boots/2")
    counter.stop()
    assert "counter" not in {one.name for one in threading.enumerate()}
    shelf.label = "boots/3"
    assert "boots/3" not in shelf.opened
    counter.start()
    until(lambda: counter.box.label == "boots/3")
    counter.stop()


def test_its_thread_outlives_whoever_fails_to_be_told(shelf, until, caplog):
    told = []

    def fails(what):
        told.append(what)
        raise OSError("no room for a metric")

    counter = Counter(latest=shelf.latest, opened=shelf.open, rolled_back=list, seconds=0.01, told=fails)
    counter.start()
    until(lambda: len(told) == 1)
    shelf.label = "boots/2"
    until(lambda: len(told) == 2)
    counter.stop()
    assert counter.box.label == "boots/2"
    assert [str(one.exc_info[1]) for one in caplog.records] == ["no room for a metric"] * 2


def test_in_twenty_swaps_nobody_who_asks_all_the_time_sees_a_mixture_or_nothing(shelf, until):
    """Every box says its label in three places; each thread takes the box once and must find one label in all of them."""
    labels = [f"boots/{number}" for number in range(21)]
    shelf.releases = {one: replace(shelf.make(one, catalog=one), facts={"label": one}) for one in labels}
    shelf.label = labels[0]
    counter = shelf.counter()
    counter.look()
    counter.start()
    ended, wrong, seen = threading.Event(), [], [set(), set()]

    def ask(mine):
        while not ended.is_set():
            try:
                box = counter.box
                mine.add((box.label, box.catalog, box.facts["label"]))
            except Exception as fault:
                wrong.append(fault)

    threads = [threading.Thread(target=ask, args=(mine,)) for mine in seen]
    for one in threads:
        one.start()
    for label in labels[1:]:
        shelf.label = label
        until(lambda label=label: counter.box.label == label)
    ended.set()
    for one in threads:
        one.join(10)
    counter.stop()
    assert not wrong
    together = set.union(*seen)
    assert len(together) > 5
    assert all(len(set(one)) == 1 for one in together)
    assert shelf.opened == labels
