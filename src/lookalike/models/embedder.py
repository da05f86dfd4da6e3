"""The joint of the house: an embedder is any callable from pictures (B, S, S, 3) uint8 to unit vectors (B, D).

In: pictures as uint8, as the cache keeps them. Out: float32 unit vectors. Never: reads files, knows products or scores anything.
"""

import hashlib
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lookalike.models.backbone import Backbone
from lookalike.models.preprocessing import Prepare, Preprocessing, preprocessing
from lookalike.retrieval.fusion import joined
from lookalike.settings import Pixels

Embed = Callable[[np.ndarray], np.ndarray]  # (B, S, S, 3) uint8 -> (B, D) float32, each row of length 1
Features = Callable[[np.ndarray], np.ndarray]  # (B, S, S, 3) uint8 -> (B, width) float32, of any length


class Embedder(nn.Module):
    """uint8 pictures -> backbone -> head -> finish -> unit vectors. Preprocessing is inside, so nobody can forget it.

    finish: a closed form behind the trained head. mirror: in evaluation, a picture's features are the mean of its own
    and its mirror image's, so that whatever is fitted on features has seen what is later searched with.
    """

    def __init__(
        self,
        backbone: Backbone,
        head: nn.Module,
        said: Preprocessing | None = None,
        *,
        finish: nn.Module | None = None,
        mirror: bool = False,
    ) -> None:
        super().__init__()
        self.prepare = Prepare(said or preprocessing(Pixels(), backbone))
        self.backbone, self.head = backbone.network, head
        self.finish = nn.Identity() if finish is None else finish
        self.mirror = mirror

    @property
    def preprocessing(self) -> Preprocessing:
        """The specification that its pictures must follow."""
        return self.prepare.said

    def features(self, pictures: Tensor) -> Tensor:
        """Pictures (B, S, S, 3) uint8 -> the backbone's features (B, width)."""
        planes = self.prepare(pictures)
        seen: Tensor = self.backbone(planes)
        if self.mirror and not self.training:
            seen = (seen + self.backbone(planes.flip(3))) / 2
        return seen

    def raw(self, pictures: Tensor) -> Tensor:
        """Pictures (B, S, S, 3) uint8 -> what the head gives (B, D), neither finished nor normalised: for class transfer."""
        given: Tensor = self.head(self.features(pictures))
        return given

    def embed_features(self, features: Tensor) -> Tensor:
        """Features (B, width) -> unit vectors (B, D) float32: what `forward` does with those it has made."""
        return F.normalize(self.finish(self.head(features)).float(), dim=1)

    def forward(self, pictures: Tensor) -> Tensor:
        """Pictures (B, S, S, 3) uint8 -> unit vectors (B, D) float32."""
        return self.embed_features(self.features(pictures))

    def extra_repr(self) -> str:
        """What `print` shows of it."""
        return f"mirror={self.mirror}"


def as_callable(embedder: Embedder) -> Embed:
    """The embedder as numpy in, numpy out, in evaluation mode and without gradients."""
    return _on_arrays(embedder, embedder.forward)


def features_of(embedder: Embedder) -> Features:
    """The embedder's backbone as numpy in, numpy out: features before any head."""
    return _on_arrays(embedder, embedder.features)


def head_of(embedder: Embedder) -> Callable[[np.ndarray], np.ndarray]:
    """The embedder's head as numpy in, numpy out: features (N, width) -> (N, D), neither finished nor normalised."""
    return _on_arrays(embedder, embedder.head)


def finished_of(embedder: Embedder) -> Callable[[np.ndarray], np.ndarray]:
    """What stands behind the backbone as numpy in, numpy out: features (N, width) -> unit vectors (N, D)."""
    return _on_arrays(embedder, embedder.embed_features)


def _on_arrays(embedder: Embedder, method: Callable[[Tensor], Tensor]) -> Callable[[np.ndarray], np.ndarray]:
    """Batches go to the GPU, where there is one, and the embedder with them; their vectors come back."""

    def call(pictures: np.ndarray) -> np.ndarray:
        embedder.eval().to("cuda" if torch.cuda.is_available() else "cpu")
        with torch.inference_mode():
            batch = torch.from_numpy(np.array(pictures)).to(embedder.prepare.mean.device)  # a copy: a map is read-only
            vectors: np.ndarray = method(batch).float().cpu().numpy()
        return vectors

    return call


def fused(shape: Embed, color: Embed, weight: float) -> Embed:
    """Two embedders as one, see `retrieval.fusion.joined`."""
    if not 0 <= weight <= 1:
        raise ValueError(f"the weight of color is {weight}; give 0 (shape alone) to 1 (color alone)")
    if weight in (0, 1):
        return color if weight else shape
    return lambda pictures: joined(shape(pictures), color(pictures), weight)


def embed_all(
    embed: Embed, pictures: np.ndarray, *, batch: int = 64, progress: Callable[[int], None] | None = None
) -> np.ndarray:
    """Every picture's vector, a batch at a time. pictures (N, S, S, 3) uint8 -> (N, D) float32."""
    parts = []
    for start in range(0, len(pictures), batch):
        parts.append(embed(pictures[start : start + batch]))
        if progress:
            progress(len(parts[-1]))
    return np.concatenate(parts) if parts else np.zeros((0, 1), np.float32)


def fingerprint(module: nn.Module) -> str:
    """A sha256 of what a module computes with: its make (layers and their options) and each weight's name, shape and bytes.

    The make counts too: a network that pools by mean and one that pools by maximum have the same weights.
    """
    said = hashlib.sha256()
    for name, part in module.named_modules():  # not repr(module): some of timm's hide what they are made of
        said.update(f"{name} {type(part).__name__} {part.extra_repr()}\n".encode())
    for name, weight in sorted(module.state_dict().items()):
        said.update(f"{name} {weight.dtype} {tuple(weight.shape)}\n".encode())
        said.update(weight.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return said.hexdigest()


def features_digest(embedder: Embedder) -> str:
    """A sha256 of all that decides what `features_of` gives for a picture: preprocessing, backbone and mirror."""
    parts = [embedder.preprocessing.sha256, fingerprint(embedder.backbone), str(embedder.mirror)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
