"""Search by clusters: the gallery is parted beforehand, and a query meets only the parts nearest to it.

In: a gallery. Out: a `Search` that is quicker than the exact one, and misses what lies in other clusters.
Never: holds a gallery picture in two clusters. It holds the gallery's vectors once more, cluster by cluster.
"""

from dataclasses import dataclass

import faiss
import numpy as np

from lookalike.retrieval.search import NOBODY, Ask, Neighbours, Search, compared, most_alike, nearest
from lookalike.settings import ConfigError

FEWEST = 9  # pictures a cluster, on average: with fewer, a centroid is little more than one of its pictures
ROUNDS = 20  # of k-means


@dataclass(frozen=True, kw_only=True)
class Parts:
    """A parted gallery. centroids (C, D), unit; of each cluster its vectors, and their rows in the gallery, rising."""

    centroids: np.ndarray
    vectors: tuple[np.ndarray, ...]
    rows: tuple[np.ndarray, ...]


def clusters(*, clusters: int = 100, probes: int = 1, seed: int = 0) -> Search:
    """Spherical k-means of the gallery; each query is compared with the pictures of its `probes` nearest clusters.

    A small gallery has fewer, one for each FEWEST pictures: one run's val and test may have other numbers of them.
    With as many probes as clusters it brings what the exact search brings.
    """
    if clusters < 1 or not 1 <= probes <= clusters:
        raise ConfigError(
            f"search=clusters: probes={probes} of clusters={clusters} cannot be searched; give one cluster or more, "
            "and from one probe to as many as there are clusters"
        )

    def prepare(gallery: np.ndarray, apart: np.ndarray) -> Ask:
        parts, spare = parted(gallery, clusters, seed), most_alike(apart)

        def ask(queries: np.ndarray, own: np.ndarray, k: int) -> Neighbours:
            k = min(k, len(gallery))
            best = _nobody(len(queries), k)
            probed = nearest(queries, parts.centroids, k=probes).rows
            for cluster, rows in enumerate(parts.rows):
                who = np.flatnonzero((probed == cluster).any(1))
                if not len(who) or not len(rows):
                    continue
                found = nearest(queries[who], parts.vectors[cluster], k=k + spare)
                there = Neighbours(rows=rows[found.rows], scores=found.scores)
                more = compared(there, apart[there.rows] != own[who, None], k)
                best.rows[who], best.scores[who] = _merged(best.rows[who], best.scores[who], more)
            return best

        return ask

    return prepare


def parted(gallery: np.ndarray, count: int, seed: int) -> Parts:
    """The gallery in so many clusters, or in fewer where it has not FEWEST pictures for each. gallery (N, D)."""
    count = max(1, min(count, len(gallery) // FEWEST))
    means = faiss.Kmeans(
        gallery.shape[1], count, niter=ROUNDS, seed=seed, spherical=True, min_points_per_centroid=1, verbose=False
    )
    means.train(gallery)
    centroids = np.ascontiguousarray(means.centroids, np.float32)
    of = nearest(gallery, centroids, k=1).rows[:, 0]
    rows = tuple(np.flatnonzero(of == cluster) for cluster in range(count))
    return Parts(centroids=centroids, vectors=tuple(gallery[some] for some in rows), rows=rows)


def _nobody(count: int, k: int) -> Neighbours:
    return Neighbours(rows=np.full((count, k), NOBODY), scores=np.full((count, k), np.nan, np.float32))


def _merged(rows: np.ndarray, scores: np.ndarray, more: Neighbours) -> tuple[np.ndarray, np.ndarray]:
    """The first of two lists together, ties by row. rows, scores (B, k); more (B, any) -> (B, k) each."""
    together, values = np.hstack([rows, more.rows]), np.hstack([scores, more.scores])
    front = np.lexsort((together, -values), axis=1)[:, : rows.shape[1]]  # nan is sorted behind all
    return np.take_along_axis(together, front, 1), np.take_along_axis(values, front, 1)
