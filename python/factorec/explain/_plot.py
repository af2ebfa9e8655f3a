"""An explanation as a bar chart (matplotlib, imported only here)."""

from __future__ import annotations

import textwrap
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DataError
from ._words import clean, count, digits, headline, probability, rating, signed, title_of, unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .explanation import Explanation

__all__ = ["figure", "plot"]

# Blue and orange: apart for colour-blind eyes too.
POSITIVE, NEGATIVE = "#2a6f97", "#d9723b"
_INK, _FAINT, _GRID = "#1f2933", "#66727f", "#e4e7eb"
_TITLE_CHARACTERS = 46  # of one line; longer titles take several
_BARS, _LINE, _MARGIN = 5.2, 0.29, 0.25  # inches: width of the bars, height of a line, around everything


def plot(why: Explanation, ax: Axes | None, n: int, value: str) -> Axes:
    """Draw into `ax`, or into a new pyplot figure."""
    if ax is None:
        return _fill(_matplotlib("pyplot").figure(), why, n, value)
    _draw(ax, why, n, value)
    ax.set_title(headline(why), loc="left", color=_INK, parse_math=False)
    return ax


def figure(why: Explanation, n: int, value: str) -> Figure:
    """Draw a figure outside pyplot: nothing to close."""
    fig: Figure = _matplotlib("figure").Figure()
    _fill(fig, why, n, value)
    return fig


def _matplotlib(module: str) -> Any:
    try:
        return import_module(f"matplotlib.{module}")
    except ImportError as error:
        raise ImportError("plots need matplotlib: pip install 'factorec[cli]'") from error


def _draw(ax: Axes, why: Explanation, n: int, value: str) -> float:
    """Draw the `n` longest bars; returns how many lines high they are."""
    if value not in ("impact", "influence"):
        raise DataError(f"value must be 'impact' or 'influence', got {value!r}")
    if n < 1:
        raise DataError(f"n must be at least 1, got {n}")
    every = getattr(why, value)
    order = np.argsort(-np.abs(every), kind="stable")[:n]
    values = every[order]
    labels = ["\n".join(textwrap.wrap(title_of(why, i), _TITLE_CHARACTERS)) or " " for i in order]
    heights = np.array([1.0 + 0.65 * label.count("\n") for label in labels])
    centres = np.cumsum(heights) - heights / 2
    ax.barh(centres, values, height=0.72, color=[POSITIVE if v >= 0 else NEGATIVE for v in values], zorder=2)
    ax.set_ylim(heights.sum(), 0)

    # Titles, then the user's ratings in a column of their own, then the bars, a number at the end of each.
    ax.set_yticks(centres, labels, parse_math=False)
    ax.tick_params(axis="y", length=0, labelsize=10, labelcolor=_INK, pad=6 if why.ratings is None else 40)
    if why.ratings is not None:
        cells = [
            (-0.35, "rating", 8.5),
            *((c, rating(why.ratings[i]), 10.0) for c, i in zip(centres, order, strict=True)),
        ]
        for y, cell, size in cells:
            _note(ax, (0, y), cell, (-20, 0), ha="center", size=size, color=_FAINT, across=True)
    numbers = [signed(v, digits(values)) for v in values]
    for centre, v, number in zip(centres, values, numbers, strict=True):
        side = 1 if v >= 0 else -1
        _note(ax, (v, centre), number, (4 * side, 0), ha="left" if side > 0 else "right", size=8.5, color=_INK)
    low, high = float(values.min(initial=0.0)), float(values.max(initial=0.0))
    share = (0.1 + 0.085 * max(map(len, numbers))) / _BARS
    room = share * ((high - low) or 1.0) / (1 - share * ((low < 0) + (high > 0)))
    ax.set_xlim(low - room * (low < 0), high + room * (high > 0 or low == 0))

    per_unit = "" if value == "impact" else ("" if unit(why).startswith("label") else " per unit of the rating")
    ax.set_xlabel(f"{value} on the score ({unit(why)}{per_unit})", color=_FAINT, size=9.5, labelpad=6)
    ax.axvline(0, color=_INK, linewidth=0.8, zorder=3)
    ax.grid(axis="x", color=_GRID, linewidth=0.8, zorder=0)
    ax.grid(axis="y", visible=False)
    ax.set_facecolor("none")
    ax.locator_params(axis="x", nbins=6)
    ax.tick_params(axis="x", length=0, labelsize=9, labelcolor=_FAINT)
    for spine in ax.spines.values():
        spine.set_visible(False)
    return float(heights.sum())


def _note(
    ax: Axes,
    at: tuple[float, float],
    text: str,
    shift: tuple[float, float],
    *,
    across: bool = False,
    **style: Any,
) -> None:
    """Write `text` beside a point; `across`: x counts from the left edge of the axes."""
    note = ax.annotate(
        text,
        at,
        shift,
        xycoords=("axes fraction", "data") if across else "data",
        textcoords="offset points",
        va="center_baseline",
        annotation_clip=False,
        **style,
    )
    note.set_parse_math(False)


def _fill(fig: Figure, why: Explanation, n: int, value: str) -> Axes:
    """Lay out a figure around the axes, sized so that every title fits whole."""
    ax = fig.add_subplot()
    lines = _draw(ax, why, n, value)
    inches = 1 / fig.dpi
    ends = [label.get_window_extent().x0 for label in ax.get_yticklabels()]
    labels = (ax.get_window_extent().x0 - min(ends, default=0.0)) * inches
    left = labels + _MARGIN
    width = left + _BARS + _MARGIN
    inside = width - 2 * _MARGIN

    # Down from the top edge, each paragraph by its measured height.
    depth = _MARGIN
    notes = []
    paragraphs: list[tuple[str, dict[str, Any]]] = [
        (headline(why), {"size": 14, "weight": "bold", "color": _INK}),
        (_subtitle(why, n), {"size": 9.5, "color": _FAINT}),
    ]
    for words, style in paragraphs:
        note = fig.text(0, 0, words, va="top", ha="left", parse_math=False, linespacing=1.3, **style)
        size = len(words)
        while note.get_window_extent().width * inches > inside and size > 8:
            size = int(size * 0.92)
            note.set_text(textwrap.fill(words, size))
        notes.append((note, depth))
        depth += note.get_window_extent().height * inches + 0.11
    top, bottom = depth + (0.1 if why.ratings is None else 0.25), 0.55 + _MARGIN
    height = top + _LINE * lines + bottom
    fig.set_size_inches(width, height)
    fig.subplots_adjust(left / width, bottom / height, 1 - _MARGIN / width, 1 - top / height)
    fig.set_facecolor("white")
    for note, y in notes:
        note.set_position((_MARGIN / width, 1 - y / height))
    return ax


def _subtitle(why: Explanation, n: int) -> str:
    if why.loss == "logistic":
        score = f"score {signed(why.score, 2)} log-odds: a like with probability {probability(why.score):.0%}"
    else:
        score = f"score {why.score:.2f}"
    total = len(why.impact)
    shown = f"all {count(why, total)} rated" if total <= n else f"the {n} strongest of {count(why, total)} rated"
    formula = "  ·  published formula" if why.method == "paper" else ""
    return f"{clean(score)}  ·  {shown}{formula}"
