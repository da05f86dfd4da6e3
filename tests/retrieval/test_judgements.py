"""Do vectors see what people see? Worked by hand."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike.retrieval.judgements import agreement, read_judgements
from lookalike.settings import DataError


def around(*degrees):
    angle = np.radians(np.array(degrees, float))
    return np.stack([np.cos(angle), np.sin(angle)], 1).astype(np.float32)


def table(images, products=None):
    return pl.DataFrame({"image": images, "product": products or images})


def triplets(*rows):
    return pl.DataFrame(rows, schema=["head", "close", "far"], orient="row")


@pytest.fixture
def written(tmp_path):
    def write(text, encoding="utf-8"):
        path = tmp_path / "judgements.csv"
        path.write_bytes(text.encode(encoding))
        return path

    return write


def test_the_share_that_agrees():
    told = triplets(("a", "b", "c"), ("a", "c", "b"), ("b", "a", "c"))
    found = agreement(around(0, 10, 50), table(["a", "b", "c"]), told)
    assert found.value == pytest.approx(2 / 3)
    assert (found.scored, found.heads, found.ties, found.unknown) == (3, 2, 0, 0)
    assert found.low <= found.value <= found.high


def test_a_tie_is_no_agreement():
    found = agreement(around(0, 10, -10), table(["a", "b", "c"]), triplets(("a", "b", "c"), ("a", "c", "b")))
    assert (found.value, found.ties) == (0, 2)


def test_a_collapsed_network_agrees_with_nobody():
    found = agreement(around(7, 7, 7), table(["a", "b", "c"]), triplets(("a", "b", "c")))
    assert (found.value, found.ties) == (0, 1)


def test_a_row_that_names_an_unknown_picture_is_counted_and_not_scored():
    told = triplets(("a", "b", "c"), ("a", "nobody", "c"), ("nobody", "a", "b"))
    found = agreement(around(0, 10, 50), table(["a", "b", "c"]), told)
    assert (found.value, found.scored, found.unknown) == (1, 1, 2)


def test_a_product_is_as_near_as_its_pictures_are_on_average():
    """The far product has a picture right beside the head, but its other one lies opposite: cosines 1 and -1, mean 0."""
    rows = table(["h#0", "near#0", "far#0", "far#1"], ["h", "near", "far", "far"])
    vectors = around(0, 60, 0, 180)
    assert agreement(vectors, rows, triplets(("h", "near", "far"))).value == 1
    assert agreement(vectors, rows, triplets(("h", "near", "far#0"))).value == 0  # that one picture is the nearer one


def test_an_id_that_is_both_means_the_picture():
    rows = table(["a", "b", "c", "d"], ["x", "y", "z", "c"])  # "c" is a picture, and the product of another
    assert agreement(around(0, 60, 10, 170), rows, triplets(("a", "c", "b"))).value == 1


def test_judgements_of_which_none_can_be_scored_are_an_error_that_shows_both_sides():
    with pytest.raises(DataError, match=r"none of 1 judgements .*'x\.jpg'.* such as 'a' .*split=all"):
        agreement(around(0, 10, 50), table(["a", "b", "c"]), triplets(("x.jpg", "y.jpg", "z.jpg")))


@settings(deadline=None, max_examples=30)
@given(st.permutations(range(12)), st.permutations(range(20)))
def test_the_order_of_pictures_and_of_judgements_does_not_matter(pictures, rows):
    random = np.random.default_rng(0)
    vectors = random.normal(size=(12, 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    named = table([f"i{number}" for number in range(12)], [f"p{number // 2}" for number in range(12)])
    told = triplets(*[[f"p{one}" for one in random.choice(6, 3, replace=False)] for _ in range(20)])
    plain = agreement(vectors, named, told)
    assert agreement(vectors[list(pictures)], named[list(pictures)], told[list(rows)]) == plain


def test_a_file_is_read_whatever_else_it_tells(written):
    path = written('who;Head ;far;close\nann;a;c;"b"\n\nbob; d ;e;f\n', "utf-8-sig")
    assert read_judgements(path).rows() == [("a", "b", "c", 2), ("d", "f", "e", 4)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("head,close,away\na,b,c\n", "line 1 .*far is missing or there twice .*'head, close, away'.*Rename"),
        ("head,close,far,far\na,b,c,d\n", "line 1 .*far is missing or there twice"),
        ("head,close,far\n", "a header and no judgements"),
        ("head,close,far\na,b,c\na,,c\n", "line 3: head 'a', close '', far 'c': one is empty"),
        ("head,close,far\na,b,b\n", "line 2: .*two are the same"),
        ("head,close,far\na,b\n", "line 2: has 2 values where the header names 3"),
        ("", "is empty"),
    ],
)
def test_a_file_that_cannot_be_used_says_where_and_how_to_mend_it(written, text, said):
    with pytest.raises(DataError, match=said):
        read_judgements(written(text))


def test_a_file_in_another_encoding_names_its_line(written):
    with pytest.raises(DataError, match="line 2: .*UTF-8"):
        read_judgements(written("head,close,far\nschön,b,c\n", "latin-1"))


def test_a_file_that_is_not_there_says_so(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read_judgements(tmp_path / "none.csv")
