"""Heads that need no gradient: linear maps in closed form, fitted on features in seconds.

In: features and their labels. Out: an `Affine` map, or several to choose among. Never: trains, chooses, or sees a picture.

They are the baseline that every trained network is shown against, what a trained head can start from, and what can follow a
trained backbone. All of them see features of length one, so that a bright picture weighs no more than a pale one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from annotated_types import Interval
from torch import Tensor, nn
from torch.nn import functional as F

from lookalike.settings import DataError

Shrinkages = list[Annotated[float, Interval(ge=0, le=1)]]
Dimensions = Annotated[int, Interval(ge=0, le=65536)]

SHRINKAGES = (0.1, 0.2, 0.3, 0.5, 0.7)  # what is tried where none is given; val chooses
FLOOR = 1e-7  # of the largest variance: directions in which nothing varies are not blown up to noise


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A map x -> (x/|x| - mean) matrix. mean (W,), matrix (W, D), and how it came about, in words."""

    mean: np.ndarray
    matrix: np.ndarray
    says: str


class Affine(nn.Module):
    """Features (B, W) of any length -> (B, D): brought to length one, then one linear map with an offset."""

    def __init__(self, width: int, dimensions: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, dimensions)

    def forward(self, features: Tensor) -> Tensor:
        """(B, W) -> (B, D)."""
        mapped: Tensor = self.linear(F.normalize(features.float(), dim=1))
        return mapped

    def take(self, fit: Fit) -> None:
        """Become a closed form."""
        with torch.no_grad():
            self.linear.weight.copy_(torch.from_numpy(fit.matrix.T))
            self.linear.bias.copy_(torch.from_numpy(-fit.mean @ fit.matrix))


def affine(width: int, *, dimensions: Dimensions = 0) -> nn.Module:
    """A head that a closed form can start; dimensions=0 keeps the features' width."""
    return Affine(width, dimensions or width)


def centering(features: np.ndarray, labels: np.ndarray) -> Iterator[Fit]:  # noqa: ARG001 - every closed form is told the labels
    """The features less their mean: what all pictures share says nothing of any."""
    rows = _unit(features)
    yield Fit(mean=rows.mean(0), matrix=np.eye(rows.shape[1]), says="centered")


def pca_whitening(
    features: np.ndarray,
    labels: np.ndarray,  # noqa: ARG001
    *,
    shrinkage: Shrinkages | None = None,
    dimensions: Dimensions = 0,
) -> Iterator[Fit]:
    """All directions made equally wide, blind to the labels: S^(-1/2) of the features' covariance S.

    S is shrunk to a multiple of the identity, (1 - s) S + s trace(S)/W I. dimensions keeps the widest directions.
    """
    rows = _unit(features)
    mean = rows.mean(0)
    variances, axes = _spectrum(rows - mean)
    for share in shrinkage or SHRINKAGES:
        kept = axes[:, ::-1][:, : dimensions or None]  # eigh sorts upwards
        matrix = kept * _shrunk(variances, share)[::-1][: dimensions or None] ** -0.5
        yield Fit(mean=mean, matrix=matrix, says=f"PCA whitening, shrinkage {share:g}")


def whitening(features: np.ndarray, labels: np.ndarray, *, shrinkage: Shrinkages | None = None) -> Iterator[Fit]:
    """Within-class whitening: directions in which twins differ are made narrow, the others wide.

        x -> S^(-1/2) (x/|x| - mean),   S = (1 - s) S_within + s trace(S_within)/W I

    S_within is the covariance of twins around their own mean, over the labels that have two pictures or more; W the width.
    What varies among pictures of one label (color, light, the side shown) then counts little, as in a Mahalanobis distance.
    features (N, W), labels (N,), -1 for none.
    """
    rows = _unit(features)
    variances, axes = _spectrum(_within(rows, labels))
    for share in shrinkage or SHRINKAGES:
        matrix = (axes * _shrunk(variances, share) ** -0.5) @ axes.T
        yield Fit(mean=rows.mean(0), matrix=matrix, says=f"within-class whitening, shrinkage {share:g}")


def lda(
    features: np.ndarray,
    labels: np.ndarray,
    *,
    shrinkage: Shrinkages | None = None,
    dimensions: Dimensions = 128,
) -> Iterator[Fit]:
    """Linear discriminant analysis: within-class whitening, then the directions in which the labels' means lie widest."""
    for fit in whitening(features, labels, shrinkage=shrinkage):
        white = (_unit(features) - fit.mean) @ fit.matrix
        _, axes = _spectrum(_means(white, labels))
        matrix = fit.matrix @ axes[:, ::-1][:, : dimensions or None]
        yield Fit(mean=fit.mean, matrix=matrix, says=fit.says.replace("within-class whitening", "LDA"))


def _unit(features: np.ndarray) -> np.ndarray:
    rows = features.astype(np.float64)
    lengths: np.ndarray = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: np.ndarray = rows / np.maximum(lengths, 1e-12)
    return unit


def _within(rows: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Each picture less the mean of its label, scaled so that the mean square is the unbiased variance. (n, W), n <= N."""
    codes, counts = _coded(labels)
    has_twin = (codes >= 0) & (counts[codes] > 1)
    if not has_twin.any():
        raise DataError("a closed form learns from twins, and no label here has two pictures; match by something wider")
    away = rows[has_twin] - _sums(rows, codes, len(counts))[codes[has_twin]] / counts[codes[has_twin], None]
    left: np.ndarray = away * np.sqrt(len(away) / _freedom(counts))
    return left


def _freedom(counts: np.ndarray) -> int:
    return int((counts[counts > 1] - 1).sum())


def _means(rows: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The mean of each label, less the mean of them all. (L, W)"""
    codes, counts = _coded(labels)
    means = _sums(rows, codes, len(counts)) / counts[:, None]
    centered: np.ndarray = means - means.mean(0)
    return centered


def _coded(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels as 0, 1, 2 ..., -1 for none, and how many pictures each has."""
    known, codes = np.unique(labels, return_inverse=True)
    none = int(len(known) > 0 and known[0] < 0)
    codes = codes - none
    return codes, np.bincount(codes[codes >= 0], minlength=len(known) - none)


def _sums(rows: np.ndarray, codes: np.ndarray, count: int) -> np.ndarray:
    sums = np.zeros((count, rows.shape[1]))
    np.add.at(sums, codes[codes >= 0], rows[codes >= 0])
    return sums


def _spectrum(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Variances (W,), rising, and axes (W, W) as columns, of rows that are centered already."""
    variances, axes = np.linalg.eigh(rows.T @ rows / len(rows))
    return variances, axes


def _shrunk(variances: np.ndarray, share: float) -> np.ndarray:
    mixed: np.ndarray = (1 - share) * variances + share * variances.mean()
    floored: np.ndarray = np.maximum(mixed, FLOOR * mixed.max())
    return floored
