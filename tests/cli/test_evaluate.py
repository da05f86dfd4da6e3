"""`lookalike evaluate`: runs and untrained embedders on any data set, and what people judged."""

import json

import numpy as np
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


def test_the_views_of_a_product_are_joined_into_one_answer_too(evaluate):
    told, said = evaluate("embedder=color_histogram", "embedder.bins=5", *SAW)
    assert set(told["products"]) == {"mean", "max"}
    for figures in told["products"].values():
        assert set(figures) == {"recall@1", "recall@5", "recall@10", "mrr"}
        assert figures["recall@1"]["value"] >= told["all"]["recall@1"]["value"]  # 48 products to be lost among, not 144
        assert figures["recall@1"]["queries"] == told["all"]["queries"]
    assert "products: their views joined into one answer" in said
    assert f"{told['products']['mean']['mrr']['value']:.3f}" in said


def test_what_it_costs_is_told(evaluate):
    network, _ = evaluate("embedder=random", *SAW, "seed=3")
    colors, _ = evaluate("embedder=color_histogram", "embedder.bins=6", *SAW)
    for told in (network, colors):
        assert told["cost"]["milliseconds_per_image"] > 0
        assert told["cost"]["milliseconds_per_query"] > 0
        assert (told["cost"]["training_minutes"], told["cost"]["threads"]) == (0, 2)
    assert (network["cost"]["dimensions"], colors["cost"]["megabytes"]) == (1280, 0)
    assert 12 < network["cost"]["megabytes"] < 15  # 3.4 million weights of four bytes, and statistics


def test_another_search_is_asked_for_told_and_written_beside_the_exact_one(evaluate):
    exact, _ = evaluate("embedder=color_histogram", "embedder.bins=7", *SAW)
    other, _ = evaluate("embedder=color_histogram", "embedder.bins=7", *SAW, "search=expansion", "search.neighbours=2")
    assert exact["protocol"]["search"] == "exact"
    assert other["protocol"]["search"] == "expansion(neighbours=2, power=3.0)"
    assert other["all"]["map@r"]["value"] != exact["all"]["map@r"]["value"]
    assert "products" not in other  # they are ranked by the exact search alone


def test_val_chooses_the_weight_of_color_for_what_learnt_nothing(evaluate, lookalike, shop):
    words = ("embedder=random", "dataset=toy", "pixels.size=32", "seed=4", "color_weight=val")
    told, said = evaluate(*words)
    scores, weight = told["chosen"]["val map@r by color weight"], told["chosen"]["color weight"]
    assert len(scores) == 21
    assert scores[str(weight)] == max(scores.values())
    assert told["protocol"]["color_weight"] == weight > 0  # a random network knows less than colors do
    assert f"Weight of color: {weight:g}, chosen by map@r of toy@" in said
    refused = lookalike("evaluate", *words, "split=all", at=shop, code=2)
    assert "split=all would be measured with a weight that was chosen on it" in refused


def test_a_run_brings_the_weight_of_color_that_its_val_chose(lookalike, shop, evaluate):
    lookalike("train", *SMALL, "epochs=0", "match=product", "color_weight=val", "name=weighed", at=shop)
    (folder,) = (shop / "runs" / "weighed").iterdir()
    run = json.loads((folder / "metrics.json").read_text())
    own, said = evaluate("run=weighed")
    assert own["protocol"]["color_weight"] == own["chosen"]["color weight"] == run["chosen"]["color weight"]
    assert own["test"] == run["test"]
    assert "chosen by map@r of the run's own val" in said
    other, _ = evaluate("run=weighed", "match=color")  # another question, so val is asked again
    assert len(other["chosen"]["val map@r by color weight"]) == 21
    fixed, _ = evaluate("run=weighed", "color_weight=0")
    assert (fixed["protocol"]["color_weight"], "chosen" in fixed) == (0, False)


@pytest.fixture(scope="module")
def theirs(shop):
    """Vectors that tell every product from the others, in an order of their own."""
    table = versions.find("toy", shop / "data/datasets").pictures("all").sample(fraction=1, shuffle=True, seed=1)
    _, product = np.unique(table["product"].to_numpy(), return_inverse=True)
    np.savez(
        shop / "theirs.npz",
        images=table["image"].to_numpy().astype(str),
        vectors=7 * np.eye(product.max() + 1)[product],
    )
    np.savez(shop / "few.npz", images=table["image"].to_numpy().astype(str)[:100], vectors=np.ones((100, 3)))
    return shop / "theirs.npz"


def test_vectors_of_another_program_are_measured_as_ours_are(evaluate, theirs):
    told, said = evaluate("embedder=vectors", "embedder.file=theirs.npz", "dataset=toy", "split=all")
    assert told["all"]["map@r"]["value"] == 1
    assert told["subject"] == "vectors of theirs.npz"
    assert told["vectors"]["file"] == "theirs.npz"
    assert "vectors of theirs.npz on toy@" in said
    assert told["cost"]["dimensions"] == 48
    assert (
        told["cost"]["milliseconds_per_image"] is told["cost"]["megabytes"] is told["cost"]["training_minutes"] is None
    )
    assert "preprocessing" not in told


def test_color_is_weighed_beside_their_vectors_too(evaluate, theirs):
    told, _ = evaluate("embedder=vectors", "embedder.file=theirs.npz", "dataset=toy", "split=all", "color_weight=0.5")
    assert told["protocol"]["color_weight"] == 0.5
    assert told["cost"]["dimensions"] == 48 + 335


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("embedder.file=few.npz",), 3, "few.npz: has no vector for 44 of 144 pictures, such as "),
        (("embedder.file=nosuch.npz",), 3, "nosuch.npz: there is no such file"),
        ((), 2, "add embedder.file=FILE"),
        (
            ("embedder.file=theirs.npz", "mirror=true"),
            2,
            "brings vectors that stand already; leave pixels and mirror out",
        ),
        (("embedder.file=theirs.npz", "pixels.gray=true"), 2, "leave pixels and mirror out"),
        (("embedder.path=theirs.npz",), 2, "embedder.path: no such setting"),
    ],
)
def test_vectors_that_cannot_be_measured_are_refused_with_the_mend(lookalike, shop, theirs, words, code, said):
    assert said in lookalike("evaluate", "embedder=vectors", "dataset=toy", "split=all", *words, at=shop, code=code)


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
        (("run=tiny", "color_weight=vol"), 2, "color_weight: "),
        (("run=tiny", "search=nosuch"), 2, "search"),
    ],
)
def test_what_cannot_be_measured_is_said_with_the_mend(lookalike, shop, run, words, code, said):
    (shop / "lacking.csv").write_text("head,close\na,b\n")
    assert said in lookalike("evaluate", *words, at=shop, code=code)
