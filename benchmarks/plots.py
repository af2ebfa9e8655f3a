"""Pictures of what growth.py and accuracy measured, as SVG: the same bytes for the same numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

# Okabe and Ito's colours, told apart with any colour vision; markers and dashes tell the rest.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
MARKERS = ("o", "s", "^", "D")
# Opaque, so that a page's dark background does not swallow the text.
STYLE = {
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "axes.edgecolor": "#555555",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#DDDDDD",
    "text.color": "#222222",
    "font.size": 9,
    "axes.titlesize": 9,
    "xtick.minor.visible": False,
    "ytick.minor.visible": False,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "svg.fonttype": "none",  # text stays text: small, and to be searched
    "svg.hashsalt": "factorec",
}
UNITS = {"seconds": ("time", "s", 1.0), "MB": ("memory", "B", 1e6)}  # what a y label begins with: name, unit, scale


def draw(curves: Sequence[dict[str, Any]], caption: str, folder: Path) -> list[Path]:
    """One file per picture that the curves name, a panel per curve."""
    import matplotlib as mpl

    pictures: dict[str, list[dict[str, Any]]] = {}
    for curve in curves:
        pictures.setdefault(curve["picture"], []).append(curve)
    folder.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(STYLE):
        return [_picture(panels, caption, folder / f"{name}.svg") for name, panels in pictures.items()]


def _picture(panels: list[dict[str, Any]], caption: str, path: Path) -> Path:
    from matplotlib.figure import Figure

    columns = min(len(panels), 2)
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(9, 2.9 * rows + 0.5), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis in axes[len(panels) :]:
        axis.remove()
    for axis, panel in zip(axes, panels, strict=False):
        _panel(axis, panel)
    figure.supxlabel(caption, fontsize=7, color="#555555")
    figure.savefig(path, metadata={"Date": None})
    return path


def _panel(axis: Any, panel: dict[str, Any]) -> None:
    from matplotlib.ticker import EngFormatter, LogLocator, NullLocator

    quantity, _, of_what = panel["y"].partition(" ")
    name, unit, scale = UNITS[quantity]
    for at, (label, points) in enumerate(panel["series"].items()):
        x, y = zip(*points, strict=True)
        dash = "--" if label.endswith("1 thread") else "-"
        look = {"color": COLOURS[at % 4], "marker": MARKERS[at % 4], "markersize": 4, "linewidth": 1.4}
        axis.plot(x, [scale * value for value in y], dash, label=label, **look)
    if panel["x"] == "threads":
        axis.set_ylim(bottom=0)
    else:
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    values = sorted({x for points in panel["series"].values() for x, _ in points})
    apart = [x for at, x in enumerate(values) if not at or x > 1.1 * values[at - 1]]  # 64 and 65 would overlap
    short = EngFormatter(sep="", places=None).format_data
    axis.set_xticks(apart, [short(x) if x >= 10_000 else f"{x:,.0f}" for x in apart])
    axis.yaxis.set_major_formatter(EngFormatter(unit=unit))
    for side in (axis.xaxis, axis.yaxis):
        side.set_minor_locator(NullLocator())
    axis.set_title(panel["title"])
    axis.set_xlabel(panel["x"])
    axis.set_ylabel(f"{name} {of_what}".strip())
    axis.legend()


def scatter(panels: Sequence[dict[str, Any]], caption: str, path: Path) -> Path:
    """Quality against time: a panel per task, a numbered point per contender, and who has which number."""
    import matplotlib as mpl

    path.parent.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(STYLE):
        return _scatter(panels, caption, path)


def _scatter(panels: Sequence[dict[str, Any]], caption: str, path: Path) -> Path:
    from matplotlib.figure import Figure
    from matplotlib.ticker import EngFormatter, NullLocator

    figure = Figure(figsize=(9, 3.1 * len(panels) + 0.4), layout="constrained")
    axes = figure.subplots(len(panels), 2, squeeze=False, width_ratios=(5, 4))
    for (axis, names), panel in zip(axes, panels, strict=True):
        for number, point in enumerate(panel["points"], 1):
            look = {"color": COLOURS[0 if point["ours"] else 1], "marker": MARKERS[0 if point["ours"] else 1]}
            axis.plot(point["seconds"], point["value"], markersize=5, linestyle="", **look)
            axis.annotate(
                str(number), (point["seconds"], point["value"]), (4, 3), textcoords="offset points", fontsize=7
            )
            place = (0.0, 1.0 - (number - 0.5) / max(len(panel["points"]), 12))
            names.text(*place, f"{number}  {point['name']}", color=look["color"], fontsize=7, va="center")
        axis.set_xscale("log")
        axis.xaxis.set_major_formatter(EngFormatter(unit="s"))
        axis.xaxis.set_minor_locator(NullLocator())
        axis.set_title(panel["title"])
        axis.set_xlabel("time to learn and answer, one thread")
        axis.set_ylabel(panel["y"])
        names.axis("off")
    figure.supxlabel(caption, fontsize=7, color="#555555")
    figure.savefig(path, metadata={"Date": None})
    return path
