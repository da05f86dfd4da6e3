"""Vectors that another program made: joined by id, brought to unit length, and refused with what to mend."""

import numpy as np
import polars as pl
import pytest

from lookalike.retrieval.foreign import read
from lookalike.settings import ConfigError, DataError


def table(*images):
    return pl.DataFrame({"image": images})


@pytest.fixture
def npz(tmp_path):
    def write(images, vectors, **more):
        path = tmp_path / "theirs.npz"
        np.savez(path, images=np.array(images), vectors=np.array(vectors), **more)
        return path

    return write


@pytest.fixture
def parquet(tmp_path):
    def write(**columns):
        path = tmp_path / "theirs.parquet"
        pl.DataFrame(columns).write_parquet(path)
        return path

    return write


def test_vectors_follow_the_ids_and_not_the_positions(npz):
    found = read(file=str(npz(["c", "a", "b"], [[0.0, 3.0], [1.0, 0.0], [3.0, 4.0]])))
    np.testing.assert_allclose(found.of(table("a", "b", "c")), [[1, 0], [0.6, 0.8], [0, 1]], rtol=1e-6)
    np.testing.assert_allclose(found.of(table("b")), [[0.6, 0.8]], rtol=1e-6)
    assert found.of(table("a")).dtype == np.float32


@pytest.mark.parametrize("shape", ["lists", "arrays"])
def test_a_parquet_file_says_the_same(parquet, npz, shape):
    kind = pl.List(pl.Float32) if shape == "lists" else pl.Array(pl.Float32, 2)
    vectors = pl.Series([[0, 3], [1, 0]], dtype=kind)
    other = read(file=str(npz(["b", "a"], [[0, 3], [1, 0]])))
    found = read(file=str(parquet(image=["b", "a"], vector=vectors, comment=["x", "y"])))
    np.testing.assert_array_equal(found.of(table("a", "b")), other.of(table("a", "b")))


def test_ids_may_be_numbers(npz, parquet):
    assert read(file=str(npz([7, 8], [[1.0], [2.0]]))).of(table("8", "7")).tolist() == [[1], [1]]
    found = read(file=str(parquet(image=[7, 8], vector=[[1.0, 0.0], [0.0, 1.0]])))
    assert found.of(table("8", "7")).tolist() == [[0, 1], [1, 0]]


def test_missing_pictures_are_counted_and_one_is_named(npz):
    found = read(file=str(npz(["a", "x"], [[1.0], [1.0]])))
    with pytest.raises(DataError, match=r"has no vector for 2 of 3 pictures, such as 'b'; it has 2, such as 'a'"):
        found.of(table("a", "b", "c"))


def test_the_same_file_has_the_same_name_and_another_has_another(npz):
    first = read(file=str(npz(["a"], [[1.0]]))).sha256
    assert read(file=str(npz(["a"], [[1.0]]))).sha256 == first != read(file=str(npz(["a"], [[2.0]]))).sha256


@pytest.mark.parametrize(
    ("images", "vectors", "says"),
    [
        (["a", "a", "b"], [[1.0], [2.0], [3.0]], "1 images have several vectors, such as 'a'; keep one of each"),
        (["a", "b"], [[1.0], [0.0]], "1 of 2 vectors have no direction .zero, or not finite., such as that of 'b'"),
        (["a", "b"], [[1.0], [np.nan]], "1 of 2 vectors have no direction"),
        (["a", "b"], [[1.0]], r"\(2,\) image ids and vectors of the shape \(1, 1\)"),
        (["a"], [1.0], r"vectors of the shape \(1,\)"),
        ([], np.zeros((0, 3)), r"\(0,\) image ids"),
        (["a"], [["x"]], "its vectors are of <U1, not of numbers"),
    ],
)
def test_vectors_that_are_none_are_refused(npz, images, vectors, says):
    with pytest.raises(DataError, match=says):
        read(file=str(npz(images, vectors)))


def test_a_pickle_is_never_opened(tmp_path):
    path = tmp_path / "theirs.npz"
    np.savez(path, images=np.array([{"a": 1}], dtype=object), vectors=np.ones((1, 2)))
    with pytest.raises(DataError, match="cannot be read .*of text and numbers alone"):
        read(file=str(path))


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 cut short"])
@pytest.mark.parametrize("kind", ["npz", "parquet"])
def test_a_file_that_is_something_else_is_refused(tmp_path, content, kind):
    path = tmp_path / f"theirs.{kind}"
    path.write_bytes(content)
    with pytest.raises(DataError, match="cannot be read"):
        read(file=str(path))


def test_a_single_array_is_refused(tmp_path):
    path = tmp_path / "theirs.npy"
    np.save(path, np.ones((2, 2)))
    with pytest.raises(DataError, match="cannot be read"):
        read(file=str(path))


def test_a_file_that_lacks_its_arrays_is_refused(tmp_path):
    path = tmp_path / "theirs.npz"
    np.savez(path, vectors=np.ones((2, 2)))
    with pytest.raises(DataError, match="images is not a file in the archive"):
        read(file=str(path))


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"image": ["a", "b"], "vector": [[1.0], [1.0, 2.0]]}, "vectors of 2 different lengths"),
        ({"image": ["a", "b"], "vector": [[1.0], None]}, "vectors of 2 different lengths"),
        ({"image": ["a", None], "vector": [[1.0], [1.0]]}, "1 images without an id"),
        ({"image": ["a"], "vector": [[None]]}, "no direction"),
        ({"image": ["a"], "vector": ["text"]}, "cannot be read"),
        ({"image": ["a"], "embedding": [[1.0]]}, "cannot be read"),
    ],
)
def test_columns_that_are_no_vectors_are_refused(parquet, columns, says):
    with pytest.raises(DataError, match=says):
        read(file=str(parquet(**columns)))


def test_no_file_and_a_file_that_is_not_there_are_said():
    with pytest.raises(ConfigError, match="embedder=vectors reads .*; add embedder.file=FILE"):
        read()
    with pytest.raises(DataError, match="nosuch.npz: there is no such file"):
        read(file="nosuch.npz")
