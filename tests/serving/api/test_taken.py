"""A body is read into its fields and its file, or refused in words; whatever it is."""

import asyncio
import json
import os
import tempfile

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.serving.forms import ProblemError
from lookalike.serving.taken import MOST_FIELDS, MOST_TEXT, taken, whole

EDGE = "multipart/form-data; boundary=edge"


def form(*parts, ends=b"--edge--\r\n"):
    """A body by hand: each part (disposition, data)."""
    head = b"--edge\r\nContent-Disposition: form-data; %b\r\n\r\n%b\r\n"
    return b"".join(head % part for part in parts) + ends


def refused(status, content_type, body, **options):
    with pytest.raises(ProblemError) as caught:
        taken(content_type, body, **options)
    assert caught.value.status == status, caught.value.detail
    return caught.value.detail


def outcome(content_type, body):
    try:
        taken(content_type, body)
    except ProblemError as wrong:
        return wrong.status
    return "taken"


def test_json_is_an_object_of_its_own_types():
    told = taken("application/json; charset=utf-8", b'{"k": 3, "brand": ["\xc3\xa9"], "in_stock": true}')
    assert told.fields == {"k": 3, "brand": ["é"], "in_stock": True}
    assert (told.file, told.form) == (None, False)


def test_a_whole_number_of_json_is_one_however_it_is_written():
    told = taken("application/json", b'{"a": 24.0, "b": 2.4e1, "c": 0.5, "d": 1e400}').fields
    assert [type(value) for value in told.values()] == [int, int, float, float]
    assert (told["a"], told["b"], told["c"]) == (24, 24, 0.5)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "line 1, column 1"),
        (b'{"k": 3,\n "l" 4}', "line 2, column 6"),
        (b'{"k": NaN}', "NaN is no number"),
        (b'{"k": -Infinity}', "-Infinity is no number"),
        (b'{"k": "\xff"}', "byte 7 is 0xff"),
        (b'{"k": 1, "l": 2, "k": 3}', "says 'k' twice"),
        (b"[" * 100_000, "nested too deep"),
        (b'{"k": ' + b"9" * 5000 + b"}", "too long"),
        (b"\xef\xbb\xbf{}", "line 1, column 1"),
    ],
    ids=["nothing", "syntax", "nan", "infinity", "no utf-8", "twice", "deep", "digits", "bom"],
)
def test_wrong_json_is_told_with_its_place(body, said):
    assert said in refused(400, "application/json", body)


def test_json_is_an_object_and_not_too_long():
    assert "not an object" in refused(422, "application/json", b"[1]")
    refused(413, "application/json", b" " * (MOST_TEXT + 1))


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/x-www-form-urlencoded", "image/jpeg", "application/jsonx", "\xff;="]
)
def test_other_content_types_are_not_taken(kind):
    assert "application/json or multipart/form-data" in refused(415, kind, b"{}")


def test_where_only_a_form_is_taken_json_is_not():
    assert "send multipart/form-data" in refused(415, "application/json", b"{}", json_too=False)
    assert taken(EDGE, form((b'name="k"', b"3")), json_too=False).fields == {"k": ["3"]}


def test_a_form_brings_texts_in_lists_and_the_bytes_of_its_file():
    data = bytes(range(256)) * 3 + b"\r\n--edg\r\n--edge"
    sent = httpx.Request("POST", "http://a", data={"brand": ["A", "é"], "k": "3"}, files={"file": ("a.jpg", data)})
    told = taken(sent.headers["content-type"], sent.read())
    assert told.fields == {"brand": ["A", "é"], "k": ["3"]}
    assert told.file == data
    assert told.form


def test_an_empty_file_came_all_the_same():
    assert taken(EDGE, form((b'name="file"; filename=""', b""))).file == b""


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (form((b'name="file"; filename="a"', b"1"), (b'name="file"; filename="b"', b"2")), "two files came"),
        (form((b'name="file"', b"a picture")), "the field `file` is a text"),
        (form((b'name="picture"; filename="a"', b"1")), "a file came in the field 'picture'"),
        (form((b'name="product"', b"a\0b")), "the field 'product' holds a NUL byte"),
        (form((b'name="a\0b"', b"a")), "the name of part 1 holds a NUL byte"),
        (form((b'name="product"', b"\xff")), "the field 'product' is no UTF-8: byte 0 is 0xff"),
        (form((b'name="\xff"', b"a")), "the name of part 1 is no UTF-8"),
        (form((b"", b"a")), "part 1 of the form has no name"),
        (b"--edge\r\n\r\na\r\n--edge--", "part 1 of the form has no name"),
        (form((b'name="k"', b"3"), ends=b""), "it ends before its last boundary"),
        (b"", "it ends before its last boundary"),
        (b"no form at all", "is no multipart/form-data"),
        (form((b'name="' + b"a" * 200 + b'"', b"a")), "which is none of ours"),
        (form(*[(b'name="brand"', b"a")] * (MOST_FIELDS + 1)), f"more than the {MOST_FIELDS} fields"),
        (b"--edge\r\n" + b"".join(b"x-%d: a\r\n" % of for of in range(50)) + b"\r\n", "is no multipart/form-data"),
    ],
    ids=[
        "two files", "file as text", "other field", "nul", "nul in a name", "no utf-8", "no utf-8 name", "no name", "no headers",
        "cut short", "nothing", "no form", "long name", "many fields", "many headers",
    ],
)  # fmt: skip
def test_a_form_that_cannot_be_used_is_refused_in_words(body, said):
    assert said in refused(400, EDGE, body)


def test_a_form_without_a_boundary_is_refused():
    for kind in ("multipart/form-data", "multipart/form-data; boundary=", 'multipart/form-data; boundary=""'):
        assert "names no boundary" in refused(400, kind, form((b'name="k"', b"3")))
    refused(400, f"multipart/form-data; boundary={'a' * 300}", b"")


def test_a_form_holds_only_so_much_text():
    assert "too long" in refused(422, EDGE, form((b'name="query"', b"a" * 70_000)))
    refused(413, EDGE, form(*[(b'name="liked"', b"a" * 60_000)] * 20))


def test_a_body_is_read_whole_up_to_its_limit():
    async def pieces(*of):
        for piece in of:
            yield piece

    assert asyncio.run(whole(pieces(b"ab", b"", b"c"), most=3)) == b"abc"
    with pytest.raises(ProblemError) as caught:
        asyncio.run(whole(pieces(b"ab", b"cd"), most=3))
    assert caught.value.status == 413


def test_a_large_file_is_never_on_a_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "there is no such folder"))
    data = os.urandom(3_000_000)
    assert taken(EDGE, form((b'name="file"; filename="a"', data))).file == data


@given(st.binary(), st.sampled_from([EDGE, "application/json", "multipart/form-data; boundary=\xff", ""]))
def test_whatever_the_bytes_they_are_taken_or_refused(body, kind):
    assert outcome(kind, body) in {"taken", 400, 413, 415, 422}


@given(
    st.lists(st.tuples(st.sampled_from([b'name="k"', b'name="file"; filename="a"', b"", b"name"]), st.binary())),
    st.binary(),
)
def test_whatever_the_parts_of_a_form_they_are_taken_or_refused(parts, ends):
    assert outcome(EDGE, form(*parts, ends=ends)) in {"taken", 400}


@given(st.dictionaries(st.text(max_size=20), st.integers() | st.text() | st.lists(st.text())))
def test_any_object_of_json_comes_through_as_it_is(said):
    assert taken("application/json", json.dumps(said).encode()).fields == said
