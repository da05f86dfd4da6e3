"""The store of page states: what goes in comes out, sign for sign, or not at all."""

import gzip
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.catalog.pages import keep, path_of, read
from lookalike.settings import DataError

PAGE = '{"products": [{"name": "6\\" Größe ❄"}]}' * 50
NAME = hashlib.sha256(PAGE.encode()).hexdigest()


@given(st.text(st.characters(codec=None)))
def test_what_is_kept_comes_back_by_its_sha256_even_half_a_sign(tmp_path_factory, text):
    root = tmp_path_factory.getbasetemp() / "pages"
    assert read(root, keep(root, text)) == text


def test_a_page_lies_packed_under_the_sha256_of_its_text(tmp_path):
    assert keep(tmp_path, PAGE) == NAME
    (file,) = (path for path in tmp_path.rglob("*") if path.is_file())
    assert file == tmp_path / NAME[:2] / f"{NAME}.gz"
    assert gzip.decompress(file.read_bytes()) == PAGE.encode()
    assert file.stat().st_size < len(PAGE) / 5


def test_equal_pages_are_equal_files_whenever_they_are_kept(tmp_path, monkeypatch):
    keep(tmp_path / "a", PAGE)
    monkeypatch.setattr("time.time", lambda: 0.0)
    keep(tmp_path / "b", PAGE)
    assert path_of(tmp_path / "a", NAME).read_bytes() == path_of(tmp_path / "b", NAME).read_bytes()


def test_keeping_twice_writes_once(tmp_path):
    keep(tmp_path, PAGE)
    before = path_of(tmp_path, NAME).stat()
    assert keep(tmp_path, PAGE) == NAME
    assert path_of(tmp_path, NAME).stat().st_ino == before.st_ino


def test_a_missing_page_is_named_with_the_mend(tmp_path):
    with pytest.raises(DataError, match=f"{NAME}.gz: this page is missing. A crawl that meets the same page"):
        read(tmp_path, NAME)


@pytest.mark.parametrize(
    "altered",
    [b"", b"not gzip", gzip.compress(PAGE.encode())[:-9], gzip.compress(b"other"), b"\x1f\x8b\x08" + b"a" * 40],
    ids=["empty", "not gzip", "cut", "another page", "gzip by its first bytes"],
)
def test_an_altered_page_is_refused_and_mended_by_keeping_it_again(tmp_path, altered):
    keep(tmp_path, PAGE)
    path_of(tmp_path, NAME).write_bytes(altered)
    with pytest.raises(DataError, match="this page was altered"):
        read(tmp_path, NAME)
    keep(tmp_path, PAGE)
    assert read(tmp_path, NAME) == PAGE


@pytest.mark.parametrize("name", ["", "../../etc/passwd", NAME.upper(), NAME + "0", NAME[:-1]])
def test_a_name_that_is_no_sha256_never_becomes_a_path(tmp_path, name):
    with pytest.raises(DataError, match="not a page's name"):
        read(tmp_path, name)
