"""Everything the YAML under configs/ may say, as frozen objects, and the errors a user can mend. Standard library only.

In: nothing. Out: one type a verb, with a sentence and bounds for each setting. Never: reads a file, a YAML or the environment.
"""

from dataclasses import dataclass, field
from typing import Any, Literal


class LookalikeError(Exception):
    """The user can mend this: the message says what, where, the value given and the mend."""

    exit_code = 1


class ConfigError(LookalikeError, ValueError):
    """A setting is unknown or impossible."""

    exit_code = 2


class DataError(LookalikeError):
    """A file, a row or a folder is not what it should be."""

    exit_code = 3


class PlaceError(LookalikeError, OSError):
    """A folder cannot be written into."""

    exit_code = 4


class DiskFullError(LookalikeError, OSError):
    """There is no room to write."""

    exit_code = 4


LONGEST_NAME = 100
LARGEST_SEED = 2**32 - 1  # numpy's


def setting(
    default: Any, says: str, *, least: float | None = None, most: float | None = None, folder: bool = False
) -> Any:
    """Declare a setting: its default (`...` where the user must give it), a sentence for --help, and its bounds.

    folder: the value becomes a folder's name, see `folder_fault`.
    """
    metadata = {"says": says, "least": least, "most": most, "folder": folder}
    if default is ...:
        return field(metadata=metadata)
    if isinstance(default, type):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


def folder_fault(name: str) -> str:
    """Why a name cannot be a folder's, or "" where it can."""
    plain = all(sign.isalnum() or sign in "-_." for sign in name)
    if name and plain and not name.startswith(".") and len(name) <= LONGEST_NAME:
        return ""
    return f"becomes a folder: letters, digits, '-', '_' and '.', at most {LONGEST_NAME}, not beginning with '.'"


DRAWN = "toy"  # the adapter that reads nothing
Split = Literal["train", "val", "test"]
SplitRule = Literal["auto", "given", "test", "none"]


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One entry of a table in build.py, by name, and what is said to it. `{name: contrastive, margin: 0.5}` in YAML."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Paths:
    """Where things live, relative to the folder the command runs in."""

    data: str = setting("data", "catalog, original pictures, frozen data sets and caches")
    runs: str = setting("runs", "one folder a training")


@dataclass(frozen=True, kw_only=True)
class Shares:
    """How much of the products each split gets."""

    train: float = setting(0.70, "share of products to learn from", least=0, most=1)
    val: float = setting(0.15, "share that chooses the checkpoint", least=0, most=1)
    test: float = setting(0.15, "share that is read once, at the end", least=0, most=1)

    def __post_init__(self) -> None:
        total = self.train + self.val + self.test
        if abs(total - 1) > 1e-6:
            raise ValueError(f"train + val + test is {total:g}; make it 1")


@dataclass(frozen=True, kw_only=True)
class Frozen:
    """How products become a data set version; shared by `import` and `freeze`."""

    split: SplitRule = setting("auto", "auto: group-disjoint and stratified; given: the source's own; test; none")
    shares: Shares = setting(Shares, "shares of a split=auto")
    seed: int = setting(0, "another seed, another split", least=0, most=LARGEST_SEED)


@dataclass(frozen=True, kw_only=True)
class Import(Frozen):
    """`lookalike import`: a source's rows, checked, into a frozen data set version or into the catalog."""

    adapter: Choice = setting(..., "what kind of source it is")
    source: str = setting("", "the file or folder; adapter=toy needs none")
    name: str = setting(..., "the data set's name", folder=True)
    into: Literal["", "dataset", "catalog"] = setting("", 'dataset or catalog; "" is catalog for a feed, else dataset')
    catalog: str = setting("", 'the catalog\'s database URL; "" is SQLite under paths.data')
    threads: int = setting(2, "pictures read at once", least=1, most=64)
    paths: Paths = setting(Paths, "where things live")

    def __post_init__(self) -> None:
        if not self.source and self.adapter.name != DRAWN:
            raise ValueError(
                f"source must be given: adapter={self.adapter.name} reads a file or a folder; add source=PATH"
            )


@dataclass(frozen=True, kw_only=True)
class Freeze(Frozen):
    """`lookalike freeze`: the catalog, or a part of it, into a data set version."""

    name: str = setting(..., "the data set's name", folder=True)
    category: str = setting("", "only this category, e.g. boots")
    shop: str = setting("", "only this shop")
    catalog: str = setting("", 'the catalog\'s database URL; "" is SQLite under paths.data')
    paths: Paths = setting(Paths, "where things live")


@dataclass(frozen=True, kw_only=True)
class Audit:
    """`lookalike audit`: what is wrong with a data set version."""

    dataset: str = setting(..., "a data set: its name (newest version), or name@version")
    paths: Paths = setting(Paths, "where things live")


@dataclass(frozen=True, kw_only=True)
class Pixels:
    """How a photograph becomes a square of pixels."""

    size: int = setting(112, "pixels of a side", least=16, most=1024)
    resize: Literal["squash", "letterbox", "crop"] = setting("squash", "what happens to a picture that is not square")
    gray: bool = setting(False, "shape only: the luminance, in all three channels")


@dataclass(frozen=True, kw_only=True)
class Batch:
    """P x K: so many products, so many pictures of each."""

    products: int = setting(16, "P: different products in a batch", least=2, most=4096)
    views: int = setting(2, "K: pictures of each; two at least, else no twin to learn from", least=2, most=64)


@dataclass(frozen=True, kw_only=True)
class Optimiser:
    """AdamW with a warm-up and a cosine; the pretrained backbone learns slower than the new head."""

    head_lr: float = setting(1e-3, "learning rate of the head", least=1e-8, most=10)
    backbone_lr: float = setting(1e-4, "learning rate of the backbone; 0 freezes it", least=0, most=10)
    weight_decay: float = setting(1e-4, "AdamW's weight decay", least=0, most=1)
    warmup: float = setting(0.1, "share of the steps that warm up", least=0, most=0.9)
    frozen_statistics: bool = setting(
        True, "batch norm keeps its pretrained statistics: small batches would spoil them"
    )


@dataclass(frozen=True, kw_only=True)
class Measure:
    """What counts as a hit, and who asks whom."""

    match: str = setting("product", "what makes two pictures twins: product, style, category, brand or an attribute")
    query_view: str = setting("", 'only views of this name ask, e.g. "outside"')
    gallery_view: str = setting("", "only views of this name answer")


@dataclass(frozen=True, kw_only=True)
class Train(Measure):
    """`lookalike train`: learn on train, choose on val, measure once on test, and leave a run folder."""

    name: str = setting("run", "the run's name: its folder under paths.runs", folder=True)
    dataset: str = setting(..., "a data set: its name (newest version), or name@version")
    pixels: Pixels = setting(Pixels, "how a photograph becomes pixels")
    backbone: Choice = setting(..., "the network that sees")
    head: Choice = setting(..., "what turns features into the embedding")
    loss: Choice = setting(..., "what pulls twins together and pushes strangers apart")
    augment: Choice = setting(..., "what is done to pictures while learning")
    batch: Batch = setting(Batch, "P x K")
    optimiser: Optimiser = setting(Optimiser, "rates and decay")
    epochs: int = setting(6, "passes over the training products", least=1, most=10_000)
    seed: int = setting(0, "weights, batches and augmentation follow from it", least=0, most=LARGEST_SEED)
    threads: int = setting(2, "processor threads; the same number gives the same weights", least=1, most=256)
    plan: bool = setting(False, "print what would happen, and stop")
    again: bool = setting(True, "false: a finished run with these very settings is shown, not repeated")
    paths: Paths = setting(Paths, "where things live")

    def __post_init__(self) -> None:
        if not self.optimiser.backbone_lr and self.head.name == "identity":
            raise ValueError(
                "nothing would learn: the backbone is frozen and head=identity has no weights; head=linear has"
            )


@dataclass(frozen=True, kw_only=True)
class Evaluate(Measure):
    """`lookalike evaluate`: measure a run, or an untrained embedder, on a data set."""

    match: str = setting("", 'what makes two pictures twins; "" takes the run\'s own (as do the views), or product')
    run: str = setting("", "a run: its folder, or its name (newest)")
    embedder: Choice | None = setting(None, "instead of a run, something that learnt nothing here")
    dataset: str = setting("", 'a data set; "" takes the run\'s own')
    split: Literal["train", "val", "test", "all"] = setting("test", "which pictures are measured")
    pixels: Pixels | None = setting(None, "for an untrained embedder; a run brings its own")
    seed: int = setting(0, "of the intervals", least=0, most=LARGEST_SEED)
    threads: int = setting(2, "processor threads", least=1, most=256)
    paths: Paths = setting(Paths, "where things live")

    def __post_init__(self) -> None:
        if bool(self.run) == bool(self.embedder):
            raise ValueError("give exactly one of run=RUN and embedder=pretrained|random")
        if self.embedder and not self.dataset:
            raise ValueError("an untrained embedder needs dataset=NAME")
        if self.run and self.pixels:
            raise ValueError("a run brings the pixels it learnt from; leave pixels out")


@dataclass(frozen=True, kw_only=True)
class Doctor:
    """`lookalike doctor`: what is wrong on this machine, and how to mend it."""

    paths: Paths = setting(Paths, "where things live")
