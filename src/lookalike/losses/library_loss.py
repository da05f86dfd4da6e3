"""A loss of pytorch-metric-learning, and its miner, called as the losses of this room are.

In: a loss and a miner ready made; then batches. Out: a scalar each. Never: knows which losses there are, beyond those that
need something special of a batch.
"""

import importlib
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from lookalike.settings import ConfigError, DataError

Indices = tuple[Tensor, ...]  # (anchor, twin, stranger), or (anchor, twin, anchor, stranger)

# These accept other embeddings, and then go wrong: the first counts a picture as its own twin, the second looks up in the
# batch the twins that it found among the others.
WRONG_WITH_OTHERS = ("NCALoss", "ThresholdConsistentMarginLoss")
# The maths of these needs the length of a vector, which a unit vector has lost.
NEEDS_LENGTH = ("LargeMarginSoftmaxLoss", "SphereFaceLoss", "VICRegLoss")


class LibraryLoss(nn.Module):
    """One loss and, where given, the miner that chooses its pairs.

    raw: it wants embeddings that are not normalised. takes_others: it can compare a batch with more than itself.
    """

    def __init__(self, loss: nn.Module, miner: nn.Module | None = None, *, by_class: bool = False) -> None:
        super().__init__()
        name, refused = type(loss).__name__, _refused(loss)
        if miner is not None and refused & {"indices_tuple", "labels"}:
            raise ConfigError(f"pml:{name} looks at all pictures of a batch, and takes no miner; leave miner out")
        self.loss, self.miner = _with_its_state(loss), miner
        self.raw = name in NEEDS_LENGTH
        self.takes_others = not (refused & {"ref", "labels"} or _is_wrong_with_others(loss, miner))
        self.within = WITHIN.get(name, _of_known_class if by_class else _as_they_are)

    def forward(
        self, embeddings: Tensor, labels: Tensor, others: Tensor | None = None, other_labels: Tensor | None = None
    ) -> Tensor:
        """embeddings (B, D), labels (B,), others (N, D), other_labels (N,) -> scalar; -1 is nobody's twin, and of no class."""
        with _in_words(self.loss):
            if others is None or other_labels is None:
                loss = self.within(self.loss, self.miner, embeddings, labels)
            else:
                loss = _among(self.loss, self.miner, embeddings, others, apart(other_labels))
        _let_go(self.loss)
        return loss


def apart(labels: Tensor) -> Tensor:
    """Labels (B,) where each -1 has become a label of its own: the library would make twins of them."""
    unknown = labels < 0
    return torch.where(unknown, labels.amax() + unknown.cumsum(0), labels)


def _as_they_are(loss: nn.Module, miner: nn.Module | None, embeddings: Tensor, labels: Tensor) -> Tensor:
    labels = apart(labels)
    found: Tensor = loss(embeddings, labels, _mined(miner, embeddings, labels) if miner else None)
    return found


def _mined(miner: nn.Module, *compared: Tensor) -> Indices:
    try:
        indices: Indices = miner(*compared)
    except AssertionError:  # so the library says that anchors, twins and strangers are not equally many
        raise DataError(
            f"pml:{type(miner).__name__} takes a batch as triplets, anchor, twin, stranger, and {len(compared[0])} pictures "
            "are no threes; set batch.sampler=triplets, or take another miner"
        ) from None
    return indices


def _of_known_class(loss: nn.Module, miner: nn.Module | None, embeddings: Tensor, labels: Tensor) -> Tensor:
    """For losses that hold something for each class: pictures of none are left out."""
    known = labels >= 0
    return _as_they_are(loss, miner, embeddings[known], labels[known]) if known.any() else 0 * embeddings.sum()


def _where_there_are_twins(loss: nn.Module, miner: nn.Module | None, embeddings: Tensor, labels: Tensor) -> Tensor:
    """For NCALoss, whose mean over no twins is not a number."""
    has_twins = _views(labels).amax() > 1
    return _as_they_are(loss, miner, embeddings, labels) if has_twins else 0 * embeddings.sum()


def _side_by_side(loss: nn.Module, miner: nn.Module | None, embeddings: Tensor, labels: Tensor) -> Tensor:
    """For SmoothAP, which tells twins by their places: as many of each label, and label by label."""
    views = _views(labels)
    if views.amin() != views.amax():
        raise DataError(
            "pml:SmoothAPLoss needs as many pictures of every product in a batch, and this one has "
            f"{int(views.amin())} to {int(views.amax())}; set batch.sampler=products, or take another loss"
        )
    order = labels.argsort(stable=True)
    return _as_they_are(loss, miner, embeddings[order], labels[order])


def _views(labels: Tensor) -> Tensor:
    """How many pictures of its label stand beside each picture, itself included. (B,) -> (B,)."""
    labels = apart(labels)
    return (labels[:, None] == labels).sum(1)


def _two_views(loss: nn.Module, _: nn.Module | None, embeddings: Tensor, labels: Tensor) -> Tensor:
    """For VICReg, which knows no labels: the first two pictures of each label are two views of one thing."""
    tools = importlib.import_module("pytorch_metric_learning.utils.loss_and_miner_utils")
    first, second = tools.convert_to_pos_pairs_with_unique_labels(None, apart(labels))
    if len(first) < 2:  # the variance of one thing is not a number
        return 0 * embeddings.sum()
    found: Tensor = loss(embeddings[first], ref_emb=embeddings[second])
    return found


def _to_proxies(loss: Any, _: nn.Module | None, embeddings: Tensor, labels: Tensor) -> Tensor:
    """For ManifoldLoss, which would deal the pictures out to its K proxies by chance: twins go to the same one."""
    known = labels >= 0
    if not known.any():
        return 0 * embeddings.sum()
    found: Tensor = loss(embeddings[known], indices_tuple=labels[known] % loss.K)
    return found


Within = Callable[[nn.Module, nn.Module | None, Tensor, Tensor], Tensor]
WITHIN: dict[str, Within] = {
    "NCALoss": _where_there_are_twins,
    "SmoothAPLoss": _side_by_side,
    "VICRegLoss": _two_views,
    "ManifoldLoss": _to_proxies,
}


def _among(loss: nn.Module, miner: nn.Module | None, embeddings: Tensor, others: Tensor, labels: Tensor) -> Tensor:
    """A batch against the others, which begin with it. labels (N,) are theirs."""
    own = labels[: len(embeddings)]
    indices = _mined(miner, embeddings, own, others, labels) if miner else _every_pair(own, labels)
    found: Tensor = loss(embeddings, own, _without_itself(indices), others, labels)
    return found


def _every_pair(labels: Tensor, other_labels: Tensor) -> Indices:
    same = labels[:, None] == other_labels
    return *same.nonzero(as_tuple=True), *(~same).nonzero(as_tuple=True)


def _without_itself(indices: Indices) -> Indices:
    """Indices in which no picture is its own twin: the others begin with the batch, so it would have its own number."""
    anchor, twin, *strangers = indices
    real = anchor != twin
    if len(strangers) == 1:
        strangers = [strangers[0][real]]
    return anchor[real], twin[real], *strangers


def _refused(loss: Any) -> set[str]:
    """What a loss refuses to be given (ref, labels, indices_tuple), as its code says: it calls `<what>_not_supported`."""
    words: tuple[str, ...] = loss.compute_loss.__code__.co_names
    return {word.removesuffix("_not_supported") for word in words if word.endswith("_not_supported")}


def _is_wrong_with_others(loss: nn.Module, miner: nn.Module | None) -> bool:
    """swap looks up distances between others; the easiest twin of a picture is itself, which leaves it none."""
    swaps, is_easy = getattr(loss, "swap", False), getattr(miner, "pos_strategy", "") == "easy"
    return type(loss).__name__ in WRONG_WITH_OTHERS or swaps or is_easy


def _with_its_state(loss: nn.Module) -> nn.Module:
    """The loss, with its bare tensors (a running histogram, say) made buffers, which a checkpoint keeps."""
    for name, value in list(vars(loss).items()):
        if isinstance(value, Tensor):
            delattr(loss, name)
            loss.register_buffer(name, value)
    return loss


@contextmanager
def _in_words(loss: nn.Module) -> Iterator[None]:
    """Tell what the user can mend, and keep back what is news to the library's makers alone (how HistogramLoss indexes)."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Using a non-tuple sequence", category=UserWarning)
            yield
    except RuntimeError as wrong:
        if "out of bounds" not in str(wrong):
            raise
        raise DataError(
            f"pml:{type(loss).__name__} counts distances in bins, and this batch has one beyond the last, as two equal or "
            "opposite embeddings make it; take another loss, or let no picture come twice in a batch"
        ) from wrong


def _let_go(loss: nn.Module) -> None:
    """Keep no way back into this batch: DynamicSoftMarginLoss would walk through its histogram into every earlier step."""
    for name, value in list(loss.named_buffers(recurse=False)):
        if value.requires_grad:
            setattr(loss, name, value.detach())
