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
        choices=choices(metrics["chosen"]),
        curves=_svg(history) if history else "",
        environment=environment,
        neighbours=base64.b64encode(neighbours).decode(),
    )


def choices(chosen: Mapping[str, Any]) -> dict[str, str]:
    """What val chose, in words."""
    said = {"beginning": chosen["start"]} if chosen.get("start") else {}
    if "epoch" in chosen:
        said["epoch"] = f"{chosen['epoch']} of {chosen['epochs']}, val map@r {chosen['value']:.3f}"
    if blend := chosen.get("blend"):
        tried = ", ".join(f"{share}: {value:.3f}" for share, value in blend["val map@r"].items())
        said["trained weights"] = f"a share of {blend['share of trained']} (val map@r by share: {tried})"
    if chosen.get("finish"):
        said["closed form"] = f"{chosen['finish']}, val map@r {chosen['val map@r']:.3f}"
    return said


# Panels of the curves: title, what the x-axis is, and the scalars of the history that it shows.
PANELS = (
    ("training loss", "step", ("train/loss",)),
    ("val map@r", "epoch", ("val/map@r",)),
    ("distances in a batch", "step", ("signs/twin_distance", "signs/stranger_distance", "signs/hardest_stranger")),
    ("share of active triplets", "step", ("signs/active_triplets",)),
    ("effective rank", "step", ("signs/effective_rank",)),
)
COLORS = ("#4477aa", "#228b54", "#c83c3c")


def _svg(history: Sequence[Mapping[str, Any]]) -> str:
    """The curves as an SVG, a panel for whatever was logged."""
    panels = [panel for panel in PANELS if any(panel[2][0] in line for line in history)]
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "lookalike", "font.size": 9}):
        rows = -(-len(panels) // 2)
        figure = Figure(figsize=(9, 2.6 * rows), layout="constrained")
        axes = figure.subplots(rows, 2, squeeze=False).ravel()
        for at, (title, along, names) in zip(axes, panels, strict=False):
            _panel(at, title, along, names, history)
        for spare in axes[len(panels) :]:
            spare.set_axis_off()
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()[buffer.getvalue().index("<svg") :]


def _panel(axes: Any, title: str, along: str, names: Sequence[str], history: Sequence[Mapping[str, Any]]) -> None:
    few = along == "epoch"
    for name, color in zip(names, COLORS, strict=False):
        points = [(line[along] + few, line[name]) for line in history if name in line]  # epochs are counted from 0
        label = name.partition("/")[2].replace("_", " ")
        axes.plot(*zip(*points, strict=True), color=color, linewidth=1, marker="o" * few, markersize=4, label=label)
    if len(names) > 1:
        axes.legend(frameon=False, fontsize=8)
    axes.set(title=title, xlabel=along)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
