"""What every library leaves implicit when it says recall@1, said aloud.

In: settings. Out: a `Protocol` and the masks of who asks and who answers. Never: computes a score.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import polars as pl

from lookalike.settings import DataError

KS = (1, 5, 10, 20)


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """Two evaluations may be compared when these are equal; color_weight and search are a method's own."""

    match: str = "product"  # equal values of this column are twins
    query_view: str = ""
    gallery_view: str = ""
    left_out: Literal["picture", "product"] = "picture"  # of the gallery, for each query: itself, or all of its product
    split_rule: str = ""
    split: str = "test"
    color_weight: float = 0.0
    search: str = "exact"  # in words, with every option: k_reciprocal(k1=20, k2=6, share=0.3, depth=100)

    def told(self) -> dict[str, Any]:
        """The protocol in words and values, as metrics.json holds it."""
        return {
            **asdict(self),
            "query": f"every picture with role query or both{_of_view(self.query_view)}",
            "gallery": f"every picture with role gallery or both{_of_view(self.gallery_view)}",
            "twin": f"a gallery picture with the query's {self.match}; an empty {self.match} is nobody's twin",
            "no_twin": "counted, never scored",
            "not_brought": "a twin that the search does not bring counts as the last of those that may be compared",
            "self": f"the query's own {self.left_out} is left out of its gallery, by id, never by position",
            "ties": "score rounded to 1e-6, then image id",
            "similarity": _similarity(self.color_weight),
            "intervals": f"95 %, percentile bootstrap over {self.cluster}s, 2000 draws; all 0 or all 1: Clopper-Pearson",
        }

    @property
    def cluster(self) -> str:
        """What is drawn again by the bootstrap: pictures of one product (or style) fail and succeed together."""
        return "style" if self.match == "style" else "product"


def protocol_for(match: str, **more: Any) -> Protocol:
    """Protocol of a match: any match wider than a product leaves out the query's own product, or its other views would win."""
    return Protocol(match=match, left_out="picture" if match == "product" else "product", **more)


def matched(table: pl.DataFrame, match: str, *, setting: str = "match") -> np.ndarray:
    """The column that makes twins, as text (N,); DataError naming the columns there are, and the setting that said it."""
    if match not in table.columns:
        raise DataError(
            f"{setting}={match}: this data set has no such column; there are {', '.join(sorted(table.columns))}"
        )
    values = table[match].cast(pl.String).fill_null("").to_numpy()
    if not (values != "").any():
        raise DataError(
            f"{setting}={match}: every picture's {match} is empty in this data set; match by something it tells"
        )
    return values


def coded(values: np.ndarray) -> np.ndarray:
    """Texts (N,) to whole numbers (N,), equal where the texts are, -1 where empty."""
    codes = np.unique(values, return_inverse=True)[1].astype(np.int64)
    codes[values == ""] = -1
    return codes


def sides(table: pl.DataFrame, protocol: Protocol) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers of the queries and of the gallery."""
    asks = _role(table, "query") & _view(table, protocol.query_view)
    answers = _role(table, "gallery") & _view(table, protocol.gallery_view)
    return np.flatnonzero(asks), np.flatnonzero(answers)


def _role(table: pl.DataFrame, role: str) -> np.ndarray:
    return table["role"].is_in([role, "both"]).to_numpy()


def _view(table: pl.DataFrame, view: str) -> np.ndarray:
    if view and view not in table["view"].unique():
        there = ", ".join(sorted(filter(None, table["view"].unique()))) or "none named"
        raise DataError(f"no picture has the view {view!r}; there are: {there}")
    return (table["view"] == view).to_numpy() if view else np.ones(len(table), bool)


def _similarity(color_weight: float) -> str:
    if not color_weight:
        return "cosine"
    return f"{1 - color_weight:g} x cosine of the shapes + {color_weight:g} x cosine of the colors"


def _of_view(view: str) -> str:
    return f", of the view {view!r}" if view else ""
