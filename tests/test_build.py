"""The one table of choices: names become things, with their options and nothing else."""

import numpy as np
import pytest
import torch

from lookalike import build
from lookalike.losses.memory import CrossBatchMemory
from lookalike.settings import Choice, ConfigError, Pixels

TINY = Choice(name="timm", options={"model": "test_resnet"})


def chosen(name, **options):
    return Choice(name=name, options=options)


def unit(rows, width=8):
    return torch.nn.functional.normalize(torch.randn(rows, width), dim=1)


@pytest.mark.parametrize("head", ["identity", "affine", "linear", "projection"])
def test_an_embedder_knows_how_wide_its_vectors_are(head):
    made = build.embedder(TINY, chosen(head), Pixels(size=32))
    with torch.inference_mode():
        vectors = made.embedder.eval()(torch.zeros(2, 32, 32, 3, dtype=torch.uint8))
    assert vectors.shape == (2, made.dimensions)
    assert (made.width, made.report) == (96, "")


def test_folded_pixels_fold_the_backbone():
    made = build.embedder(TINY, chosen("identity"), Pixels(size=32, gray=True, folded=True))
    assert next(made.embedder.backbone.parameters()).shape[1] == 1


@pytest.mark.parametrize(
    ("said", "dimensions"),
    [
        (chosen("whitening"), 96),
        (chosen("centering"), 96),
        (chosen("pca_whitening"), 96),
        (chosen("pca_whitening", dimensions=7), 7),
        (chosen("lda"), 96),  # 128 at most
        (chosen("lda", dimensions=16), 16),
        (chosen("lda", dimensions=0), 96),
    ],
    ids=str,
)
def test_a_closed_form_fits_the_room_that_is_made_for_it(said, dimensions):
    room = build.room_for(said, 96)
    labels = np.arange(40) // 2
    fits = list(build.closed_forms(said, np.random.default_rng(0).normal(size=(40, 96)), labels))
    for fit in fits:
        room.take(fit)
    assert build.dimensions_of(said, 96) == room.linear.out_features == dimensions
    assert fits


@pytest.mark.parametrize("name", ["contrastive", "triplet", "cross_entropy", "pml:ProxyAnchorLoss"])
def test_every_loss_is_called_alike(name):
    loss = build.loss(chosen(name), dimensions=8, classes=3)
    assert loss(unit(6), torch.arange(6) % 3).ndim == 0


def test_the_options_of_a_loss_reach_it():
    line = torch.tensor([[1.0, 0.0], [0.0, 1.0]])  # two strangers, the square root of 2 apart
    labels = torch.arange(2)
    near, far = (build.loss(chosen("contrastive", margin=m), dimensions=2, classes=2)(line, labels) for m in (1.0, 2.0))
    assert (float(near), float(far) > 0) == (0, True)


def test_a_miner_is_handed_to_the_loss_of_its_library_and_to_no_other():
    miner = chosen("pml:BatchHardMiner")
    loss = build.loss(chosen("pml:TripletMarginLoss"), miner, dimensions=8, classes=3)
    assert type(loss.miner).__name__ == "BatchHardMiner"
    with pytest.raises(
        ConfigError, match="miner=pml:BatchHardMiner: loss=triplet takes no miner; choose a loss pml:NAME"
    ):
        build.loss(chosen("triplet"), miner, dimensions=8, classes=3)


def test_a_memory_stands_before_a_loss_that_can_use_one():
    assert isinstance(build.loss(chosen("triplet"), dimensions=8, classes=3, memory=5), CrossBatchMemory)
    with pytest.raises(ConfigError, match="this loss cannot compare a batch with earlier ones; set memory.size=0"):
        build.loss(chosen("cross_entropy"), dimensions=8, classes=3, memory=5)


@pytest.mark.parametrize(
    ("said", "margin"),
    [
        (chosen("triplet"), 0.2),
        (chosen("triplet", margin=0.5), 0.5),
        (chosen("triplet", soft=True), None),
        (chosen("pml:TripletMarginLoss"), 0.05),
        (chosen("pml:SupConLoss"), None),
        (chosen("contrastive"), None),  # of pairs, not of triplets
    ],
    ids=str,
)
def test_only_a_loss_with_a_hinge_has_a_margin_that_every_triplet_may_keep(said, margin):
    assert build.margin(said) == margin


def test_the_tables_know_a_librarys_names_only_by_its_prefix():
    assert "pml:TripletMarginLoss" in build.LOSSES
    assert "pml:BatchHardMiner" in build.MINERS
    for wrong in ("TripletMarginLoss", "pml:BatchHardMiner", "pml:", "other:TripletMarginLoss"):
        assert wrong not in build.LOSSES
    assert build.LOSSES.near("triplt") == ["contrastive", "triplet", "cross_entropy"]
    assert "pml:TripletMarginLoss" in build.LOSSES.near("pml:Triplet")


@pytest.mark.parametrize("name", build.EMBEDDERS)
def test_what_learnt_nothing_embeds_to_unit_vectors(name):
    embed, wanted = build.untrained(chosen(name), Pixels(size=32))
    vectors = embed(np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8))
    assert wanted.size == 32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1], abs=1e-5)


@pytest.mark.parametrize("pixels", [{"gray": True}, {"blur": 1.0}, {"subtract": "mean"}], ids=str)
def test_colors_are_counted_as_they_are(pixels):
    with pytest.raises(ConfigError, match="counts a picture's own colors"):
        build.untrained(chosen("color_histogram"), Pixels(size=32, **pixels))


def test_a_drawn_adapter_needs_no_source():
    row = next(build.rows(chosen("toy", styles=1, views=2, size=64), ""))
    assert row is not None
