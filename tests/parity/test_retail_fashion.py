"""Retail Fashion, the third of the older systems: its method, and its faults.

A ResNet18 learnt to name the class of a product; its penultimate layer embedded, and cosine said what is most similar.
"""

import io
import tracemalloc

import numpy as np
import polars as pl
import pytest
from PIL import Image

from lookalike.catalog.images import decode
from lookalike.retrieval.protocol import protocol_for
from lookalike.retrieval.ranking import rank, sides_of

MANY = 8000


def test_its_method_is_the_penultimate_layer_of_a_resnet18(said_of, network_of):
    said, made = said_of("retail_fashion"), network_of("retail_fashion")
    assert said.backbone.options["model"] == "resnet18"
    assert (made.dimensions, said.head.name, said.loss.name) == (512, "identity", "cross_entropy")


def test_it_learns_to_name_the_class_of_a_product(said_of):
    assert said_of("retail_fashion").learn == "category"


def test_its_pictures_are_cropped(said_of):
    assert said_of("retail_fashion").pixels.resize == "crop"


def test_the_classes_are_forgotten_and_the_layer_before_them_embeds(method):
    run = method("retail_fashion", "epochs=1")
    assert run.weights("last.ckpt")["loss.classifier.weight"].shape[1] == run.metrics["cost"]["dimensions"] == 96
    assert all(name.startswith("backbone.") for name in run.weights())


def test_the_most_similar_and_their_scores_are_those_of_the_cosine(method):
    run = method("retail_fashion", "epochs=1")
    images, vectors = run.pictures("test")["image"].to_list(), run.shapes("test").astype(np.float64)
    cosine = vectors @ vectors.T / np.outer(*[np.linalg.norm(vectors, axis=1)] * 2)
    np.fill_diagonal(cosine, -np.inf)
    number = {image: row for row, image in enumerate(images)}
    for asked in run.table.iter_rows(named=True):
        of = cosine[number[asked["image"]]]
        best = np.sort(of)[::-1]
        assert asked["score"] == pytest.approx(best[0], abs=1e-5)
        brought = of[[number[image] for image in asked["nearest"]]]
        np.testing.assert_allclose(brought, best[: len(brought)], atol=1e-5)


def test_a_photograph_taken_with_the_phone_turned_comes_out_upright():
    upright = np.zeros((24, 40, 3), np.uint8)
    upright[:12, :, 0] = 250  # red is above
    turned = np.rot90(upright)  # as the sensor has it; orientation 6 says: turn it clockwise
    exif, file = Image.Exif(), io.BytesIO()
    exif[0x0112] = 6
    Image.fromarray(turned).save(file, "JPEG", quality=95, subsampling=0, exif=exif)
    seen = decode(file.getvalue())
    assert seen.shape == upright.shape
    assert np.abs(seen.astype(int) - upright).max() < 25


def test_the_scores_of_all_with_all_are_never_held():
    random = np.random.default_rng(0)
    of_products = random.normal(size=(MANY // 2, 16))
    vectors = np.repeat(of_products, 2, axis=0) + random.normal(scale=0.01, size=(MANY, 16))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    products = [str(row // 2) for row in range(MANY)]
    images = [f"{row:05}" for row in range(MANY)]
    table = pl.DataFrame({"image": images, "product": products}).with_columns(role=pl.lit("both"), view=pl.lit(""))
    asked = sides_of(table, protocol_for("product"))
    tracemalloc.start()
    found = rank(vectors, asked)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.metrics["recall@1"].mean() > 0.9
    assert most < MANY * MANY * vectors.itemsize / 8
