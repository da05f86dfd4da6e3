"""A run as one page: how it was measured, its figures with intervals, its curves, its best and worst queries.

In: what a run folder holds. Out: self-contained HTML. Never: computes a figure, or links anything outside itself.
"""

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any

import jinja2
import matplotlib as mpl
from matplotlib.figure import Figure

PAGES = jinja2.Environment(
    loader=jinja2.PackageLoader("lookalike", "reporting"), autoescape=True, undefined=jinja2.StrictUndefined
)


def render(
    title: str,
    metrics: Mapping[str, Any],
    history: Sequence[Mapping[str, Any]],
    environment: Mapping[str, Any],
    neighbours: bytes,
) -> str:
    """The page."""
    figures = {
        split: {name: told for name, told in metrics[split].items() if isinstance(told, dict)}
        for split in ("test", "val")
    }
    return PAGES.get_template("run.html.j2").render(
        title=title,
        metrics=metrics,
        figures=figures,
        curves=_svg(history),
        environment=environment,
        neighbours=base64.b64encode(neighbours).decode(),
    )


def _svg(history: Sequence[Mapping[str, Any]]) -> str:
    """Loss by step and val by epoch, as an SVG."""
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "lookalike", "font.size": 9}):
        figure = Figure(figsize=(9, 2.8), layout="constrained")
        left, right = figure.subplots(1, 2)
        loss = [(line["step"], line["train/loss"]) for line in history if "train/loss" in line]
        left.plot(*zip(*loss, strict=True), color="#4477aa", linewidth=1) if loss else None
        left.set(title="training loss", xlabel="step")
        val = [(line["epoch"] + 1, line["val/recall@1"]) for line in history if "val/recall@1" in line]
        right.plot(*zip(*val, strict=True), color="#228b54", marker="o", markersize=4) if val else None
        right.set(title="val recall@1", xlabel="epoch")
        for axes in (left, right):
            axes.grid(alpha=0.25)
            axes.spines[["top", "right"]].set_visible(False)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()[buffer.getvalue().index("<svg") :]
