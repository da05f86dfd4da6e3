"""A run as one page: with curves and without, and whatever val chose in words."""

import base64
import re
from html.parser import HTMLParser

import pytest

from lookalike.reporting.run_page import render

FIGURE = {"value": 0.625, "ci95": [0.5, 0.75], "queries": 8}
COUNTS = {"queries": 8, "no_twin": 1, "gallery": 20}
CHOSEN = {"by": "val map@r", "epoch": 2, "epochs": 3, "value": 0.75, "finish": "", "val map@r": 0.75}
METRICS = {
    "protocol": {"match": "style", "query_view": "", "twin": "the query's <style>"},
    "val": {"recall@1": {"value": 0.875, "ci95": [0.8, 0.9], "queries": 8}, **COUNTS},
    "test": {"recall@1": FIGURE, **COUNTS},
    "slices": {
        "brand": {"A & B": {"recall@1": FIGURE}, "C": {"recall@1": FIGURE}},
        "view": {"outside": {"recall@1": FIGURE}},
    },
    "slices_left_out": {"brand": {"values": 3, "queries": 4, "untold": 2}},
    "chosen": CHOSEN,
}
STEP = {"train/loss": 0.5, "lr/head": 1e-3}
SIGNS = {f"signs/{name}": 0.5 for name in ("twin_distance", "stranger_distance", "hardest_stranger", "active_triplets")}
HISTORY = [
    {"step": 1, "epoch": 0, **STEP},
    {"step": 2, "epoch": 0, **STEP, **SIGNS, "signs/effective_rank": 12.0},
    {"step": 2, "epoch": 0, "val/map@r": 0.75},
]
ENVIRONMENT = {"commit": "abc", "packages": {"torch": "2.15", "numpy": "2.3"}}


def page(history=HISTORY, **more):
    return render("shoes / today", {**METRICS, **more}, history, ENVIRONMENT, b"a picture")


@pytest.fixture(scope="module")
def whole():
    """The page of a run with all that there can be of curves."""
    return page()


def words(html):
    """What a reader sees."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_it_tells_the_figures_of_both_splits_with_their_intervals(whole):
    said = words(whole)
    assert "the nearest picture is a twin for 62.5 % of the queries (95 % interval 50.0 to 75.0)" in said
    assert "recall@1 0.625 0.500 to 0.750 0.875 0.800 to 0.900" in said
    assert "8 queries with a twin among 20 pictures; 1 more have none and are not scored." in said
    assert "By brand" in said
    assert "By view" not in said  # one slice is no comparison
    assert "Left out: 3 more values with 4 queries; 2 queries have no brand." in said


def test_it_holds_all_it_shows_and_links_nothing(whole):
    assert f"data:image/png;base64,{base64.b64encode(b'a picture').decode()}" in whole
    assert re.findall(r"""(?:href|src)=["'](?!#|data:)""", whole) == []
    assert "@import" not in whole


def test_what_a_data_set_says_is_text_and_never_markup(whole):
    assert "A &amp; B" in whole
    assert "the query's <style>" not in whole


def test_every_part_that_is_opened_is_closed(whole):
    class Balance(HTMLParser):
        def __init__(self):
            super().__init__()
            self.open = []

        def handle_starttag(self, tag, *_):
            if tag not in {"meta", "img"}:
                self.open.append(tag)

        def handle_endtag(self, tag):
            assert self.open.pop() == tag

    parser = Balance()
    parser.feed(whole)
    assert parser.open == []


def test_each_curve_that_was_logged_has_its_panel(whole):
    assert "<svg" in whole
    for title in ("training loss", "val map@r", "distances in a batch", "share of active triplets", "effective rank"):
        assert title in whole


def test_a_run_that_was_not_watched_that_closely_has_fewer_panels():
    html = page([{"step": 1, "epoch": 0, **STEP}])
    assert "training loss" in html
    assert "distances in a batch" not in html


def test_without_an_epoch_there_is_no_curve_and_nothing_to_be_beaten():
    html = page([], chosen={"by": "val map@r", "finish": "within-class whitening, shrinkage 0.1", "val map@r": 0.75})
    assert "Learning" not in html
    assert "<svg" not in html
    assert "To be beaten" not in html
    assert "closed form within-class whitening, shrinkage 0.1, val map@r 0.750" in words(html)


def test_what_must_be_beaten_stands_beside_the_figure():
    baseline = {"what": "the untrained backbone, shrinkage 0.3", "val": {}, "test": {"recall@1": FIGURE}}
    said = words(page(baseline=baseline))
    assert "To be beaten: the untrained backbone, shrinkage 0.3, 62.5 % (50.0 to 75.0)." in said


def test_a_mixture_and_a_finish_are_told_with_what_else_was_tried():
    blend = {"share of trained": 0.5, "val map@r": {0.0: 0.5, 0.5: 0.8, 1.0: 0.75}}
    said = words(page(chosen={**CHOSEN, "blend": blend, "finish": "LDA, shrinkage 0.2", "val map@r": 0.8}))
    assert "epoch 2 of 3, val map@r 0.750" in said
    assert "a share of 0.5 (val map@r by share: 0.0: 0.500, 0.5: 0.800, 1.0: 0.750)" in said
    assert "closed form LDA, shrinkage 0.2, val map@r 0.800" in said


def test_the_same_run_gives_the_same_page(whole):
    assert page() == whole


def test_what_a_page_needs_and_is_not_told_is_an_error_and_no_gap():
    with pytest.raises(Exception, match="slices"):
        render("x", {name: told for name, told in METRICS.items() if name != "slices"}, [], {}, b"")
