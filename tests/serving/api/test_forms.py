"""Questions: what can be asked, and what is said of each that cannot."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from lookalike.serving import forms, goods
from lookalike.serving.forms import Branded, Faceted, ProblemError, Search, Similar, Uploaded, asked


def refused(kind, fields, *, file=False, form=False):
    with pytest.raises(ProblemError) as caught:
        asked(kind, fields, file=file, form=form)
    assert caught.value.status == 422
    return caught.value


def outcome(fields, **options):
    try:
        asked(Search, fields, **options)
    except ProblemError as wrong:
        return wrong.status
    return "asked"


def test_a_question_has_exactly_one_source():
    for fields, file in (
        ({"product": "a"}, False), ({"url": "https://a.example/b.jpg"}, False), ({"query": "abcd"}, False),
        ({"liked": ["a"]}, False), ({}, True),
    ):  # fmt: skip
        asked(Search, fields, file=file, form=False)
    assert "you gave none of them" in refused(Search, {}).detail
    assert "you gave url and product" in refused(Search, {"product": "a", "url": "b"}).detail
    assert "you gave file and query" in refused(Search, {"query": "abcd"}, file=True).detail
    assert "give exactly one of file, url, product, query or liked" in refused(Search, {"liked": []}).detail


def test_a_brand_is_asked_by_everything_but_liked_products():
    assert asked(Branded, {"product": "a"}, file=False, form=False).product == "a"
    assert refused(Branded, {"liked": ["a"]}).faults[0].where == "liked"


def test_an_upload_is_a_file_and_nothing_else():
    asked(Uploaded, {}, file=True, form=True)
    assert "field `file`" in refused(Uploaded, {}, form=True).detail
    assert "there is no such field" in refused(Uploaded, {"k": ["3"]}, file=True, form=True).detail


def test_disliked_products_go_beside_liked_ones():
    assert asked(Search, {"liked": ["a"], "disliked": ["b"]}, file=False, form=False).disliked == ["b"]
    both = {"liked": ["a", "b"], "disliked": ["c", "b"]}
    assert "b is liked and disliked; give it once" in refused(Search, both, file=False, form=False).detail
    assert "`disliked` goes beside `liked`" in refused(Search, {"product": "a", "disliked": ["b"]}).detail


def test_all_faults_are_told_at_once_with_field_value_and_mend():
    told = refused(Search, {"product": "a", "k": 400, "colour_weight": 0.3, "order": "middling"})
    assert {one.where for one in told.faults} == {"k", "colour_weight", "order"}
    assert "k: Input should be less than or equal to 100 (you gave 400)" in told.detail
    assert "did you mean color_weight?" in told.detail
    assert "'best' or 'worst' (you gave 'middling')" in told.detail


def test_a_fault_shows_no_more_of_a_value_than_one_can_read_and_only_plain_signs():
    told = refused(Search, {"product": "é\ud800" * 5000, "\ud800": 1})
    assert len(told.detail) < 1000
    assert told.detail.isascii()


def test_faults_are_told_up_to_a_number():
    told = refused(Search, {f"x{place}": 1 for place in range(500)})
    assert len(told.faults) == forms.FAULTS


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("k", 0), ("k", 101), ("k", 2.5), ("k", True), ("k", "24"), ("color_weight", -0.1), ("color_weight", 1.1),
        ("color_weight", float("nan")), ("min_score", -1.5), ("min_score", float("inf")), ("price_min", -1),
        ("rating_min", 5.5), ("in_stock", "true"), ("brand", "A"), ("brand", [""]), ("brand", ["a"] * 51),
        ("group_by", "shop"), ("cursor", ""), ("product", ""), ("product", "a" * 1001),
    ],
)  # fmt: skip
def test_each_bound_of_json_holds(field, value):
    assert refused(Search, {"product": "a", field: value}).faults[0].where.split(".")[0] == field


def test_a_null_is_as_if_nothing_was_said():
    said = asked(Search, {"product": "a", "url": None, "price_min": None, "crop": None}, file=False, form=False)
    assert said == asked(Search, {"product": "a"}, file=False, form=False)


def test_a_crop_is_four_shares_that_hold_something_beside_a_picture():
    assert asked(Search, {"crop": [0, 0.1, 0.5, 1]}, file=True, form=False).crop == [0, 0.1, 0.5, 1]
    assert "beside `file` or `url`" in refused(Search, {"crop": [0, 0, 1, 1], "product": "a"}).detail
    for crop in ([0.5, 0, 0.5, 1], [0.6, 0, 0.5, 1], [0, 1, 1, 0], [0, 0, 5e-324, 1]):
        assert "next to nothing" in refused(Search, {"crop": crop}, file=True).detail
    for crop in ([0, 0, 1], [0, 0, 1, 1, 1], [0, 0, 1, 1.2], [-0.1, 0, 1, 1], "0,0,1,1"):
        assert refused(Search, {"crop": crop}, file=True).faults[0].where.startswith("crop")


def test_prices_that_nothing_can_have_are_refused():
    assert (
        "price_min 9 is above price_max 5" in refused(Search, {"product": "a", "price_min": 9, "price_max": 5}).detail
    )
    assert asked(Search, {"product": "a", "price_min": 5, "price_max": 5}, file=False, form=False).price_min == 5


def test_a_form_says_the_same_in_texts():
    texts = {
        "k": ["7"], "brand": ["A", "B"], "crop": ["0.1,0,1,0.5"], "in_stock": ["true"], "color_weight": ["0.25"],
        "order": ["worst"], "price_max": ["12.5"],
    }  # fmt: skip
    json = {
        "k": 7, "brand": ["A", "B"], "crop": [0.1, 0, 1, 0.5], "in_stock": True, "color_weight": 0.25,
        "order": "worst", "price_max": 12.5,
    }  # fmt: skip
    assert asked(Search, texts, file=True, form=True) == asked(Search, json, file=True, form=False)


def test_a_form_says_true_or_false_and_nothing_like_it():
    for text in ("1", "yes", "on", "True", ""):
        told = refused(Search, {"in_stock": [text]}, file=True, form=True)
        assert told.faults[0].where == "in_stock"
    assert not asked(Search, {"in_stock": ["false"]}, file=True, form=True).in_stock


def test_a_form_says_one_thing_once():
    assert "'k' were given more than once" in refused(Search, {"k": ["7", "8"]}, file=True, form=True).detail


def test_filters_are_the_catalogs_own():
    said = forms.filters(Faceted(brand=["A"], price_max=5, rating_min=4, in_stock=True))
    assert said.values == {"brand": ("A",), "category": (), "color": (), "style": (), "shop": (), "currency": ()}
    assert (said.price, said.rating, said.in_stock) == ((None, 5), 4, True)
    assert not forms.filters(Faceted()).any


def test_every_value_that_is_offered_can_be_asked_for():
    longest = "é" * goods.LONGEST
    for kind, fields in ((Search, {"product": "a"}), (Similar, {}), (Faceted, {})):
        assert kind.model_validate({**fields, "brand": [longest]}).brand == [longest]
        with pytest.raises(ValidationError, match="at most"):
            kind.model_validate({**fields, "brand": [longest + "é"]})


PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)
JSON = PLAIN | st.lists(PLAIN, max_size=4) | st.dictionaries(st.text(max_size=3), PLAIN, max_size=2)


@given(st.dictionaries(st.sampled_from([*Search.model_fields, "x"]), JSON), st.booleans())
def test_whatever_json_is_sent_is_a_question_or_a_problem(fields, file):
    assert outcome(fields, file=file, form=False) in {"asked", 422}


@given(st.dictionaries(st.sampled_from([*Search.model_fields, "x"]), st.lists(st.text(), min_size=1)), st.booleans())
def test_whatever_a_form_holds_is_a_question_or_a_problem(fields, file):
    assert outcome(fields, file=file, form=True) in {"asked", 422}


def test_every_field_of_every_model_says_what_it_is_or_shows_it():
    kinds = [
        one
        for one in vars(forms).values()
        if isinstance(one, type) and issubclass(one, BaseModel) and one is not BaseModel
    ]
    silent = [
        f"{kind.__name__}.{name}"
        for kind in kinds
        for name, field in kind.model_json_schema().get("properties", {}).items()
        if not {"description", "examples", "$ref", "const", "items"} & set(field)
    ]
    assert len(kinds) > 15
    assert silent == []


def test_the_schema_of_a_form_has_a_file_no_null_and_the_crop_in_one_text():
    told = forms.form_schema(Search)
    assert told["properties"]["file"]["format"] == "binary"
    assert told["properties"]["crop"]["type"] == "string"
    assert "anyOf" not in str(told)
    assert [one["required"] for one in told["oneOf"]] == [["file"], ["url"], ["product"], ["query"], ["liked"]]
