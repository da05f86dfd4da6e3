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
SMALLEST = 16  # pixels of a side


def setting(
    default: Any,
    says: str,
    *,
    least: float | None = None,
    most: float | None = None,
    folder: bool = False,
    bare: bool = False,
) -> Any:
    """Declare a setting: its default (`...` where the user must give it), a sentence for --help, and its bounds.

    folder: the value becomes a folder's name, see `folder_fault`. bare: words of the command line without a `=` are its
    values, as in `lookalike compare RUN RUN`.
    """
    metadata = {"says": says, "least": least, "most": most, "folder": folder, "bare": bare}
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
    releases: str = setting("releases", "immutable folders that a server loads, and the registry that points at them")
    images: str = setting("", 'original pictures; "" is under paths.data, s3://bucket/folder is there')
    datasets: str = setting("", 'frozen data sets; "" is under paths.data, s3://bucket/folder is there')


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
    of: str = setting("", "only of this shop, or of the import of this name")
    catalog: str = setting("", 'the catalog\'s database URL; "" is SQLite under paths.data')
    paths: Paths = setting(Paths, "where things live")


@dataclass(frozen=True, kw_only=True)
class Audit:
    """`lookalike audit`: what is wrong with a data set version."""

    dataset: str = setting(..., "a data set: its name (newest version), or name@version")
    paths: Paths = setting(Paths, "where things live")


@dataclass(frozen=True, kw_only=True)
class Pixels:
    """How a photograph becomes a square of numbers; what the backbone was trained with comes with the backbone."""

    size: int = setting(112, "pixels of a side; 0 takes the backbone's own", least=0, most=1024)
    resize: Literal["squash", "letterbox", "crop"] = setting("squash", "what happens to a picture that is not square")
    interpolation: Literal["", "bicubic", "bilinear", "lanczos"] = setting("", 'how; "" takes the backbone\'s own')
    gray: bool = setting(False, "shape only: the luminance, in all three channels")
    folded: bool = setting(False, "gray as one channel: the backbone's first weights are summed over color")
    blur: float = setting(0.0, "standard deviation of a Gaussian blur, in pixels; 0 is none", least=0, most=16)
    subtract: Literal["none", "mean", "median"] = setting("none", "taken from each picture, channel by channel")
    mask: bool = setting(False, "paint white what is not the product, before anything else")

    def __post_init__(self) -> None:
        if 0 < self.size < SMALLEST:
            raise ValueError(f"size is {self.size}; give {SMALLEST} or more, or 0 for the backbone's own")
        if self.folded and not self.gray:
            raise ValueError("folded is for gray pictures; add pixels.gray=true")


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Which pictures learn together. P x K: so many products, so many pictures of each."""

    sampler: Literal["products", "pairs", "triplets", "plain"] = setting(
        "products", "P x K; or P pairs, half of them twins; P triplets; or P x K pictures by chance (class transfer)"
    )
    products: int = setting(16, "P: different products in a batch", least=2, most=4096)
    views: int = setting(2, "K: pictures of each; two at least, else no twin to learn from", least=2, most=64)
    balance: str = setting("", 'a column, such as "category", whose values come equally often; "" is as they are')
    workers: int = setting(0, "processes that make batches; 0 is the training's own", least=0, most=64)


@dataclass(frozen=True, kw_only=True)
class Optimiser:
    """AdamW with a warm-up and a schedule; the pretrained backbone learns slower than the new head."""

    head_lr: float = setting(1e-3, "learning rate of the head", least=1e-8, most=10)
    backbone_lr: float = setting(1e-4, "learning rate of the backbone; 0 freezes it", least=0, most=10)
    loss_lr: float = setting(1e-2, "learning rate of a loss's own weights (proxies, classes)", least=1e-8, most=100)
    layer_decay: float = setting(
        1.0, "each stage nearer the input learns at this share of the next", least=0.01, most=1
    )
    weight_decay: float = setting(1e-4, "AdamW's weight decay", least=0, most=1)
    warmup: float = setting(0.1, "share of the steps that warm up", least=0, most=0.9)
    schedule: Literal["cosine", "plateau", "constant"] = setting("cosine", "plateau: a tenth where val stands still")
    plateau: int = setting(2, "epochs without gain that schedule=plateau waits", least=1, most=1000)
    accumulate: int = setting(1, "batches whose gradients are added up to one step", least=1, most=1024)
    frozen_statistics: bool = setting(
        True,
        "batch norm keeps its pretrained statistics (random weights have none), and the backbone drops nothing out",
    )


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Cross-batch memory: embeddings of earlier batches that serve as more twins and strangers."""

    size: int = setting(0, "embeddings remembered; 0 is no memory", least=0, most=10_000_000)
    warmup: int = setting(1, "epochs before it is used: early embeddings are soon stale", least=0, most=10_000)


@dataclass(frozen=True, kw_only=True)
class Measure:
    """What counts as a hit, and who asks whom."""

    match: str = setting("product", "what makes two pictures twins: product, style, category, brand or an attribute")
    query_view: str | None = setting("", 'only views of this name ask, e.g. "outside"; "" is all')
    gallery_view: str | None = setting("", 'only views of this name answer; "" is all')
    color_weight: float | Literal["val"] | None = setting(
        None,
        "weight of the color histogram beside the shape; val: the one that val likes best; null is 0, or the run's own",
        least=0,
        most=1,
    )
    search: Choice | None = setting(None, "how the nearest are found and ordered; null is exact, or the run's own")


@dataclass(frozen=True, kw_only=True)
class Wandb:
    """Where Weights & Biases shows the runs. WANDB_MODE=offline keeps them on this machine."""

    project: str = setting("lookalike", "the project")
    entity: str = setting("", 'the team; "" is your own')
    group: str = setting("", 'runs that belong together; "" is none')


@dataclass(frozen=True, kw_only=True)
class Study:
    """A named question of several runs: the arms that answer it, each with several seeds, or a space to be searched."""

    arms: dict[str, str] = setting(dict, "by name, the words that make each arm, as one would type them")
    seeds: list[int] = setting(list, "each arm is run once with each of these; [] is the seed alone")
    space: dict[str, Any] = setting(dict, "for Optuna, by setting: [a, b, c], or {low: 1e-5, high: 1e-3, log: true}")
    trials: int = setting(0, "runs of a search in all, those of earlier sessions counted", least=0, most=100_000)
    storage: str = setting(
        "", 'where a search is remembered; "" is SQLite under paths.runs, a database URL serves many'
    )
    pool: int = setting(1, "runs at once, each in a process of its own; they share cached features", least=1, most=256)


@dataclass(frozen=True, kw_only=True)
class Train(Measure):
    """`lookalike train`: learn on train, choose on val, measure once on test, and leave a run folder."""

    name: str = setting("run", "the run's name: its folder under paths.runs", folder=True)
    dataset: str = setting(..., "a data set: its name (newest version), or name@version")
    learn: str = setting(
        "", 'what makes twins while learning: product, style, category, brand, an attribute; "" is match'
    )
    pixels: Pixels = setting(Pixels, "how a photograph becomes pixels")
    backbone: Choice = setting(..., "the network that sees")
    head: Choice = setting(..., "what turns features into the embedding")
    start: Choice | None = setting(None, "a closed form, fitted on train, that the head starts from")
    finish: Choice | None = setting(None, "a closed form, fitted on train, behind the trained network")
    loss: Choice = setting(..., "what pulls twins together and pushes strangers apart")
    miner: Choice | None = setting(None, "which pairs or triplets of a batch the loss is given")
    memory: Memory = setting(Memory, "cross-batch memory")
    augment: Choice = setting(..., "what is done to pictures while learning")
    batch: Batch = setting(Batch, "which pictures learn together")
    optimiser: Optimiser = setting(Optimiser, "rates and decay")
    epochs: int = setting(
        6, "passes over the training products; 0 learns nothing but closed forms", least=0, most=10_000
    )
    patience: int = setting(0, "epochs without gain on val before it stops early; 0 never does", least=0, most=10_000)
    average: float = setting(
        0.0, "decay of a running average of the weights, which is then kept; 0 is none", least=0, most=0.99999
    )
    blend: bool = setting(False, "mix trained with pretrained weights by the share that val likes best")
    soup: str = setting("", "average the weights of the runs of this name, one after another where val gains; epochs=0")
    mirror: bool = setting(False, "embed each picture and its mirror image, and average: slower, steadier")
    precision: Literal["float32", "bfloat16", "probe"] = setting(
        "float32", "probe: the quicker one, found by timing both"
    )
    compile: bool = setting(False, "torch.compile the network: a minute at first, sometimes quicker after")
    save_every: int = setting(0, "steps between checkpoints within an epoch; 0 is at its end alone", least=0)
    seed: int = setting(0, "weights, batches and augmentation follow from it", least=0, most=LARGEST_SEED)
    threads: int = setting(2, "processor threads; the same number gives the same weights", least=1, most=256)
    tracking: Literal["local", "wandb", "both"] = setting(
        "local", "the run folder; both: W&B mirrors it where it can; wandb: W&B must, or nothing begins"
    )
    wandb: Wandb = setting(Wandb, "where W&B shows the runs")
    plan: bool = setting(False, "print what would happen, and stop")
    again: bool = setting(True, "false: a finished run with these very settings is shown, not repeated")
    arm: str = setting("", "one arm of the experiment's study; -m without it runs them all")
    study: Study = setting(Study, "what -m runs")
    paths: Paths = setting(Paths, "where things live")

    def __post_init__(self) -> None:
        if self.soup and self.soup == self.name:
            raise ValueError(
                f"soup={self.soup} and name={self.name}: a soup of this name would hide its runs; add another name"
            )
        if self.soup and self.epochs:
            raise ValueError(
                f"soup={self.soup} averages runs that stand, and epochs={self.epochs} trains another; add epochs=0"
            )
        if not self.epochs and self.blend and not self.soup:
            raise ValueError(
                "blend mixes trained weights with pretrained ones, and epochs=0 trains none; leave blend out"
            )
        learns = self.optimiser.backbone_lr or self.head.name != "identity" or not self.epochs
        if not learns:
            raise ValueError(
                "nothing would learn: the backbone is frozen and head=identity has no weights; head=linear has"
            )


@dataclass(frozen=True, kw_only=True)
class Evaluate(Measure):
    """`lookalike evaluate`: measure a run, or an untrained embedder, on a data set."""

    match: str = setting("", 'what makes two pictures twins; "" takes the run\'s own, or product')
    query_view: str | None = setting(None, 'only views of this name ask; "" is all; null takes both of the run\'s own')
    gallery_view: str | None = setting(None, 'only views of this name answer; "" is all; null as above')
    run: str = setting("", "a run: its folder, or its name (newest)")
    embedder: Choice | None = setting(None, "instead of a run, something that learnt nothing here")
    dataset: str = setting("", 'a data set; "" takes the run\'s own')
    split: Literal["train", "val", "test", "all"] = setting("test", "which pictures are measured")
    naming: str = setting("", 'name this column of each query (a brand) by a vote of its 5 nearest; "" names none')
    judgements: str = setting("", "a CSV of what people judged: rows head, close, far; pictures or products by id")
    pixels: Pixels | None = setting(None, "for an untrained embedder; a run brings its own")
    mirror: bool = setting(False, "for an untrained network: average with the mirror image; a run brings its own")
    seed: int = setting(0, "of the intervals, and of embedder=random", least=0, most=LARGEST_SEED)
    threads: int = setting(2, "processor threads", least=1, most=256)
    paths: Paths = setting(Paths, "where things live")

    def __post_init__(self) -> None:
        if bool(self.run) == bool(self.embedder):
            raise ValueError("give exactly one of run=RUN and embedder=pretrained|color_histogram|random|vectors")
        if self.embedder and not self.dataset:
            raise ValueError("an untrained embedder needs dataset=NAME")
        if self.run and (self.pixels or self.mirror):
            raise ValueError("a run brings the pixels it learnt from; leave pixels and mirror out")


@dataclass(frozen=True, kw_only=True)
class Compare:
    """`lookalike compare RUN RUN ...`: the leaderboard of runs, and which differences are real."""

    runs: list[str] = setting(
        ..., "runs: names (all seeds of each), folders with a metrics.json, patterns such as 'losses-*'", bare=True
    )
    metric: str = setting("recall@1", "the figure of metrics.json that orders them")
    against: str = setting("", 'each is compared with this one; "" is the best')
    name: str = setting("", 'the folder under paths.runs/comparisons; "" is named by what is compared', folder=False)
    seed: int = setting(0, "of bootstrap and permutations", least=0, most=LARGEST_SEED)
    tracking: Literal["local", "wandb", "both"] = setting("local", "both: W&B shows the comparison too, where it can")
    wandb: Wandb = setting(Wandb, "where W&B shows it")
    paths: Paths = setting(Paths, "where things live")


@dataclass(frozen=True, kw_only=True)
class Report:
    """`lookalike report RUN`: all that can be seen of a run, on one page."""

    run: str = setting(..., "a run: its folder, or its name (newest)", bare=True)
    against: str = setting("", "another run of the same data set: which queries are newly broken, which newly mended")
    examples: int = setting(8, "queries shown of each kind", least=1, most=100)
    seed: int = setting(0, "of random examples, intervals and the map", least=0, most=LARGEST_SEED)
    threads: int = setting(2, "processor threads", least=1, most=256)
    paths: Paths = setting(Paths, "where things live")


Format = Literal["float32", "int8", "weights", "program", "phone"]


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """How far what is exported may be from the run's own weights, from the same JPEG bytes."""

    cosine: float = setting(
        0.999,
        "least mean cosine between its vectors and the run's; not of int8, whose vectors may turn",
        least=0,
        most=1,
    )
    least: float = setting(0.99, "least cosine of any one picture; not of int8", least=0, most=1)
    overlap: float = setting(0.5, "least share of the run's 10 nearest that it must find", least=0, most=1)
    recall: float = setting(0.005, "most that recall@1 may fall below the run's", least=0, most=1)


@dataclass(frozen=True, kw_only=True)
class Export:
    """`lookalike export RUN`: the best checkpoint as files that ship, each only if it passes parity."""

    run: str = setting(..., "a run: its folder, or its name (newest)", bare=True)
    name: str = setting("", 'the release is releases/NAME/ID; "" is the run\'s name', folder=False)
    formats: list[Format] = setting(
        list,
        "float32, int8: ONNX; weights: safetensors; program: torch.export; phone: CoreML in float16; [] is all that pass",
    )
    serves: Literal["float32", "int8", "quickest"] = setting(
        "quickest", "the model that a server loads; quickest: int8 if it gains a fifth"
    )
    pictures: int = setting(100, "of train, that tell int8 how large numbers become", least=8, most=10_000)
    tolerance: Tolerance = setting(Tolerance, "outside it the export fails, and says by how much")
    seed: int = setting(0, "of intervals and of the pictures for int8", least=0, most=LARGEST_SEED)
    threads: int = setting(2, "processor threads", least=1, most=256)
    paths: Paths = setting(Paths, "where things live")


@dataclass(frozen=True, kw_only=True)
class Verify:
    """`lookalike verify RELEASE`: is it whole, and does it still give the vectors that it gave?"""

    release: str = setting(
        "champion", "a folder, NAME/ID, NAME (its newest), champion, candidate or previous", bare=True
    )
    threads: int = setting(2, "processor threads", least=1, most=256)
    paths: Paths = setting(Paths, "where things live")


@dataclass(frozen=True, kw_only=True)
class Index:
    """`lookalike index RELEASE dataset=...`: a catalog's vectors, products and search index, into a new release."""

    release: str = setting(
        "candidate", "a folder, NAME/ID, NAME (its newest), champion, candidate or previous", bare=True
    )
    dataset: str = setting(..., "the catalog: a data set, its name (newest version) or name@version")
    split: Literal["train", "val", "test", "all"] = setting("all", "which of its pictures can be found")
    kind: Literal["auto", "exact", "ivf", "hnsw"] = setting(
        "auto", "auto: exact while that takes some 50 ms, above what is measured"
    )
    recall: float = setting(0.99, "least share of the exact 10 nearest that it must find", least=0.5, most=1)
    thumbnail: int = setting(240, "pixels of a thumbnail's longer side; 0 keeps none", least=0, most=2000)
    phone: bool = setting(False, "also a bundle for a phone: models, products and vectors in one folder")
    seed: int = setting(0, "of the index", least=0, most=LARGEST_SEED)
    threads: int = setting(2, "processor threads", least=1, most=256)
    paths: Paths = setting(Paths, "where things live")


@dataclass(frozen=True, kw_only=True)
class Rule:
    """When a release may take the champion's place."""

    epsilon: float = setting(
        0.02,
        "the paired difference in recall@1 and in map@r must lie above minus this, its whole interval",
        least=0,
        most=1,
    )
    delta: float = setting(0.05, "no brand or category may be worse by more than this, surely", least=0, most=1)
    milliseconds: float = setting(200.0, "most that an image may take", least=0)
    megabytes: float = setting(200.0, "most that the served model may weigh", least=0)


@dataclass(frozen=True, kw_only=True)
class Promote:
    """`lookalike promote RELEASE`: the champion from now on, if the gate allows."""

    release: str = setting("", 'a folder, NAME/ID, NAME (its newest), candidate; "" shows the registry', bare=True)
    candidate: bool = setting(False, "only name it the candidate, to be looked at; nothing is judged")
    rule: Rule = setting(Rule, "the gate")
    seed: int = setting(0, "of bootstrap and permutations", least=0, most=LARGEST_SEED)
    threads: int = setting(2, "processor threads", least=1, most=256)
    tracking: Literal["local", "wandb", "both"] = setting(
        "local", "both: W&B gets the release and its aliases, where it can"
    )
    wandb: Wandb = setting(Wandb, "where W&B shows it")
    paths: Paths = setting(Paths, "where things live")


@dataclass(frozen=True, kw_only=True)
class Rollback:
    """`lookalike rollback`: the previous champion again; one pointer is moved."""

    tracking: Literal["local", "wandb", "both"] = setting("local", "both: W&B's aliases move too, where it can")
    wandb: Wandb = setting(Wandb, "where W&B shows it")
    paths: Paths = setting(Paths, "where things live")


@dataclass(frozen=True, kw_only=True)
class Serve:
    """`lookalike serve`: the search box over a release: an API and a page."""

    release: str = setting(
        "champion", "a folder, NAME/ID, NAME (its newest), champion, candidate or previous", bare=True
    )
    host: str = setting("127.0.0.1", "address to listen on; 0.0.0.0 is every one of this machine")
    port: int = setting(8080, "0 takes a free one", least=0, most=65535)
    workers: int = setting(
        1, "processes; vectors lie on the disk, and all of them share what was read", least=1, most=64
    )
    threads: int = setting(1, "of one picture's way through the network", least=1, most=64)
    at_once: int = setting(2, "requests that a process works on at a time", least=1, most=256)
    waiting: int = setting(
        32, "requests that wait for that; the next one is told to come back later", least=0, most=10_000
    )
    body_megabytes: float = setting(12.0, "of a request, at most", least=0.1, most=20)
    body_seconds: float = setting(20.0, "for a request to arrive", least=0.1, most=600)
    seconds: float = setting(30.0, "for a request to be answered", least=0.1, most=600)
    look_every: float = setting(2.0, "seconds between two looks at which release is meant", least=0.1, most=3600)
    image_hosts: list[str] = setting(
        list, "hosts whose pictures may be given by address, *.shop.example too; none: by no address"
    )
    image_private: list[str] = setting(list, "host:port that is trusted though it is not on the public internet")
    background: str = setting(
        "", "an ONNX file of U²-Net's kind, to paint a photo's background white; its licence is yours to mind"
    )
    proxies: list[str] = setting(list, "addresses of proxies whose word on who asks is taken")
    paths: Paths = setting(Paths, "where things live")


@dataclass(frozen=True, kw_only=True)
class Gate:
    """What a crawl must show before the catalog takes it."""

    fewest: int = setting(1, "products at all", least=0)
    count: float = setting(0.7, "least share of the last good crawl's products", least=0, most=1)
    pages: float = setting(0.95, "least share of the pages that could be read", least=0, most=1)
    names: float = setting(0.98, "least share of products with a name", least=0, most=1)
    prices: float = setting(0.95, "least share of products with a price that was understood", least=0, most=1)
    pictured: float = setting(0.95, "least share of products with a picture", least=0, most=1)
    pictures: float = setting(0.95, "least share of the pictures told that came and decode", least=0, most=1)
    odd: float = setting(0.05, "most share of a listing's items that could not be read", least=0, most=1)
    twice: float = setting(
        0.02, "most share of products that come under two names: same style, color and url", least=0, most=1
    )
    fall: float = setting(0.10, "most that a field's coverage may fall below the last good crawl's", least=0, most=1)


@dataclass(frozen=True, kw_only=True)
class Scrape:
    """`lookalike scrape`: a shop's pages into the catalog, politely; killed at any moment, the same command goes on."""

    shop: Choice = setting(..., "the shop")
    name: str = setting("", 'what the shop is called in the catalog; "" is its own name')
    contact: str = setting("", "whom the shop may write to: a mail or web address of yours, told with every request")
    max_items: int = setting(0, "stop after so many products; 0 walks to the last page", least=0)
    since: bool = setting(False, "stop after a page on which every product is known: for refreshes")
    delay: float = setting(
        2.0, "least seconds between two requests; a slow shop is asked more slowly", least=0, most=600
    )
    seconds: float = setting(30.0, "for one page or picture, to its last byte", least=0.1, most=600)
    max_bytes: int = setting(20_000_000, "of one page or picture", least=1000, most=1_000_000_000)
    retries: int = setting(2, "times that a page is asked for again when the way there fails", least=0, most=10)
    go_on_days: float = setting(3.0, "an unfinished crawl of the same plan is gone on with for so long", least=0)
    gate: Gate = setting(Gate, "what a crawl must show before the catalog takes it")
    catalog: str = setting("", 'the catalog\'s database URL; "" is SQLite under paths.data')
    paths: Paths = setting(Paths, "where things live")


Layout = Literal[
    "zappos",
    "zappos_next",
    "zappos_aria",
    "zappos_oldest",
    "farfetch",
    "farfetch_apollo",
    "farfetch_listing",
    "farfetch_products",
    "plain",
]


@dataclass(frozen=True, kw_only=True)
class Shop:
    """`lookalike shop`: serves the drawn catalog on this machine, as one of the shops once looked."""

    layout: Layout = setting("plain", "which shop it looks like, and in which of its years")
    products: int = setting(389, "products on the shelf", least=1, most=100_000)
    views: int = setting(4, "pictures of each", least=1, most=4)
    size: int = setting(240, "pixels of a picture's side", least=32, most=2000)
    per_page: int = setting(60, "products on a page of the listing", least=1, most=500)
    day: int = setting(
        0, "0 is the first day; each later day some are added, gone, and cost otherwise", least=0, most=1000
    )
    added: int = setting(25, "products that are new each day", least=0, most=10_000)
    gone: int = setting(10, "products that are gone each day", least=0, most=10_000)
    repriced: int = setting(40, "products that cost otherwise each day", least=0, most=10_000)
    fault: str = setting("", "what goes wrong: see --help")
    after: int = setting(3, "requests of that kind that are answered well before the fault begins", least=0)
    slow: float = setting(3.0, "seconds of waiting, for fault=slow", least=0, most=600)
    seed: int = setting(0, "another seed, another shop", least=0, most=LARGEST_SEED)
    port: int = setting(8090, "on 127.0.0.1; 0 takes a free one", least=0, most=65535)
    paths: Paths = setting(Paths, "where drawn pictures are kept between two starts")


@dataclass(frozen=True, kw_only=True)
class Catalog:
    """`lookalike catalog`: what is in the catalog, what changed, and how the last crawls went."""

    show: str = setting("", "one product, by its key or its id: a page with its pictures and prices")
    of: str = setting("", "only this shop")
    changes: int = setting(10, "price changes shown on the terminal", least=0, most=10_000)
    catalog: str = setting("", 'the catalog\'s database URL; "" is SQLite under paths.data')
    paths: Paths = setting(Paths, "where things live")


@dataclass(frozen=True, kw_only=True)
class Doctor:
    """`lookalike doctor`: what is wrong on this machine, and how to mend it."""

    paths: Paths = setting(Paths, "where things live")
