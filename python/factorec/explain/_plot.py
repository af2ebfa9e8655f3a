"""An explanation as a bar chart (matplotlib, imported only here)."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DataError
from ._words import count, headline, probability, rating, signed, title_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .explanation import Explanation

__all__ = ["figure", "plot"]

POSITIVE, NEGATIVE = "#2a6f97", "#d9723b"  # blue and orange: apart for colour-blind eyes too
_INK, _FAINT = "#1f2933", "#7b8794"
_WRAP = 46  # characters of a title per line
_BAR_WIDTH = 5.2  # inches


def plot(why: Explanation, ax: Axes | None, n: int, value: str) -> Axes:
    """Draw into `ax`, or into a new pyplot figure."""
    if ax is None:
        plt = _matplotlib("pyplot")
        fig = plt.figure()
        axes = _fill(fig, why, n, value)
    else:
        axes = ax
        _draw(axes, why, n, value)
        axes.set_title(headline(why), loc="left", parse_math=False)
    return axes


def figure(why: Explanation, n: int, value: str) -> Figure:
    """Draw a figure by itself, outside pyplot: nothing to close."""
    fig: Figure = _matplotlib("figure").Figure()
    _fill(fig, why, n, value)
    return fig


def _matplotlib(module: str) -> Any:
    from importlib import import_module

    try:
        return import_module(f"matplotlib.{module}")
    except ImportError:
        raise ImportError("plots need matplotlib: pip install 'factorec[cli]'") from None


def _fill(fig: Figure, why: Explanation, n: int, value: str) -> Axes:
    """Lay out a figure around the axes, sized so that every title fits whole."""
    ax = fig.add_subplot()
    lines = _draw(ax, why, n, value)
    renderer = fig.canvas.get_renderer() if hasattr(fig.canvas, "get_renderer") else None
    labels = max((t.get_window_extent(renderer).width for t in ax.get_yticklabels()), default=0.0) / fig.dpi
    left, right, bottom = labels + 0.35, 0.35, 0.75
    width = left + _BAR_WIDTH + right
    title = textwrap.wrap(headline(why), int(width * 9.5))
    sub = textwrap.wrap(_subtitle(why, n), int(width * 13.5))
    top = 0.35 + 0.27 * len(title) + 0.21 * len(sub)
    height = bottom + top + 0.30 * max(lines, 1)
    fig.set_size_inches(width, height)
    fig.subplots_adjust(left / width, bottom / height, 1 - right / width, 1 - top / height)
    fig.set_facecolor("white")
    text: dict[str, Any] = {"x": 0.2 / width, "va": "top", "ha": "left", "parse_math": False}
    fig.text(y=1 - 0.18 / height, s="\n".join(title), size=14, weight="bold", color=_INK, **text)
    fig.text(y=1 - (0.24 + 0.27 * len(title)) / height, s="\n".join(sub), size=9.5, color=_FAINT, **text)
    return ax


def _subtitle(why: Explanation, n: int) -> str:
    score = f"score {signed(why.score, 2)}" if why.loss == "logistic" else f"score {why.score:.2f}"
    if why.loss == "logistic":
        score += f" log-odds, a like with probability {probability(why.score):.0%}"
    total = len(why.impact)
    shown = (
        f"all {count(why, total)} rated" if total <= n else f"the {n} strongest of {count(why, total)} rated"
    )
    return f"{score}  ·  {shown}" + ("  ·  published formula" if why.method == "paper" else "")


def _draw(ax: Axes, why: Explanation, n: int, value: str) -> int:
    """Draw the bars; returns how many lines of text the titles take."""
    if value not in ("impact", "influence"):
        raise DataError(f"value must be 'impact' or 'influence', got {value!r}")
    values = getattr(why, value)[:n]
    labels = []
    for i in range(len(values)):
        rated = "" if why.ratings is None else f"  ({rating(why.ratings[i])})"
        labels.append("\n".join(textwrap.wrap(title_of(why, i) + rated, _WRAP)) or " ")
    heights = np.array([label.count("\n") + 1 for label in labels], dtype=float)
    centres = np.cumsum(heights) - heights / 2
    colors = [POSITIVE if v >= 0 else NEGATIVE for v in values]
    ax.barh(centres, values, height=0.72, color=colors, zorder=2)
    ax.set_yticks(centres, labels, parse_math=False)
    ax.set_ylim(heights.sum(), 0)
    reach = float(np.abs(values).max(initial=0.0)) or 1.0
    low, high = min(values.min(initial=0.0), 0.0), max(values.max(initial=0.0), 0.0)
    # Room for the number at the end of each bar.
    room = 0.13 * max(high - low, reach)
    ax.set_xlim(low - (room if low < 0 else 0), high + (room if high > 0 else 0))
    for centre, v in zip(centres, values, strict=True):
        side = 1 if v >= 0 else -1
        ax.annotate(
            signed(v),
            (v, centre),
            xytext=(4 * side, 0),
            textcoords="offset points",
            va="center",
            ha="left" if side > 0 else "right",
            size=8.5,
            color=_INK,
        )
    unit = "log-odds" if why.loss == "logistic" and why.method != "paper" else "rating points"
    if why.method == "paper" and why.loss == "logistic":
        unit = "label: 0 dislike, 1 like"
    words = (
        f"impact on the score ({unit})" if value == "impact" else f"influence on the score ({unit} per unit)"
    )
    ax.set_xlabel(words, color=_FAINT, size=9.5)
    ax.axvline(0, color=_INK, linewidth=0.8, zorder=3)
    ax.grid(axis="x", color="#e4e7eb", linewidth=0.8, zorder=0)
    ax.set_axisbelow(True)
    ax.tick_params(axis="y", length=0, labelsize=10, labelcolor=_INK)
    ax.tick_params(axis="x", length=0, labelsize=9, labelcolor=_FAINT)
    for spine in ax.spines.values():
        spine.set_visible(False)
    return int(heights.sum())
