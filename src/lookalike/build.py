"""Names in YAML become things in memory. The only table of choices: read this file to see them all.

In: a Choice (a name and its options, checked at the door). Out: the thing itself. Never: reads a setting that it was not handed.
To add a choice: write the function, add its line here, add its YAML under configs/, test it.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from lookalike.catalog.adapters import csv, feed, folders, inshop, sop, ut_zap50k
from lookalike.catalog.product import Row
from lookalike.data import augment
from lookalike.data.augment import Augment
from lookalike.losses.contrastive import contrastive
from lookalike.models import backbone, head
from lookalike.models.backbone import Backbone
from lookalike.models.embedder import Embedder
from lookalike.settings import DRAWN, Choice, Pixels
from lookalike.toy import catalog as toy

ADAPTERS: dict[str, Callable[..., Iterator[Row]]] = {
    "csv": csv.rows,
    "folders": folders.rows,
    "feed": feed.rows,
    "ut_zap50k": ut_zap50k.rows,
    "sop": sop.rows,
    "inshop": inshop.rows,
    "toy": toy.rows,
}
BACKBONES: dict[str, Callable[..., Backbone]] = {
    "efficientnet_lite0": backbone.efficientnet_lite0,
    "timm": backbone.timm_backbone,
}
HEADS: dict[str, Callable[..., Any]] = {"linear": head.linear, "identity": head.identity}
LOSSES: dict[str, Callable[..., Any]] = {"contrastive": contrastive}
AUGMENTS: dict[str, Callable[..., Any]] = {"none": augment.none, "shift_and_light": augment.shift_and_light}
EMBEDDERS: dict[str, Callable[..., Backbone]] = {
    "pretrained": lambda: backbone.efficientnet_lite0(weights="pretrained"),
    "random": lambda: backbone.efficientnet_lite0(weights="random"),
}

# By the setting that chooses from it: what the door checks names and options against.
TABLES: Mapping[str, Mapping[str, Callable[..., Any]]] = {
    "adapter": ADAPTERS,
    "backbone": BACKBONES,
    "head": HEADS,
    "loss": LOSSES,
    "augment": AUGMENTS,
    "embedder": EMBEDDERS,
}


def rows(adapter: Choice, source: str) -> Iterator[Row]:
    """A source's rows."""
    if adapter.name == DRAWN:
        return toy.rows(**adapter.options)
    return ADAPTERS[adapter.name](Path(source).expanduser(), **adapter.options)


def embedder(backbone_said: Choice, head_said: Choice, pixels: Pixels) -> Embedder:
    """A network, its head and its preprocessing, with weights drawn from the current seed where they are not given."""
    network = BACKBONES[backbone_said.name](**backbone_said.options)
    return Embedder(network, HEADS[head_said.name](network.width, **head_said.options), gray=pixels.gray)


def untrained(said: Choice, pixels: Pixels) -> Embedder:
    """An embedder that learnt nothing here: what every trained one is held against."""
    network = EMBEDDERS[said.name](**said.options)
    return Embedder(network, head.identity(network.width), gray=pixels.gray)


def loss(said: Choice) -> Callable[..., Any]:
    """A loss with its options filled in."""
    return partial(LOSSES[said.name], **said.options)


def augmentation(said: Choice) -> Augment:
    """An augmentation with its options filled in."""
    return partial(AUGMENTS[said.name], **said.options)
