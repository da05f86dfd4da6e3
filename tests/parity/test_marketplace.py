"""Marketplace search ranking, the fifth of the older systems: its method, its cleaning of a catalog, and its faults."""

from decimal import Decimal

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image
from scipy.spatial.distance import cdist

from lookalike.catalog import versions
from lookalike.catalog.clean import category_root
from lookalike.catalog.prices import price
from lookalike.features.resize import resize
from lookalike.models.preprocessing import Prepare
from lookalike.retrieval import ranking
from lookalike.retrieval.protocol import protocol_for
from lookalike.retrieval.search import exact, nearest

WIDE = 12  # products of which each has a copy


def some(count, dimensions=24, seed=0):
    vectors = np.random.default_rng(seed).normal(size=(count, dimensions))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


# Its cleaning


@pytest.mark.parametrize(
    ("written", "amount"),
    [("1,200", "1200"), ("£1,200.00", "1200.00"), ("$20", "20"), ("", None), ("N/A", None)],
)
def test_signs_and_thousands_are_read_and_a_missing_price_is_none(written, amount):
    assert price(written).amount == (None if amount is None else Decimal(amount))


def test_the_category_is_the_root_of_its_path():
    assert category_root("Home & Garden / Dining Room / Chairs")[0] == "Home & Garden"


def taken_in(lookalike, at, rows):
    (at / "goods.csv").write_text("\n".join(["image,product,category", *rows]))
    said = lookalike("import", "adapter=csv", "source=goods.csv", "name=goods", at=at)
    return versions.find("goods", at / "data" / "datasets").pictures(), said


def drawn(at, seed):
    picture = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    Image.fromarray(picture).resize((64, 64), Image.Resampling.BICUBIC).save(at / f"{seed}.png")


def test_a_picture_that_two_products_have_is_never_learnt_from_and_measured_by(lookalike, tmp_path):
    for seed in range(WIDE):
        drawn(tmp_path, seed)
    rows = [f"{seed}.png,{shop}{seed},goods" for seed in range(WIDE) for shop in ("mine", "theirs")]
    table, _ = taken_in(lookalike, tmp_path, rows)
    assert table["product"].n_unique() == 2 * WIDE
    assert table["split"].n_unique() == 3
    assert set(table.group_by("sha256").agg(pl.col("split").n_unique())["split"]) == {1}


def test_a_product_without_a_picture_is_dropped_and_named(lookalike, tmp_path):
    for seed in range(3):
        drawn(tmp_path, seed)
    table, said = taken_in(lookalike, tmp_path, ["0.png,a,x", "1.png,b,x", "gone.png,c,x", "2.png,d,x"])
    assert sorted(table["product"]) == ["a", "b", "d"]
    assert "gone.png" in said


# Its method


def test_the_whole_picture_stands_between_bars(said_of):
    said = said_of("marketplace").pixels
    square = resize(np.full((30, 60, 3), 90, np.uint8), said.size, said.resize)
    quarter = said.size // 4
    assert (square[:quarter] == 255).all()
    assert (square[-quarter:] == 255).all()
    assert (square[quarter:-quarter] == 90).all()


def test_categories_are_learnt_and_products_are_measured(method):
    run = method("marketplace", "epochs=1")
    categories = set(run.pictures("train")["category"]) - {""}
    assert run.weights("last.ckpt")["loss.classifier.weight"].shape == (len(categories), 1000)
    assert run.metrics["protocol"]["match"] == "product"


def test_its_vectors_have_1000_dimensions(method, said_of, network_of):
    assert said_of("marketplace").backbone.options["model"] == "resnet50"
    assert (network_of("marketplace").width, network_of("marketplace").dimensions) == (2048, 1000)
    assert method("marketplace", "epochs=1").metrics["cost"]["dimensions"] == 1000


def test_pixels_are_normalised_as_those_that_the_network_learnt_from(network_of):
    said = network_of("marketplace").embedder.preprocessing
    assert (said.mean, said.deviation) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # ImageNet's
    white = Prepare(said)(torch.full((1, 4, 4, 3), 255, dtype=torch.uint8))[0, :, 0, 0]
    torch.testing.assert_close(white, torch.tensor([0.515 / 0.229, 0.544 / 0.224, 0.594 / 0.225]))


def test_the_nearest_by_l2_are_the_nearest_by_cosine_by_hand():
    query = np.array([[1.0, 0.0]], np.float32)
    gallery = np.array([[0.0, 1.0], [0.8, 0.6], [0.6, 0.8]], np.float32)  # at sqrt(2), sqrt(0.4), sqrt(0.8)
    found = nearest(query, gallery, k=3)
    assert found.rows.tolist() == [[1, 2, 0]]
    np.testing.assert_allclose(np.sqrt(2 - 2 * found.scores), np.sqrt([[0.4, 0.8, 2.0]]), atol=1e-6)


def test_the_nearest_by_l2_are_the_nearest_by_cosine_on_its_own_vectors(method):
    vectors = method("marketplace", "epochs=1").shapes("test")
    found = nearest(vectors, vectors, k=len(vectors))
    np.testing.assert_allclose(
        np.take_along_axis(cdist(vectors, vectors), found.rows, 1), np.sort(cdist(vectors, vectors)), atol=2e-3
    )


def test_all_of_the_gallery_is_searched_and_not_its_first_hundred():
    vectors = some(300)
    ask = exact(vectors, np.arange(300))
    assert ask(vectors, np.full(300, -1), 1).rows[:, 0].tolist() == list(range(300))


def test_the_index_is_built_once_for_all_queries(monkeypatch):
    monkeypatch.setattr(ranking, "BLOCK", 10)
    table = pl.DataFrame({"image": [f"{row:03}" for row in range(60)], "product": [str(row // 2) for row in range(60)]})
    asked = ranking.sides_of(table.with_columns(role=pl.lit("both"), view=pl.lit("")), protocol_for("product"))
    built, answered = [], []

    def search(gallery, apart):
        ask = exact(gallery, apart)
        built.append(len(gallery))

        def counted(queries, own, k):
            answered.append(len(queries))
            return ask(queries, own, k)

        return counted

    ranking.rank(np.repeat(some(30), 2, axis=0), asked, search=search)
    assert built == [60]
    assert answered == [10] * 6
