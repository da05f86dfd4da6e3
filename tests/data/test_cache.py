"""The decoded cache: made once, whole or not there, in the order asked for."""

import io
import json
import os
import shutil
import subprocess
import sys
import zlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from lookalike.catalog.images import decode
from lookalike.catalog.pictures import keep, path_of
from lookalike.data import cache
from lookalike.data.cache import decoded
from lookalike.features.foreground import on_white
from lookalike.features.resize import resize
from lookalike.settings import DataError, DiskFullError

SIZE = 24


def jpeg(number):
    """A picture that no other number gives."""
    pixels = np.random.default_rng(number).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).resize((80, 60)).save(out, "JPEG")
    return out.getvalue()


@pytest.fixture
def store(tmp_path):
    """A root for maps, a root of pictures, and the names of ten pictures in it."""
    shas = [keep(tmp_path / "images", jpeg(number)) for number in range(10)]
    return SimpleNamespace(root=tmp_path / "cache", pictures=tmp_path / "images", shas=shas)


def squares(store, shas=None, **options):
    return decoded(store.root, store.pictures, shas or store.shas, **{"size": SIZE, "resize": "squash", **options})


def without_pictures(store):
    """From here on, whatever is decoded again is missing."""
    shutil.rmtree(store.pictures)


def files(store, ending):
    return sorted(store.root.rglob(f"*{ending}"))


@pytest.mark.parametrize("how", ["squash", "letterbox", "crop"])
@pytest.mark.parametrize("interpolation", ["bicubic", "lanczos"])
def test_each_row_is_its_picture_decoded_and_resized(store, how, interpolation):
    found = squares(store, resize=how, interpolation=interpolation)
    assert found.shape == (10, SIZE, SIZE, 3)
    for row, number in zip(found, range(10), strict=True):
        np.testing.assert_array_equal(row, resize(decode(jpeg(number), at_least=SIZE), SIZE, how, interpolation))


def test_the_second_call_maps_what_the_first_one_made(store):
    first = squares(store)
    without_pictures(store)
    second = squares(store)
    assert isinstance(second, np.memmap)
    np.testing.assert_array_equal(first, second)


def test_the_map_is_read_only(store):
    with pytest.raises(ValueError, match="read-only"):
        squares(store)[0] = 0


def test_rows_follow_the_order_asked_for_and_a_picture_may_come_twice(store):
    forward = squares(store)
    mixed = squares(store, [store.shas[3], store.shas[0], store.shas[3]])
    np.testing.assert_array_equal(mixed, forward[[3, 0, 3]])


def test_pictures_of_another_map_are_copied_not_decoded(store):
    old = squares(store, store.shas[:8])
    for sha in store.shas[:8]:
        path_of(store.pictures, sha).unlink()
    np.testing.assert_array_equal(squares(store)[:8], old)


@pytest.mark.parametrize("options", [{"size": 25}, {"resize": "crop"}, {"interpolation": "bilinear"}])
def test_another_size_resize_or_interpolation_is_another_map(store, options):
    squares(store)
    squares(store, **options)
    assert len(files(store, ".pixels")) == 2


def test_squares_of_an_older_decoder_or_resize_are_left_alone(store, monkeypatch):
    before = np.array(squares(store))
    (old,) = files(store, ".pixels")
    old.write_bytes(bytes(old.stat().st_size))  # as an older one might have had them
    facts = json.loads(old.with_suffix(".json").read_text())
    facts["sums"] = [zlib.crc32(bytes(SIZE * SIZE * 3))] * len(facts["sums"])
    old.with_suffix(".json").write_text(json.dumps(facts))
    assert not squares(store).any()  # taken for sound
    monkeypatch.setattr(cache, "FORMAT", cache.FORMAT + 1)
    np.testing.assert_array_equal(squares(store), before)


def test_no_pictures_are_an_empty_array(store):
    assert decoded(store.root, store.pictures, [], size=SIZE, resize="squash").shape == (0, SIZE, SIZE, 3)


def test_progress_adds_up_to_the_pictures_made_or_found(store):
    making, finding = [], []
    squares(store, progress=making.append)
    squares(store, progress=finding.append)
    assert (sum(making), sum(finding)) == (10, 10)


# What can go wrong


def cut(path):
    os.truncate(path, path.stat().st_size - 1)


def zero(path):
    path.write_bytes(bytes(path.stat().st_size))


def garble_facts(path):
    path.with_suffix(".json").write_text("{")


def lose_facts(path):
    path.with_suffix(".json").unlink()


def take_names_away(path):
    facts = json.loads(path.with_suffix(".json").read_text())
    path.with_suffix(".json").write_text(json.dumps({**facts, "shas": facts["shas"][1:]}))


def empty(path):
    path.write_bytes(b"")


@pytest.mark.parametrize("harm", [cut, zero, empty, garble_facts, lose_facts, take_names_away, Path.unlink])
def test_a_harmed_map_is_made_anew(store, harm):
    right = np.array(squares(store))
    harm(files(store, ".pixels")[0])
    np.testing.assert_array_equal(squares(store), right)


def test_a_harmed_square_is_never_copied_into_another_map(store, monkeypatch):
    right = np.array(squares(store))
    path = files(store, ".pixels")[0]
    each = SIZE * SIZE * 3
    monkeypatch.setattr(cache, "SPOTS", 2)  # the first and the last: opening the map does not look at row 5
    data = bytearray(path.read_bytes())
    data[5 * each] ^= 255
    path.write_bytes(data)
    np.testing.assert_array_equal(squares(store, store.shas[::-1]), right[::-1])


def test_a_missing_picture_stops_the_making_and_leaves_nothing(store):
    path_of(store.pictures, store.shas[7]).unlink()
    with pytest.raises(DataError, match=store.shas[7]):
        squares(store)
    assert [path for path in store.root.rglob("*") if path.is_file()] == []


def test_a_picture_that_does_not_decode_is_named(store):
    sha = keep(store.pictures, jpeg(1)[:-300])
    with pytest.raises(DataError, match=rf"{sha}: .*\((truncated|damaged)\)\. Import its source again"):
        squares(store, [sha])


def test_a_full_disk_is_told_before_anything_is_written(store, monkeypatch):
    monkeypatch.setattr(cache, "SPARE", 10**18)
    with pytest.raises(DiskFullError, match=r"need 1 MB and 1,000,000,000,000 MB to spare, but [\d,]+ MB are free"):
        squares(store)
    assert [path for path in store.root.rglob("*") if path.is_file()] == []


def test_drafts_of_killed_processes_are_swept_and_fresh_ones_left(store):
    folder = store.root / f"squash-bicubic-{SIZE}-v{cache.FORMAT}"
    folder.mkdir(parents=True)
    old, fresh = folder / ".old.draft", folder / ".fresh.draft"
    old.touch()
    fresh.touch()
    os.utime(old, (0, 0))
    squares(store)
    assert (old.exists(), fresh.exists()) == (False, True)


MAKE = """
import sys
import zlib
from pathlib import Path
from lookalike.data.cache import decoded
root, pictures, size, *shas = sys.argv[1:]
decoded(Path(root), Path(pictures), shas, size=int(size), resize="squash")
"""


def test_processes_that_make_one_map_at_once_do_no_harm(store):
    command = [sys.executable, "-c", MAKE, str(store.root), str(store.pictures), str(SIZE), *store.shas]
    makers = [subprocess.Popen(command) for _ in range(3)]
    assert [maker.wait() for maker in makers] == [0, 0, 0]
    without_pictures(store)
    assert squares(store).shape == (10, SIZE, SIZE, 3)
    assert files(store, ".draft") == []


def test_masked_squares_are_kept_apart_from_the_others(store):
    plain, masked = squares(store), squares(store, mask=True)
    expected = [on_white(resize(decode(jpeg(number), at_least=SIZE), SIZE, "squash")) for number in range(10)]
    np.testing.assert_array_equal(masked, expected)
    assert not np.array_equal(plain, masked)
    assert len({one.parent for one in store.root.rglob("*.pixels")}) == 2
