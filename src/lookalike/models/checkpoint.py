"""A checkpoint's weights, into an embedder of the same make.

In: a file, the sha256 that its run wrote down. Out: an embedder with those weights, or an error with the mend.
Never: reads more than tensors and plain values, or takes a file for what it was.
"""

from pathlib import Path

import torch
from torch import Tensor

from lookalike import files
from lookalike.models.embedder import Embedder
from lookalike.settings import DataError

MEND = "restore it from a copy, or train again"


def must_be(checkpoint: Path, sha256: str, mend: str = MEND) -> None:
    """Refuse a checkpoint that is not there, or not the file that had this sha256; "" is not known."""
    if not checkpoint.is_file():
        raise DataError(f"{checkpoint}: there is no such checkpoint; {mend}")
    if sha256 and files.sha256_of(checkpoint) != sha256:
        raise DataError(f"{checkpoint}: altered: its sha256 is not the one that its run wrote down; {mend}")


def load_weights(embedder: Embedder, checkpoint: Path, *, sha256: str = "") -> None:
    """Put a checkpoint's weights into an embedder of the same make. Only tensors are read, never a pickled object.

    sha256: what the file must have, where it is known; a file may be damaged and still be read.
    """
    must_be(checkpoint, sha256)
    try:
        embedder.load_state_dict(weights_of(checkpoint))
    except RuntimeError as wrong:
        differ = " ".join(str(wrong).split())[:300]  # a line for each weight
        raise DataError(f"{checkpoint}: not the weights of this network; {MEND}. {differ}") from None


def weights_of(checkpoint: Path) -> dict[str, Tensor]:
    """An embedder's weights in a checkpoint; a last.ckpt has them among others."""
    try:
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)["state_dict"]
        inside = {name.removeprefix("embedder."): one for name, one in state.items() if name.startswith("embedder.")}
        return inside or dict(state)
    except Exception as wrong:  # damaged bytes make an unpickler raise almost anything
        raise DataError(f"{checkpoint}: cannot be read, so it is no checkpoint or a damaged one; {MEND}") from wrong
