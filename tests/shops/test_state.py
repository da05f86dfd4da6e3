import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shops.pages.page import PageError
from shops.pages.state import (
    along,
    at,
    count,
    from_cents,
    inside,
    is_true,
    loaded,
    raw_state,
    said,
    script_json,
    several,
    walked,
)

MARK = "window.__INITIAL_STATE__"
VALUES = (
    st.lists(st.text() | st.integers()) | st.dictionaries(st.text(), st.booleans() | st.lists(st.text())) | st.text()
)


@pytest.mark.parametrize(
    ("page", "raw"),
    [
        ('<script>window.__INITIAL_STATE__ = {"a": "</script>; }"};\nwindow.b = {}</script>', '{"a": "</script>; }"}'),
        ('window.__INITIAL_STATE__={"a":{"b":[1,2]}}', '{"a":{"b":[1,2]}}'),
        ('window.__INITIAL_STATE__\n=\n["\\u00e9"];', '["\\u00e9"]'),
        ('window.__INITIAL_STATE__ = "{\\"a\\":1}";', '"{\\"a\\":1}"'),
        ('window.__INITIAL_STATE__ = JSON.parse("[1]")', '"[1]"'),
        ('if (window.__INITIAL_STATE__ === {}) x; window.__INITIAL_STATE__ = {"b": 1}', '{"b": 1}'),
        ("window.__INITIAL_STATE__ = undefined;", ""),
        ("<p>window.__INITIAL_STATE__</p>", ""),
        ("", ""),
    ],
)
@pytest.mark.parametrize("mark", [MARK, f"{MARK} ="])
def test_a_state_is_cut_out_exactly_as_it_came(page, raw, mark):
    assert raw_state(page, mark) == raw


@pytest.mark.parametrize("broken", ["", " ", "{", '{"a": "b', '{"a": 1', '{"a": undefined}', "[" * 100_000])
def test_a_state_that_breaks_off_is_half_a_page(broken):
    with pytest.raises(
        PageError, match=r"the JSON of window.__INITIAL_STATE__ breaks off.*scripts/save_page.py"
    ) as wrong:
        raw_state(f"<script>{MARK} = {broken}", MARK)
    assert wrong.value.reason == "half_page"


@given(VALUES, st.text(alphabet=' ;{}[]"\\</script>'))
def test_whatever_follows_a_state_is_no_part_of_it(value, rest):
    told = json.dumps(value)
    assert raw_state(f"var a = {{}};{MARK} = {told}{rest}", MARK) == told


@pytest.mark.parametrize(
    "page",
    [
        '<script id="__NEXT_DATA__" type="application/json">{"a": 1}</script>',
        "<script type=application/json id='__NEXT_DATA__' crossorigin>\n{\"a\": 1}\n</script>",
        '<script id="other">{"b": 2}</script><script data-x="1" id=__NEXT_DATA__>{"a": 1}</script>',
    ],
)
def test_the_json_of_a_script_is_found_by_its_id(page):
    assert script_json(page, "__NEXT_DATA__") == '{"a": 1}'


@pytest.mark.parametrize(
    "page", ['<script id="other">{"a": 1}</script>', '<script id="__NEXT_DATA__"></script>', "__NEXT_DATA__", ""]
)
def test_no_script_of_that_id_tells_nothing(page):
    assert script_json(page, "__NEXT_DATA__") == ""


@pytest.mark.parametrize("broken", ["", ">", '>{"a', '>{"a": 1', ' type="application/json'])
def test_the_json_of_a_script_that_breaks_off_is_half_a_page(broken):
    with pytest.raises(PageError) as wrong:
        script_json(f'<script id="__NEXT_DATA__"{broken}', "__NEXT_DATA__")
    assert wrong.value.reason == "half_page"


@pytest.mark.parametrize("text", ["", "{", "<html>", "[" * 100_000, "9" * 5000])
def test_what_is_no_json_is_half_a_page(text):
    with pytest.raises(PageError) as wrong:
        loaded(text, "the listing")
    assert wrong.value.reason == "half_page"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("a", "b", 0), 1),
        (("a", "b", -1), "2"),
        (("a", "b", 3), None),
        (("a", "b", -4), None),
        (("a", 0), None),
        (("a", "b", "c"), None),
        (("x", "y"), None),
        ((), {"a": {"b": [1, True, "2"]}}),
    ],
)
def test_a_step_that_is_absent_or_of_another_type_leads_to_nothing(path, value):
    assert at({"a": {"b": [1, True, "2"]}}, *path) == value


@pytest.mark.parametrize(
    ("value", "text", "items", "truth", "cents"),
    [
        ("12", "12", [], False, ""),
        (13999, "13999", [], False, "139.99"),
        (5, "5", [], False, "0.05"),
        (0, "0", [], False, "0.00"),
        (4.5, "4.5", [], False, ""),
        (True, "", [], True, ""),
        ("True", "True", [], True, ""),
        ("false", "false", [], False, ""),
        ([1], "", [1], False, ""),
        ({}, "", [], False, ""),
        (None, "", [], False, ""),
    ],
)
def test_a_value_is_taken_only_as_what_it_is(value, text, items, truth, cents):
    it = {"it": value}
    assert (said(it, "it"), several(it, "it"), is_true(it, "it"), from_cents(it, "it")) == (text, items, truth, cents)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (123.125, "123.1250"),
        (0.125, "0.1250"),
        (123.12, "123.12"),
        (1e16, "1e+16"),
        (123, "123"),
        ("123.125", "123.125"),
    ],
)
def test_a_number_with_three_decimals_cannot_be_read_as_thousands(number, text):
    assert said(number) == text


@pytest.mark.parametrize(
    ("value", "number"),
    [(0, 0), ("12", 12), ("0" * 9, 0), ("1" * 10, None), (-1, None), ("1,200", None), (1.5, None), ("²", None)],
)
def test_a_count_is_a_whole_number_and_no_other(value, number):
    assert count({"it": value}, "it") == number


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("name", ["boot"]),
        ("sizes[].left", [2, None]),
        ("sizes[]", [{"left": 2}, "7"]),
        ("views[]", ["a", "b"]),
        ("views.back", ["b"]),
        ("name[]", []),
        ("other.deeper", [None]),
    ],
)
def test_a_path_leads_to_one_value_or_to_one_of_everything(path, values):
    item = {"name": "boot", "sizes": [{"left": 2}, "7"], "views": {"main": "a", "back": "b"}}
    assert along(item, path) == values


def test_a_path_may_lead_by_way_of_a_cache():
    cache = {"Size:1": {"name": "7"}, "Boot:1": {"sizes": ["Size:1"]}}
    assert along("Boot:1", "sizes[].name", lambda node, name: at(cache[node], name)) == ["7"]


@given(VALUES)
def test_a_walk_meets_every_value_the_least_deep_first(value):
    deeper = {"a": [value], "b": 1}
    first, *rest = walked(deeper)
    assert (first, rest[:3]) == (deeper, [[value], 1, value])
    assert rest[3 : 3 + len(inside(value))] == inside(value)
