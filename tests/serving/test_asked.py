"""What a page carries is read as it was told, and nothing else is taken for it."""

import base64
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike.serving.asked import LONGEST, AskedError, Looked, cursor, place, read, told

WIDTHS = (5, 3)
vectors = st.lists(st.floats(-1, 1, width=16), min_size=8, max_size=8).filter(
    lambda said: min(np.linalg.norm(said[:5]), np.linalg.norm(said[5:])) > 0.1
)


def seen(numbers):
    shape, color = np.array(numbers[:5], np.float32), np.array(numbers[5:], np.float32)
    return Looked(shape=shape / np.linalg.norm(shape), color=color / np.linalg.norm(color))


ONE = seen([1, 2, 3, 4, 5, 6, 7, 8])


@settings(deadline=None)
@given(vectors)
def test_vectors_come_back_as_halves_and_their_text_is_the_same_text(numbers):
    looked = seen(numbers)
    text = told(looked, "a/1")
    back = read(text, "a/1", WIDTHS)
    assert back.shape.tolist() == looked.shape.astype(np.float16).astype(float).tolist()
    assert back.color.tolist() == looked.color.astype(np.float16).astype(float).tolist()
    assert back.shape.dtype == back.color.dtype == np.float32
    assert told(back, "a/1") == text
    assert set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def test_a_text_of_another_release_is_refused():
    with pytest.raises(AskedError, match="another release"):
        read(told(ONE, "a/1"), "a/2", WIDTHS)
    with pytest.raises(AskedError, match="as long as"):
        read(told(ONE, "a/1"), "a/1", (5, 4))


@settings(deadline=None)
@given(st.one_of(st.text(max_size=40), st.binary(max_size=40).map(lambda raw: base64.urlsafe_b64encode(raw).decode())))
def test_no_other_text_is_taken_for_one(text):
    with pytest.raises(AskedError):
        read(text, "a/1", WIDTHS)
    with pytest.raises(AskedError):
        place(text, ["q"], "a/1")


def test_each_altered_bit_is_seen():
    raw = bytearray(base64.urlsafe_b64decode(told(ONE, "a/1") + "="))
    for bit in range(8 * len(raw)):
        altered = bytearray(raw)
        altered[bit // 8] ^= 1 << bit % 8
        with pytest.raises(AskedError):
            read(base64.urlsafe_b64encode(altered).decode(), "a/1", WIDTHS)


@pytest.mark.parametrize("wrong", [0.0, 0.5, 0.99, 1.01, 2.0, float("nan"), float("inf")])
def test_vectors_that_are_not_of_length_one_are_refused_also_from_ourselves(wrong):
    altered = Looked(shape=ONE.shape, color=ONE.color * np.float32(wrong) if wrong else np.zeros(3, np.float32))
    with pytest.raises(AskedError, match="unit vectors"):
        read(told(altered, "a/1"), "a/1", WIDTHS)


def test_a_text_that_never_ends_is_not_decoded():
    with pytest.raises(AskedError, match="65,537 signs"):
        read("A" * (LONGEST + 1), "a/1", WIDTHS)


@given(st.integers(0, 10**6))
def test_a_cursor_brings_its_place_back(begins):
    assert place(cursor(begins, ["q", 0.5], "a/1"), ["q", 0.5], "a/1") == begins


@pytest.mark.parametrize(("question", "release"), [(["q", 0.6], "a/1"), (["q", 0.5], "a/2")])
def test_a_cursor_is_of_one_question_and_one_release(question, release):
    with pytest.raises(AskedError, match="another question or another release"):
        place(cursor(24, ["q", 0.5], "a/1"), question, release)


def test_filters_with_halves_of_signs_make_a_cursor_too():
    assert place(cursor(1, ["\ud800"], "a/1"), ["\ud800"], "a/1") == 1


@pytest.mark.parametrize("begins", [-1, 1.5, True, "1", None, [1], {"a": 1}])
def test_a_place_that_is_none_is_refused(begins):
    of = json.loads(base64.urlsafe_b64decode(cursor(0, "q", "a/1") + "=="))["of"]
    forged = base64.urlsafe_b64encode(json.dumps({"from": begins, "of": of}).encode()).decode()
    with pytest.raises(AskedError, match="none of ours"):
        place(forged, "q", "a/1")


@pytest.mark.parametrize(
    "body", [b"[]", b"7", b"null", b'{"from": 1}', b"[" * 20_000, b'{"from": ' + b"9" * 5000 + b"}"]
)
def test_a_cursor_of_another_form_is_refused(body):
    with pytest.raises(AskedError):
        place(base64.urlsafe_b64encode(body).decode(), "q", "a/1")
