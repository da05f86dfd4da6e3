"""`lookalike evaluate`: runs and untrained embedders on any data set, and what people judged."""

import json

import pytest

from lookalike.catalog import versions

SMALL = ("dataset=toy", "pixels.size=32", "batch.products=4", "backbone=timm", "backbone.model=test_resnet")
SAW = ("dataset=toy", "pixels.size=32", "split=all")


@pytest.fixture(scope="module")
def run(lookalike, shop):
    """A run of the name `tiny`: its folder."""
    lookalike("train", *SMALL, "epochs=0", "finish=whitening", "match=style", "name=tiny", at=shop)
    (folder,) = (shop / "runs" / "tiny").iterdir()
    return folder


@pytest.fixture
def evaluate(lookalike, shop):
    """The verb: what it wrote, and what it said."""

    def evaluated(*words):
        before = set(shop.rglob("metrics.json"))
        said = lookalike("evaluate", *words, at=shop)
        (written,) = set(shop.rglob("metrics.json")) - before
        return json.loads(written.read_text()), said

    return evaluated


@pytest.mark.parametrize(
    "words",
    [
        ("embedder=pretrained",),
        ("embedder=pretrained", "embedder.pooling=gem", "pixels.gray=true", "pixels.folded=true", "mirror=true"),
        ("embedder=random",),
        ("embedder=color_histogram", "match=color"),
        ("embedder=color_histogram", "embedder.bins=4"),
    ],
    ids=" ".join,
)
def test_what_learnt_nothing_here_is_measured_in_a_place_of_its_own(evaluate, words):
    told, said = evaluate(*words, *SAW)
    assert told["all"]["gallery"] == 144
    assert 0 < told["all"]["recall@1"]["value"] <= 1
    assert f"untrained {words[0].partition('=')[2]} at 32 pixels" in said


def test_colors_alone_find_a_product_better_than_a_network_that_knows_nothing(evaluate):
    colors, _ = evaluate("embedder=color_histogram", *SAW, "pixels.size=48")
    chance, _ = evaluate("embedder=random", *SAW, "pixels.size=48")
    assert colors["all"]["recall@1"]["value"] > 2 * chance["all"]["recall@1"]["value"]


def test_color_is_weighed_beside_the_shape_and_written_beside_it(evaluate):
    shape, _ = evaluate("embedder=pretrained", "match=product", *SAW, "query_view=outside")
    both, _ = evaluate("embedder=pretrained", "match=product", *SAW, "query_view=outside", "color_weight=0.5")
    assert both["protocol"]["similarity"] == "0.5 x cosine of the shapes + 0.5 x cosine of the colors"
    assert both["all"]["recall@1"]["value"] != shape["all"]["recall@1"]["value"]


def test_a_run_brings_its_match_and_another_may_be_asked_for(evaluate, run):
    own, _ = evaluate("run=tiny")
    other, _ = evaluate("run=tiny", "match=product")
    assert (own["protocol"]["match"], other["protocol"]["match"]) == ("style", "product")
    assert own["test"] == json.loads((run / "metrics.json").read_text())["test"]


def test_a_holdout_imported_with_split_test_is_measured_whole(lookalike, shop, evaluate, run):
    few = ("adapter=toy", "adapter.styles=8", "adapter.colorways=2", "adapter.views=2", "adapter.size=64")
    lookalike("import", *few, "adapter.seed=5", "name=holdout", "split=test", at=shop)
    for split in ("test", "all"):
        told, said = evaluate(f"run={run}", "dataset=holdout", f"split={split}")
        assert told[split]["gallery"] == 32
        assert f"run tiny/{run.name} on holdout@" in said
    assert "has no picture in split 'val'; it has: test (32). Measure with split=all" in lookalike(
        "evaluate", "run=tiny", "dataset=holdout", "split=val", at=shop, code=3
    )


def test_slices_are_printed_with_their_intervals_and_counts(evaluate):
    _, said = evaluate("embedder=color_histogram", *SAW, "pixels.size=40", "match=style")
    assert "recall@1 by slice" in said
    for column in ("category: Boots", "brand: ", "view: outside", "price: up to "):
        assert column in said


@pytest.fixture(scope="module")
def judged(shop):
    """What somebody with an eye for colorways might have said, and one of a product that is not there."""
    products = versions.find("toy", shop / "data/datasets").pictures("all").unique("product", maintain_order=True)
    pairs = products.group_by("style", maintain_order=True).agg("product")["product"].to_list()  # two colors of each
    rows = [f"{head},{close},{other}" for (head, close), (other, _) in zip(pairs, pairs[1:] + pairs[:1], strict=True)]
    path = shop / "judged.csv"
    path.write_text("\n".join(["head,close,far,who", *(f"{row},me" for row in rows), "nosuch,a,b,me"]))
    return len(rows)


def test_people_are_agreed_with_or_not(lookalike, shop, run, judged):
    said = lookalike("evaluate", "run=tiny", "judgements=judged.csv", "split=all", at=shop)
    assert "does it judge as people do?" in said
    told = json.loads(next(run.rglob("judgements.json")).read_text())
    agreement = told["agreement"]
    assert (agreement["scored"], agreement["unknown"], told["judgements"]) == (judged, 1, "judged.csv")
    low, high = agreement["ci95"]
    assert 0.5 < agreement["value"] <= 1
    assert low <= agreement["value"] <= high
    lookalike("evaluate", "embedder=pretrained", *SAW, "judgements=judged.csv", at=shop)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("run=tiny", "embedder=pretrained"), 2, "give exactly one of run=RUN and embedder=pretrained|color_histogram"),
        (("embedder=pretrained",), 2, "an untrained embedder needs dataset=NAME"),
        (("run=tiny", "mirror=true"), 2, "a run brings the pixels it learnt from; leave pixels and mirror out"),
        (("embedder=color_histogram", *SAW, "pixels.gray=true"), 2, "leave pixels.gray, blur and subtract out"),
        (("embedder=color_histogram", *SAW, "embedder.pooling=gem"), 2, "embedder.pooling: no such setting"),
        (("embedder=color_histogram", *SAW, "embedder.bins=0"), 2, "embedder.bins: "),
        (("run=tiny", "judgements=nosuch.csv"), 3, "nosuch.csv"),
        (
            ("run=tiny", "judgements=lacking.csv"),
            3,
            "lacking.csv: line 1 should name each of head, close and far once; far",
        ),
        (("run=tiny", "match=colour"), 3, "match=colour: this data set has no such column"),
        (("run=tiny", "dataset=toy@nosuch"), 3, "data set 'toy' has no one version 'nosuch'"),
        (("run=tiny", "color_weight=2"), 2, "color_weight: must be 1 or less"),
    ],
)
def test_what_cannot_be_measured_is_said_with_the_mend(lookalike, shop, run, words, code, said):
    (shop / "lacking.csv").write_text("head,close\na,b\n")
    assert said in lookalike("evaluate", *words, at=shop, code=code)
