"""`lookalike report`: a run looked at again, its page and its numbers, and another run beside it."""

import json
import re
import shutil

import polars as pl
import pytest

SMALL = ("dataset=toy", "pixels.size=32", "backbone=timm", "backbone.model=test_resnet", "epochs=0", "finish=whitening")


def only(folder):
    (run,) = folder.iterdir()
    return run


@pytest.fixture(scope="module")
def runs(lookalike, shop):
    """A run in gray and one in color, by product; one by style."""
    for name, more in {"gray": ["pixels.gray=true"], "rgb": [], "styles": ["match=style"]}.items():
        lookalike("train", *SMALL, *more, f"name={name}", at=shop)
    return {name: only(shop / "runs" / name) for name in ("gray", "rgb", "styles")}


@pytest.fixture(scope="module")
def gray(lookalike, shop, runs):
    """The report of gray against color: what was said, the numbers, the page."""
    said = lookalike("report", "gray", "against=rgb", "examples=3", at=shop)
    return said, json.loads((runs["gray"] / "report.json").read_text()), (runs["gray"] / "report.html").read_text()


def queries(run):
    return pl.read_parquet(run / "per_query.parquet")


def test_every_miss_has_one_cause(gray, runs):
    _, told, page = gray
    missed = queries(runs["gray"]).filter(pl.col("rank") > 1).height
    assert sum(one["misses"] for one in told["failures"].values()) == missed > 0
    assert f"{missed} of {queries(runs['gray']).height} queries" in page


def test_another_color_of_the_style_is_found_among_the_causes_as_a_count_by_hand(gray, runs):
    _, told, _ = gray
    table = queries(runs["gray"]).filter(pl.col("rank") > 1)
    style_of = {product: product.rpartition("-")[0] for product in queries(runs["gray"])["product"]}
    nearest = [one[0].partition("#")[0] for one in table["nearest_strangers"]]
    alike = sum(style_of[one] == style_of[other] for one, other in zip(table["product"], nearest, strict=True))
    assert told["failures"]["same_style"]["fits"] == alike


def test_newly_broken_and_newly_mended_are_counted_by_hand_and_make_the_difference(gray, runs):
    _, told, _ = gray
    both = queries(runs["gray"]).join(queries(runs["rgb"]), on="image", suffix="_there")
    broken = both.filter((pl.col("rank") > 1) & (pl.col("rank_there") == 1)).height
    mended = both.filter((pl.col("rank") == 1) & (pl.col("rank_there") > 1)).height
    against = told["against"]
    assert (against["newly_broken"], against["newly_mended"]) == (broken, mended)
    assert against["difference"]["value"] == pytest.approx((mended - broken) / len(both))
    assert against["recall@1"] == pytest.approx(queries(runs["rgb"])["recall@1"].mean())


def test_the_dial_begins_at_the_run_itself_and_colors_are_asked_for_too(gray, runs):
    _, told, _ = gray
    metrics = json.loads((runs["gray"] / "metrics.json").read_text())
    first, *_, last = told["dial"]["recall@1"]
    assert (first["weight"], last["weight"]) == (0, 1)
    assert first["product"]["value"] == pytest.approx(metrics["test"]["recall@1"]["value"])
    assert set(first) - {"weight"} | {"product", "style", "color"} == {"product", "style", "color"}
    assert told["dial"]["chosen_on_val"] in {at["weight"] for at in told["dial"]["recall@1"]}


def test_a_run_in_gray_does_not_move_when_hue_is_taken_out(gray):
    _, told, _ = gray
    assert told["reliance"]["gray"]["cosine"]["value"] == pytest.approx(1, abs=1e-3)
    assert told["reliance"]["gray"]["fall"]["value"] == 0


def test_the_page_has_every_section_and_needs_nothing_else(gray, runs):
    said, told, page = gray
    sections = ["figures", "gallery", "failures", "against", "map", "dial", "made"]
    assert re.findall(r'<section id="(\w+)"', page) == sections  # no epoch, so no curves
    assert re.findall(r"""(?:href|src)=["'](?!#|data:)""", page) == []
    assert str(runs["gray"] / "report.html").endswith(re.search(r"page\s+(\S+)", said)[1])
    assert told["map"]["pictures"] == page.count("<circle cx=")


def test_it_can_be_written_again_and_is_the_same(lookalike, shop, runs, gray):
    lookalike("report", str(runs["gray"]), "against=rgb", "examples=3", at=shop)
    assert (runs["gray"] / "report.html").read_text() == gray[2]


def test_a_run_by_style_explains_nothing_by_its_style(lookalike, shop, runs):
    lookalike("report", "styles", at=shop)
    told = json.loads((runs["styles"] / "report.json").read_text())
    assert told["failures"]["same_style"]["fits"] == 0
    assert told["against"] is None


def test_runs_that_were_not_measured_alike_are_refused(lookalike, shop, runs):
    said = lookalike("report", "gray", "against=styles", at=shop, code=3)
    assert "match: 'product'" in said
    assert "'style'" in said


def test_a_run_that_is_not_there_and_a_table_that_is_damaged(lookalike, shop, runs):
    assert "no such run" in lookalike("report", "nowhere", at=shop, code=3)
    broken = shop / "runs" / "broken" / runs["rgb"].name
    shutil.copytree(runs["rgb"], broken)
    (broken / "per_query.parquet").write_bytes(b"PAR1")
    assert "per_query.parquet: cannot be read" in lookalike("report", str(broken), at=shop, code=3)
