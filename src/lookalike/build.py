"""Names in YAML become things in memory. The only table of choices: read this file to see them all.

In: a Choice (a name and its options, checked at the door). Out: the thing itself. Never: reads a setting that it was not handed.
To add a choice: write the function, add its line here, add its YAML under configs/, test it.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lookalike.catalog.adapters import csv, feed, folders, inshop, sop, ut_zap50k
from lookalike.catalog.product import Row
from lookalike.data import augment, transforms
from lookalike.data.augment import Augment
from lookalike.features.color_histogram import color_histogram
from lookalike.losses import classes, library
from lookalike.losses.contrastive import contrastive
from lookalike.losses.memory import CrossBatchMemory
from lookalike.losses.triplet import triplet
from lookalike.models import backbone, closed, head
from lookalike.models.backbone import Backbone
from lookalike.models.closed import Affine, Fit
from lookalike.models.embedder import Embed, Embedder, as_callable
from lookalike.models.pooling import Pooling
from lookalike.models.preprocessing import Preprocessing, preprocessing
from lookalike.retrieval import foreign
from lookalike.retrieval.clusters import clusters
from lookalike.retrieval.rerank import expansion, k_reciprocal
from lookalike.retrieval.search import Search, exact
from lookalike.settings import DRAWN, Choice, ConfigError, Pixels
from lookalike.toy import catalog as toy
from shops import shop as shops

Maker = Callable[..., Any]


PML = "pml:"  # pytorch-metric-learning's


def of_library(name: object) -> bool:
    """Whether a name is the library's."""
    return str(name).startswith(PML)


class Named(dict[str, Maker]):
    """A table that also knows every name of a library, as `pml:TripletMarginLoss`; asked for only where one is said."""

    def __init__(
        self, own: Mapping[str, Maker], make: Callable[[str], Maker], names: Callable[[], tuple[str, ...]]
    ) -> None:
        super().__init__(own)
        self.make, self.names = make, names

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or str(name).removeprefix(PML) in (self.names() if of_library(name) else ())

    def __missing__(self, name: str) -> Maker:
        return self.make(name.removeprefix(PML))

    def near(self, name: str) -> list[str]:
        """What might have been meant by a name that is not here."""
        return [*self, *(f"{PML}{one}" for one in (self.names() if of_library(name) else ()))]


def _pretrained(*, pooling: Pooling = "own") -> Backbone:
    return backbone.efficientnet_lite0(weights="pretrained", pooling=pooling)


def _random(*, pooling: Pooling = "own") -> Backbone:
    return backbone.efficientnet_lite0(weights="random", pooling=pooling)


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
    "efficientnet_lite1": backbone.efficientnet_lite1,
    "efficientnet_lite2": backbone.efficientnet_lite2,
    "small": backbone.small,
    "timm": backbone.timm_backbone,
    "torchvision": backbone.torchvision_backbone,
}
HEADS: dict[str, Maker] = {
    "identity": head.identity,
    "linear": head.linear,
    "projection": head.projection,
    "affine": closed.affine,
}
CLOSED: dict[str, Callable[..., Iterator[Fit]]] = {
    "whitening": closed.whitening,
    "lda": closed.lda,
    "pca_whitening": closed.pca_whitening,
    "centering": closed.centering,
}
PURE_LOSSES: dict[str, Maker] = {"contrastive": contrastive, "triplet": triplet}
LOSSES = Named({**PURE_LOSSES, "cross_entropy": classes.cross_entropy}, make=library.loss_maker, names=library.names)
HINGED = ("triplet", "pml:TripletMarginLoss")  # their margin may be reached by all, and then nothing is learnt
MINERS = Named({}, make=library.miner_maker, names=library.miner_names)
AUGMENTS: dict[str, Maker] = {
    "none": augment.none,
    "shift_and_light": augment.shift_and_light,
    "crop_and_light": augment.crop_and_light,
    "albumentations": transforms.albumentations,
}
EMBEDDERS: dict[str, Maker] = {"pretrained": _pretrained, "random": _random, "color_histogram": color_histogram}
FOREIGN: dict[str, Callable[..., foreign.Foreign]] = {"vectors": foreign.read}  # what embedded elsewhere
SEARCHES: dict[str, Callable[..., Search]] = {
    "exact": lambda: exact,
    "expansion": expansion,
    "k_reciprocal": k_reciprocal,
    "clusters": clusters,
}

SHOPS: dict[str, Callable[..., shops.Shop]] = dict.fromkeys(shops.names(), shops.shop)  # a spider is a shop

# By the setting that chooses from it: what the door checks names and options against.
TABLES: Mapping[str, Mapping[str, Maker]] = {
    "shop": SHOPS,
    "adapter": ADAPTERS,
    "backbone": BACKBONES,
    "head": HEADS,
    "start": CLOSED,
    "finish": CLOSED,
    "loss": LOSSES,
    "miner": MINERS,
    "augment": AUGMENTS,
    "embedder": {**EMBEDDERS, **FOREIGN},
    "search": SEARCHES,
}


def rows(adapter: Choice, source: str) -> Iterator[Row]:
    """A source's rows."""
    if adapter.name == DRAWN:
        return toy.rows(**adapter.options)
    return ADAPTERS[adapter.name](Path(source).expanduser(), **adapter.options)


def shop(said: Choice) -> shops.Shop:
    """A shop to be walked."""
    return SHOPS[said.name](said.name, **said.options)


@dataclass(frozen=True, kw_only=True)
class Made:
    """An embedder with weights drawn from the current seed where they are not given."""

    embedder: Embedder
    width: int  # of the backbone's features
    dimensions: int  # of what the head gives
    is_random: bool  # no weights were given to the backbone
    report: str  # which weights of a file did not fit; "" where all did


def embedder(said: Choice, head_said: Choice, pixels: Pixels, *, mirror: bool = False) -> Made:
    """A network, its head and its preprocessing."""
    network = _backbone(BACKBONES[said.name](**said.options), pixels)
    top = HEADS[head_said.name](network.width, **head_said.options)
    made = Embedder(network, top, preprocessing(pixels, network), mirror=mirror)
    with torch.no_grad():
        dimensions = top.eval()(torch.zeros(1, network.width)).shape[1]
    return Made(
        embedder=made, width=network.width, dimensions=dimensions, is_random=_is_random(said), report=network.report
    )


def _is_random(said: Choice) -> bool:
    default = inspect.signature(BACKBONES[said.name]).parameters["weights"].default
    return bool(said.options.get("weights", default) == backbone.RANDOM)


def untrained(said: Choice, pixels: Pixels, *, mirror: bool = False) -> tuple[Embed, Preprocessing]:
    """An embedder that learnt nothing here: what every trained one is held against. And what it wants of a picture."""
    made = untrained_network(said, pixels, mirror=mirror)
    if made is not None:
        return as_callable(made), made.preprocessing
    if mirror:
        raise ConfigError("embedder=color_histogram sees no difference in a mirror image; leave mirror out")
    return color(said), _as_it_is(pixels)


def untrained_network(said: Choice, pixels: Pixels, *, mirror: bool = False) -> Embedder | None:
    """The network of an embedder that learnt nothing here; None where there is none in it."""
    if EMBEDDERS[said.name] is color_histogram:
        return None
    network = _backbone(EMBEDDERS[said.name](**said.options), pixels)
    return Embedder(network, head.identity(network.width), preprocessing(pixels, network), mirror=mirror)


def color(said: Choice | None = None) -> Embed:
    """The color vector of the house."""
    return partial(color_histogram, **(said.options if said else {}))


def color_options(said: Choice | None = None) -> dict[str, Any]:
    """Every option of the color vector, those that nobody said too."""
    options = {name: one.default for name, one in inspect.signature(color_histogram).parameters.items()}
    del options["pictures"]
    return options | (said.options if said else {})


def _as_it_is(pixels: Pixels) -> Preprocessing:
    """A picture's own colors, at the size that is asked for."""
    if pixels.gray or pixels.blur or pixels.subtract != "none":
        raise ConfigError(
            "embedder=color_histogram counts a picture's own colors; leave pixels.gray, blur and subtract out"
        )
    return preprocessing(pixels, Backbone(network=torch.nn.Identity(), width=0, mean=(0.0,) * 3, deviation=(1.0,) * 3))


def _backbone(network: Backbone, pixels: Pixels) -> Backbone:
    return backbone.folded(network, subtract=pixels.subtract) if pixels.folded else network


def closed_forms(said: Choice, features: np.ndarray, labels: np.ndarray) -> Iterator[Fit]:
    """The maps that a closed form offers for these features."""
    return CLOSED[said.name](features, labels, **said.options)


def room_for(said: Choice, width: int) -> Affine:
    """An empty map of the shape that a closed form gives for embeddings of this width."""
    return Affine(width, dimensions_of(said, width))


def dimensions_of(said: Choice, width: int) -> int:
    """How many dimensions a closed form gives for embeddings of this width."""
    defaults = {name: one.default for name, one in inspect.signature(CLOSED[said.name]).parameters.items()}
    dimensions = said.options.get("dimensions", defaults.get("dimensions", 0))
    return min(dimensions, width) or width


def loss(
    said: Choice, miner: Choice | None = None, *, dimensions: int, classes: int, memory: int = 0, warmup_steps: int = 0
) -> Callable[..., Any]:
    """A loss with its options filled in, its miner, and its memory of so many embeddings."""
    one = _loss(said, miner, dimensions, classes)
    if not memory:
        return one
    return CrossBatchMemory(one, size=memory, dimensions=dimensions, warmup_steps=warmup_steps)


def _loss(said: Choice, miner: Choice | None, dimensions: int, classes: int) -> Callable[..., Any]:
    if miner and not of_library(said.name):
        raise ConfigError(
            f"miner={miner.name}: loss={said.name} takes no miner; choose a loss {PML}NAME, or leave it out"
        )
    if said.name in PURE_LOSSES:
        return partial(PURE_LOSSES[said.name], **said.options)
    mined = {"miner": MINERS[miner.name](**miner.options)} if miner else {}
    made: Callable[..., Any] = LOSSES[said.name](dimensions, classes, **mined, **said.options)
    return made


def margin(said: Choice) -> float | None:
    """The margin beyond which a triplet has nothing left to teach; None where a loss has no such hinge."""
    if said.name not in HINGED or said.options.get("soft"):
        return None
    default = inspect.signature(LOSSES[said.name]).parameters["margin"].default
    return float(said.options.get("margin", default))


def search(said: Choice | None) -> Search:
    """How the nearest are found and put in order; exact where nothing is said."""
    return SEARCHES[said.name](**said.options) if said else exact


def search_in_words(said: Choice | None) -> str:
    """A search with every option, as a protocol tells it: k_reciprocal(k1=20, k2=6, share=0.3, depth=100)."""
    if said is None:
        return "exact"
    options = {name: one.default for name, one in inspect.signature(SEARCHES[said.name]).parameters.items()}
    words = ", ".join(f"{name}={value}" for name, value in (options | said.options).items())
    return f"{said.name}({words})" if words else said.name


def augmentation(said: Choice) -> Augment:
    """An augmentation with its options filled in."""
    return partial(AUGMENTS[said.name], **said.options)
