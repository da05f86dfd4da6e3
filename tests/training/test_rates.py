"""Rates: which weights learn how fast, and when."""

import pytest
import torch
from torch import nn

from lookalike.losses.classes import CrossEntropy
from lookalike.losses.contrastive import contrastive
from lookalike.models import backbone
from lookalike.models.backbone import Backbone
from lookalike.models.embedder import Embedder
from lookalike.models.head import projection
from lookalike.settings import Optimiser
from lookalike.training.rates import adamw, rates_of, schedules, share_of_rate, stages


def embedder():
    layers = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 6)
    )
    network = Backbone(network=layers, width=6, mean=(0.5,) * 3, deviation=(0.5,) * 3)
    return Embedder(network, projection(6, hidden=5, dimensions=2))


def first_and_last(network):
    return [(stage[0][0], stage[-1][0]) for stage in stages(network)]


def test_a_residual_network_has_its_stem_and_four_stages():
    found = first_and_last(backbone.timm_backbone(model="resnet18").network)
    assert found[0] == ("conv1.weight", "bn1.bias")
    assert [first.partition(".")[0] for first, _ in found] == ["conv1", "layer1", "layer2", "layer3", "layer4"]


def test_an_efficientnet_has_its_stem_and_seven_stages_the_last_with_what_has_no_number():
    found = first_and_last(backbone.efficientnet_lite0(weights="random").network)
    assert found[0] == ("conv_stem.weight", "bn1.bias")
    assert [".".join(first.split(".")[:2]) for first, _ in found[1:]] == [f"blocks.{number}" for number in range(7)]
    assert found[-1][1] == "bn2.bias"


@pytest.mark.parametrize(
    "made",
    [
        lambda: backbone.timm_backbone(model="vit_tiny_patch16_224"),
        lambda: backbone.torchvision_backbone(model="vit_b_16"),
    ],
)
def test_a_transformer_has_its_embedding_and_each_block(made):
    found = first_and_last(made().network)
    assert len(found) == 13
    assert found[0][0] in {"cls_token", "class_token"}
    assert found[-1][1] in {"norm.bias", "encoder.ln.bias"}


def test_every_weight_is_in_one_stage():
    network = backbone.timm_backbone(model="convnext_atto").network
    names = [name for stage in stages(network) for name, _ in stage]
    assert names == [name for name, _ in network.named_parameters()]


def test_each_part_learns_at_its_rate_and_each_stage_at_a_share_of_the_next():
    said = Optimiser(head_lr=0.8, backbone_lr=0.4, loss_lr=2.0, layer_decay=0.5, weight_decay=0.1)
    one, loss = embedder(), CrossEntropy(2, 3)
    rates = {id(w): (g["lr"], g["weight_decay"]) for g in adamw(one, loss, said).param_groups for w in g["params"]}
    given = {name: rates[id(weight)] for name, weight in [*one.named_parameters(), *loss.named_parameters()]}
    assert given == {
        "backbone.0.weight": (0.2, 0.1),  # the stem
        "backbone.0.bias": (0.2, 0),
        "backbone.1.weight": (0.2, 0),  # a norm is no stage of its own
        "backbone.1.bias": (0.2, 0),
        "backbone.4.weight": (0.4, 0.1),
        "backbone.4.bias": (0.4, 0),
        "head.0.weight": (0.8, 0.1),
        "head.1.weight": (0.8, 0),
        "head.1.bias": (0.8, 0),
        "head.3.weight": (0.8, 0.1),
        "classifier.weight": (2.0, 0.1),
        "classifier.bias": (2.0, 0),
    }


def test_what_is_frozen_is_not_in_the_optimiser():
    one = embedder()
    one.backbone.requires_grad_(False)
    assert set(rates_of(adamw(one, contrastive, Optimiser()))) == {"head"}


def test_the_rate_rises_in_a_line_and_falls_along_a_cosine():
    shares = [share_of_rate(step, 10, 0.2) for step in range(10)]
    assert shares[:3] == [0.5, 1.0, 1.0]
    assert shares[6] == pytest.approx(0.5)  # half-way down
    assert shares == sorted(shares[:2]) + sorted(shares[2:], reverse=True)


def test_the_rate_rises_in_a_line_and_stays():
    assert [share_of_rate(step, 10, 0.4, "constant") for step in range(6)] == [0.25, 0.5, 0.75, 1, 1, 1]


def test_on_a_plateau_the_rate_falls_to_a_tenth_after_so_many_epochs_without_gain():
    said = Optimiser(head_lr=1.0, schedule="plateau", plateau=2, warmup=0.5)
    optimiser = torch.optim.SGD([{"params": [nn.Parameter(torch.zeros(2))], "lr": 1.0, "name": "head"}])
    warm, drops = (one["scheduler"] for one in schedules(optimiser, said, steps=8, batches=1, by="val"))
    seen = []
    for val in (0.5, 0.6, 0.6, 0.6, 0.7, 0.7, 0.7):  # a step an epoch
        seen.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        warm.step()
        drops.step(val)
    seen.append(optimiser.param_groups[0]["lr"])
    assert seen == pytest.approx([0.25, 0.5, 0.75, 1.0, 0.1, 0.1, 0.1, 0.01])
