"""The store of original pictures: what goes in comes out, byte for byte, or not at all."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.catalog.pictures import is_here, keep, path_of, read
from lookalike.catalog.product import View
from lookalike.settings import DataError

BOOT = b"a picture of a boot"
NAME = hashlib.sha256(BOOT).hexdigest()


SEEN = View(sha256=NAME, format="PNG", width=9, height=9, size=len(BOOT), fingerprint=b"", source="")


def files(root):
    return [path for path in root.rglob("*") if path.is_file()]


@given(st.binary())
def test_what_is_kept_comes_back_by_its_sha256(tmp_path_factory, data):
    root = tmp_path_factory.getbasetemp() / "kept"
    name = keep(root, data)
    assert name == hashlib.sha256(data).hexdigest()
    assert read(root, name) == data


def test_a_picture_lies_under_the_first_two_digits_of_its_name(tmp_path):
    keep(tmp_path, BOOT)
    assert files(tmp_path) == [tmp_path / NAME[:2] / NAME]


def test_keeping_twice_writes_once(tmp_path):
    keep(tmp_path, BOOT)
    before = path_of(tmp_path, NAME).stat()
    assert keep(tmp_path, BOOT) == NAME
    assert path_of(tmp_path, NAME).stat().st_ino == before.st_ino
    assert len(files(tmp_path)) == 1


def test_keeping_from_many_threads_leaves_one_whole_file(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: keep(tmp_path, BOOT), range(50))) == {NAME}
    assert files(tmp_path) == [path_of(tmp_path, NAME)]


def test_a_missing_picture_is_named_with_the_mend(tmp_path):
    with pytest.raises(DataError, match=f"{NAME}: this picture is missing. Import its source again"):
        read(tmp_path, NAME)


@pytest.mark.parametrize("altered", [b"", BOOT[:-1], BOOT[:-1] + b"!"])
def test_an_altered_picture_is_refused_and_mended_by_keeping_it_again(tmp_path, altered):
    keep(tmp_path, BOOT)
    path_of(tmp_path, NAME).write_bytes(altered)
    with pytest.raises(DataError, match="this picture was altered"):
        read(tmp_path, NAME)
    keep(tmp_path, BOOT)
    assert read(tmp_path, NAME) == BOOT


def test_a_picture_is_here_where_it_is_as_long_as_it_should_be(tmp_path):
    assert not is_here(tmp_path, SEEN)
    keep(tmp_path, BOOT)
    assert is_here(tmp_path, SEEN)
    for damaged in (b"", BOOT[:-1], BOOT + b"!"):
        path_of(tmp_path, NAME).write_bytes(damaged)
        assert not is_here(tmp_path, SEEN)
    path_of(tmp_path, NAME).unlink()
    path_of(tmp_path, NAME).mkdir()
    size = path_of(tmp_path, NAME).stat().st_size
    assert not is_here(tmp_path, replace(SEEN, size=size))


@pytest.mark.parametrize("name", ["", "../../etc/passwd", NAME.upper(), NAME + "0", NAME[:-1]])
def test_a_name_that_is_no_sha256_never_becomes_a_path(tmp_path, name):
    with pytest.raises(DataError, match="64 hexadecimal digits"):
        read(tmp_path, name)
