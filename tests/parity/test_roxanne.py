"""Roxanne, the fourth of the older systems: shape and color apart, the nearest clusters, a Siamese network; and its faults."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from lookalike import build
from lookalike.data.sampler import Draw
from lookalike.models.preprocessing import Prepare
from lookalike.reporting.embedding_map import plane
from lookalike.retrieval.search import nearest

SIAMESE = ()  # its own network, which is small


def noise(count, size, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


# What becomes of a picture


def test_the_middle_is_cut_out_made_gray_and_blurred_and_its_median_is_taken_away(method):
    said = method("roxanne").subject().wanted
    assert (said.resize, said.gray, said.subtract) == ("crop", True, "median")
    planes = Prepare(said)(torch.from_numpy(noise(3, said.size)))
    torch.testing.assert_close(planes.flatten(2).quantile(0.5, dim=2), torch.zeros(3, 3), atol=1e-5, rtol=0)


def test_the_blur_is_that_of_opencvs_kernel_of_3_pixels(said_of):
    pixels = 3
    assert said_of("roxanne").pixels.blur == pytest.approx(0.3 * ((pixels - 1) * 0.5 - 1) + 0.8)  # as its manual has it


def test_a_picture_that_cannot_be_read_is_listed_and_ends_nothing(lookalike, tmp_path):
    for name in "ab":
        Image.fromarray(noise(1, 40, seed=ord(name))[0]).save(tmp_path / f"{name}.png")
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff, and no more")
    (tmp_path / "shoes.csv").write_text("image,product\na.png,1\nbroken.jpg,2\nb.png,3\n")
    said = lookalike("import", "adapter=csv", "source=shoes.csv", "name=shoes", "split=test", at=tmp_path)
    assert "broken.jpg" in said
    assert "set aside  1" in said


# Shape and color


def test_the_shape_is_4096_features_of_a_vgg_and_none_is_below_zero(said_of, network_of):
    made = network_of("roxanne")
    assert said_of("roxanne").backbone.options["model"] == "vgg16"
    assert made.dimensions == 4096
    assert [type(part) for part in list(made.embedder.backbone.modules())[-3:]] == [nn.ReLU, nn.Dropout, nn.Identity]


def test_the_shape_knows_no_color(method):
    embed = method("roxanne").subject().embed
    pictures = noise(2, 32)
    gray = pictures @ np.array([0.299, 0.587, 0.114])
    washed = np.repeat(gray.round().astype(np.uint8)[..., None], 3, axis=3)
    np.testing.assert_allclose(embed(pictures), embed(washed), atol=0.003)  # in color they are 0.04 apart


def test_the_weight_of_color_is_the_users(method, measured):
    run = method("roxanne")
    assert run.metrics["protocol"]["color_weight"] == run.settings.color_weight > 0
    exact = (f"run={run.folder}", "search=exact")
    none, some, all_of_it = (measured(*exact, f"color_weight={weight}") for weight in (0, 0.3, 1))
    assert some["protocol"]["similarity"] == "0.7 x cosine of the shapes + 0.3 x cosine of the colors"
    same = ("pixels.size=32", "pixels.resize=crop", f"pixels.interpolation={run.subject().wanted.interpolation}")
    assert all_of_it["test"] == measured("embedder=color_histogram", *same)["test"]
    assert none["protocol"]["similarity"] == "cosine"
    assert len({told["test"]["map@r"]["value"] for told in (none, some, all_of_it)}) == 3


# The search


def test_cosine_is_over_all_dimensions_and_not_over_those_that_both_have():
    query = np.array([[0.6, 0.8, 0.0]], np.float32)
    gallery = np.array([[0.6, 0.0, 0.8], [0.0, 1.0, 0.0]], np.float32)
    found = nearest(query, gallery, k=2)
    assert found.rows.tolist() == [
        [1, 0]
    ]  # over what it shares with the first, 0.6 alone, that one's cosine would be 1
    np.testing.assert_allclose(found.scores, [[0.8, 0.36]], atol=1e-6)


def test_as_many_clusters_are_probed_as_the_user_says_and_all_of_them_find_what_the_exact_search_finds(
    method, measured
):
    ask = (f"run={method('roxanne').folder}", "split=all", "color_weight=0")
    one, every = (measured(*ask, "search=clusters", f"search.probes={probes}") for probes in (1, 100))
    exact = measured(*ask, "search=exact")
    assert one["protocol"]["search"] == "clusters(clusters=100, probes=1, seed=0)"
    assert one["all"]["recall@20"]["value"] < every["all"]["recall@20"]["value"]
    assert every["all"] == exact["all"]


def test_its_method_searches_by_clusters(method):
    run = method("roxanne")
    probes = run.settings.search.options["probes"]
    assert run.metrics["protocol"]["search"] == f"clusters(clusters=100, probes={probes}, seed=0)"


def test_more_clusters_than_one_are_probed(said_of):
    assert said_of("roxanne").search.options["probes"] > 1


def test_the_nearest_five_are_told(method):
    assert set(method("roxanne").table["nearest"].list.len()) == {5}


# The Siamese network


def test_its_network_sees_50_pixels_and_gives_200_dimensions(method):
    run = method("roxanne_siamese", "epochs=1", network=SIAMESE)
    assert run.subject().wanted.size == 50
    assert run.metrics["cost"]["dimensions"] == 200
    assert any(line["train/loss"] > 0 for line in run.history if "train/loss" in line)


def test_it_learns_from_pairs_of_which_half_are_twins(said_of):
    said, labels = said_of("roxanne_siamese").batch, np.repeat(np.arange(200), 3)
    draw = Draw(labels=labels, sampler=said.sampler, products=said.products)
    pairs = next(draw.batches(0)).reshape(-1, 2)
    twins = labels[pairs[:, 0]] == labels[pairs[:, 1]]
    assert (len(pairs), twins.sum()) == (said.products, said.products / 2)


def test_twins_are_pulled_together_and_strangers_pushed_to_a_margin_of_1(said_of):
    loss = build.loss(said_of("roxanne_siamese").loss, dimensions=1, classes=2)
    line = torch.tensor([[0.0], [0.5], [0.9]])  # twins at 0 and 0.5; a stranger 0.9 from one, 0.4 from the other
    expected = 0.5**2 + ((1 - 0.9) ** 2 + (1 - 0.4) ** 2) / 2
    assert float(loss(line, torch.tensor([0, 0, 1]))) == pytest.approx(expected)


def test_train_and_val_share_no_product_nor_style_nor_picture(lookalike, method, shop):
    run = method("roxanne_siamese", "epochs=1", network=SIAMESE)
    for column in ("product", "style", "sha256"):
        assert not set(run.pictures("train")[column]) & set(run.pictures("val")[column])
    lookalike("audit", "dataset=toy", at=shop)  # a leak would be its exit 1


def test_a_network_that_learns_has_its_drop_out_on_and_one_that_is_measured_off(method, monkeypatch):
    seen, forward = {True: set(), False: set()}, nn.Dropout.forward

    def watched(self, given):
        seen[torch.is_grad_enabled()].add(self.training)
        return forward(self, given)

    monkeypatch.setattr(nn.Dropout, "forward", watched)
    dropping = (
        "backbone=torchvision",
        "backbone.model=mobilenet_v3_small",
        "backbone.weights=random",
        "pixels.size=16",
    )
    method("roxanne_siamese", "epochs=1", network=dropping)
    assert seen == {True: {True}, False: {False}}


# What else it had


def test_a_map_by_t_sne_keeps_neighbours_together(method):
    drawn = plane(method("roxanne").shapes("train"))
    assert drawn.places.shape == (len(method("roxanne").pictures("train")), 2)
    assert drawn.kept > 0.8  # by chance it is about a half
