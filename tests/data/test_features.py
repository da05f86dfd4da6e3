"""Features are computed once for a network and a picture, kept whole, and never trusted when damaged."""

import subprocess
import sys

import numpy as np
import pytest

from lookalike.data.features import BATCHES, cached_features
from lookalike.settings import DataError, DiskFullError

SHAS = [f"{number:064x}" for number in range(100)]
MODEL = "a" * 64


class Network:
    """Gives a picture's number, and a half more, and counts what it is asked."""

    def __init__(self, shas):
        self.shas, self.asked = shas, []

    def __call__(self, rows):
        self.asked.append(len(rows))
        numbers = np.array([int(self.shas[row], 16) for row in rows])
        return np.stack([numbers, numbers + 0.5], axis=1).astype(np.float32)


def features(root, shas, model=MODEL, **options):
    """The features, and how many pictures were asked for in each batch."""
    network = Network(shas)
    return cached_features(root, model, shas, network, **options), network.asked


def of(shas):
    return np.array([[int(sha, 16), int(sha, 16) + 0.5] for sha in shas], np.float32)


def test_what_is_known_is_not_computed_again(tmp_path):
    first, asked = features(tmp_path, SHAS[:70], batch=32)
    assert asked == [32, 32, 6]
    again, asked = features(tmp_path, SHAS[:70], batch=32)
    assert asked == []
    np.testing.assert_array_equal(first, of(SHAS[:70]))
    np.testing.assert_array_equal(again, first)
    assert first.dtype == np.float32


def test_another_data_set_pays_only_for_the_pictures_that_are_new_to_it(tmp_path):
    features(tmp_path, SHAS[:60])
    mixed = [*SHAS[50:70], *SHAS[:5]]
    found, asked = features(tmp_path, mixed)
    assert asked == [10]
    np.testing.assert_array_equal(found, of(mixed))


def test_another_network_shares_nothing(tmp_path):
    features(tmp_path, SHAS[:10])
    assert features(tmp_path, SHAS[:10], model="b" * 64)[1] == [10]


def test_rows_follow_the_order_asked_for_and_a_picture_that_comes_twice_is_computed_once(tmp_path):
    mixed = [SHAS[3], SHAS[0], SHAS[3]]
    found, asked = features(tmp_path, mixed)
    assert asked == [2]
    np.testing.assert_array_equal(found, of(mixed))


def test_no_picture_no_features(tmp_path):
    assert len(features(tmp_path, [])[0]) == 0


def test_progress_adds_up_to_the_pictures(tmp_path):
    features(tmp_path, SHAS[:10])
    moved = []
    features(tmp_path, [*SHAS[:30], SHAS[2], SHAS[29]], batch=15, progress=moved.append)
    assert moved == [12, 15, 5]


@pytest.mark.parametrize("harm", ["a bit", "cut short", "empty"])
def test_a_damaged_file_is_computed_again(tmp_path, harm):
    features(tmp_path, SHAS[:10])
    (path,) = tmp_path.rglob("*.npz")
    data = bytearray(path.read_bytes())
    data[-200] ^= 1
    path.write_bytes({"a bit": data, "cut short": data[:99], "empty": b""}[harm])
    found, asked = features(tmp_path, SHAS[:10])
    assert asked == [10]
    np.testing.assert_array_equal(found, of(SHAS[:10]))
    assert features(tmp_path, SHAS[:10])[1] == []


def test_a_kill_loses_no_more_than_one_file_and_the_batches_after_it_are_the_same(tmp_path):
    network = Network(SHAS)

    def killed(rows):
        if len(network.asked) == BATCHES + 3:
            raise KeyboardInterrupt
        return network(rows)

    with pytest.raises(KeyboardInterrupt):
        cached_features(tmp_path, MODEL, SHAS, killed, batch=3)
    found, asked = features(tmp_path, SHAS, batch=3)
    assert asked == [*[3] * ((100 - 3 * BATCHES) // 3), 2]  # of the last the same one, twice
    np.testing.assert_array_equal(found, of(SHAS))


@pytest.mark.parametrize("known", [0, 3, 4, 8])
def test_a_feature_does_not_tell_whether_others_were_missing_too(tmp_path, known):
    """A network that, as real ones, has another way to compute a batch of one."""

    def network(rows):
        return np.full((len(rows), 2), 1 + (len(rows) == 1) * 1e-6, np.float32) * rows[:, None]

    cached_features(tmp_path, MODEL, SHAS[:known], network, batch=4)
    told = []
    found = cached_features(tmp_path, MODEL, SHAS[:9], network, batch=4, progress=told.append)
    np.testing.assert_array_equal(found, np.stack([np.arange(9)] * 2, axis=1).astype(np.float32))
    assert sum(told) == 9


def test_features_that_are_no_numbers_are_refused_and_not_kept(tmp_path):
    with pytest.raises(DataError, match="no numbers .* none were kept.*precision=float32"):
        cached_features(tmp_path, MODEL, SHAS[:4], lambda rows: np.full((len(rows), 2), np.nan))
    assert list(tmp_path.rglob("*.npz")) == []


def test_a_full_disk_is_said(disk):
    with pytest.raises(DiskFullError, match="the disk is full .*paths.data"):
        cached_features(disk("1m"), MODEL, SHAS, lambda rows: np.ones((len(rows), 5000)))


COMPUTE = """
import sys, time, numpy as np
from pathlib import Path
from lookalike.data import features
root, asked = Path(sys.argv[1]), Path(sys.argv[2])
features.fcntl.lockf = {"lock": features.fcntl.lockf, "no lock": lambda *_: (_ for _ in ()).throw(OSError(95, "no"))}[sys.argv[3]]
shas = [f"{number:064x}" for number in range(100)]
def slow(rows):
    with asked.open("a") as told:
        told.write("".join(f"{row}\\n" for row in rows))
    time.sleep(0.005)
    return np.stack([rows, rows + 0.5], axis=1)
print("ready", flush=True)
sys.stdin.readline()
assert (features.cached_features(root, "a" * 64, shas, slow, batch=2)[:, 0] == np.arange(100)).all()
"""


def maker(tmp_path, way="lock"):
    """A process that is about to compute all of SHAS, and does when it is told `go`."""
    words = [sys.executable, "-c", COMPUTE, str(tmp_path / "features"), str(tmp_path / "asked"), way]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    return process


def go(process):
    process.stdin.write("\n")
    process.stdin.flush()


def ended(process):
    process.communicate()
    return process.returncode


def asked_for(tmp_path):
    return [int(line) for line in (tmp_path / "asked").read_text().split()]


def test_processes_that_want_the_same_at_once_compute_it_once(tmp_path):
    makers = [maker(tmp_path) for _ in range(3)]
    for one in makers:
        go(one)
    assert [ended(one) for one in makers] == [0, 0, 0]
    assert sorted(asked_for(tmp_path)) == list(range(100))
    found, asked = features(tmp_path / "features", SHAS)
    assert asked == []
    np.testing.assert_array_equal(found, of(SHAS))
    left = {path.name for path in (tmp_path / "features").rglob("*") if path.is_file() and path.suffix != ".npz"}
    assert left == {".lock"}


def test_one_that_waits_goes_on_where_one_that_was_killed_had_come(tmp_path):
    killed, waits = maker(tmp_path), maker(tmp_path)
    go(killed)
    while len(list(tmp_path.rglob("*.npz"))) < 2:  # each holds 32 pictures
        assert killed.poll() is None
    go(waits)
    killed.kill()
    assert (ended(killed), ended(waits)) == (-9, 0)
    twice = [row for row in range(100) if asked_for(tmp_path).count(row) > 1]
    assert set(asked_for(tmp_path)) == set(range(100))
    assert all(row >= 64 for row in twice)


def test_where_a_disk_knows_no_locks_processes_compute_the_same_twice_and_do_no_harm(tmp_path):
    makers = [maker(tmp_path, "no lock") for _ in range(2)]
    for one in makers:
        go(one)
    assert [ended(one) for one in makers] == [0, 0]
    found, asked = features(tmp_path / "features", SHAS)
    assert asked == []
    np.testing.assert_array_equal(found, of(SHAS))


def test_what_is_known_already_needs_no_lock_and_so_no_right_to_write(disk):
    at = disk("1m")
    features(at, SHAS[:10])
    subprocess.run(["mount", "-o", "remount,ro", str(at)], check=True)  # noqa: S607
    assert features(at, SHAS[:10])[1] == []
