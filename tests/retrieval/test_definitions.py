"""Other libraries' figures from the same vectors: equal to what the libraries themselves say."""

import json
import logging
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator

from lookalike.retrieval.definitions import open_metric_learning, pytorch_metric_learning
from lookalike.retrieval.evaluation import evaluate
from lookalike.retrieval.protocol import protocol_for
from lookalike.settings import DataError

OML = json.loads((Path(__file__).parent / "oml.json").read_text())


def unit(vectors):
    vectors = np.array(vectors, float)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def table(labels):
    count = len(labels)
    columns = {name: [""] * count for name in ("style", "view", "category", "brand", "color")}
    images = [f"{number:04d}" for number in range(count)]
    return pl.DataFrame(
        {"image": images, "product": [f"p{label}" for label in labels], "role": ["both"] * count, **columns}
    )


def measured(vectors, labels, depth):
    return evaluate(vectors, table(labels), protocol_for("product"), depth=depth)


def clustered(seed, lonely):
    """Products of two to six pictures, and `lonely` pictures that have no twin."""
    random = np.random.default_rng(seed)
    labels = np.concatenate([np.repeat(np.arange(30), random.integers(2, 7, size=30)), 100 + np.arange(lonely)])
    centres = random.normal(size=(100 + lonely, 16))
    return unit(centres[labels] + 1.2 * random.normal(size=(len(labels), 16))), labels


@pytest.mark.parametrize("lonely", [0, 25])
@pytest.mark.parametrize("k", [None, 5, 12])
def test_pytorch_metric_learning_says_what_we_say_it_says(lonely, k):
    vectors, labels = clustered(3, lonely)
    names = (
        "precision_at_1",
        "r_precision",
        "mean_average_precision_at_r",
        "mean_average_precision",
        "mean_reciprocal_rank",
    )
    logging.getLogger("PML").setLevel(logging.ERROR)  # it warns that k=5 is less than R, and computes all the same
    theirs = AccuracyCalculator(include=names, k=k).get_accuracy(vectors, labels)
    ours = pytorch_metric_learning(measured(vectors, labels, depth=len(labels)), k=k)
    assert ours == pytest.approx(theirs, abs=1e-6)


def test_without_lonely_pictures_four_of_its_figures_are_ours():
    found = measured(*clustered(4, 0), depth=200)
    ours = [found.figures[name].value for name in ("precision@1", "r_precision", "map@r", "mrr")]
    theirs = pytorch_metric_learning(found)
    names = ("precision_at_1", "r_precision", "mean_average_precision_at_r", "mean_reciprocal_rank")
    assert ours == pytest.approx([theirs[name] for name in names], abs=1e-12)


@pytest.mark.parametrize("case", OML["cases"], ids=["every picture has a twin", "ten have none"])
def test_oml_says_what_we_say_it_says(case):
    vectors = unit(case["vectors"])
    scores = np.sort(vectors @ vectors.T, axis=1)
    assert np.diff(scores[:, :-1], axis=1).min() > 0  # or its figures would depend on how it happens to break ties
    ours = open_metric_learning(measured(vectors, case["labels"], depth=20))
    theirs = {name: np.nan if value is None else value for name, value in case["figures"].items()}
    assert ours == pytest.approx(theirs, abs=1e-6, nan_ok=True)


def test_oml_figures_by_hand():
    """Of four others the query finds its three twins at ranks 1, 3 and 4."""
    angles = np.radians([0, 10, 20, 30, 40])
    found = measured(np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32), [0, 0, 1, 0, 0], depth=5)
    told = open_metric_learning(evaluate_first_only(found), ks=(1, 2, 3))
    assert told["cmc@2"] == 1
    assert told["precision@2"] == 1 / 2
    assert told["precision@3"] == 2 / 3
    assert told["map@2"] == 1  # the one twin found within two came at once
    assert told["map@3"] == pytest.approx((1 + 2 / 3) / 2)


def evaluate_first_only(found):
    return type(found)(
        **{**vars(found), "table": found.table.filter(pl.col("image") == "0000"), "queries": 1, "no_twin": 0}
    )


def test_hits_that_do_not_reach_deep_enough_are_refused_not_guessed():
    found = measured(*clustered(5, 0), depth=20)
    with pytest.raises(DataError, match=r"k=\d+: the hits .* end at rank 20 .*greater depth"):
        pytorch_metric_learning(found)
    with pytest.raises(DataError, match="k=21"):
        open_metric_learning(found, ks=(1, 21))
