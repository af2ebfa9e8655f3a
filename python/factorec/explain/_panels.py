"""The two panels of a picture: a score as a waterfall of its parts, and the bars of the ratings behind it."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DataError
from ._steps import Step, hidden, steps
from ._words import digits, rating, signed, title_of, unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .explanation import Explanation
    from .score_parts import ScoreParts

__all__ = ["FAINT", "INK", "draw_parts", "draw_ratings"]

# Blue and orange: apart for colour-blind eyes too.
POSITIVE, NEGATIVE = "#2a6f97", "#d9723b"
INK, FAINT, GRID = "#1f2933", "#66727f", "#e4e7eb"
_CHARACTERS = 46  # of one line; longer titles take several
_BAR = 0.72  # of the height of a line
_HEADINGS = {"linear": "linear terms", "pairwise": "pairwise terms"}


def draw_ratings(ax: Axes, why: Explanation, n: int, value: str, inches: float) -> float:
    """Draw the `n` longest bars on axes `inches` wide; returns how many lines high they are."""
    if value not in ("impact", "influence"):
        raise DataError(f"value must be 'impact' or 'influence', got {value!r}")
    if n < 1:
        raise DataError(f"n must be at least 1, got {n}")
    every = getattr(why, value)
    order = np.argsort(-np.abs(every), kind="stable")[:n]
    values = every[order]
    # Titles, then the user's ratings in a column of their own, then the bars, a number at the end of each.
    centres, lines = _labels(ax, [title_of(why, i) for i in order], 6 if why.ratings is None else 40)
    ax.barh(centres, values, height=_BAR, color=[POSITIVE if v >= 0 else NEGATIVE for v in values], zorder=2)
    if why.ratings is not None:
        cells = [
            (-0.35, "rating", 8.5),
            *((c, rating(why.ratings[i]), 10.0) for c, i in zip(centres, order, strict=True)),
        ]
        for y, cell, size in cells:
            _note(ax, (0, y), cell, (-20, 0), ha="center", size=size, color=FAINT, across=True)
    numbers = [signed(v, digits(values)) for v in values]
    for centre, v, number in zip(centres, values, numbers, strict=True):
        side = 1 if v >= 0 else -1
        _note(ax, (v, centre), number, (4 * side, 0), ha="left" if side > 0 else "right", size=8.5, color=INK)
    low, high = float(values.min(initial=0.0)), float(values.max(initial=0.0))
    share = _share(numbers, inches)
    room = share * ((high - low) or 1.0) / (1 - share * ((low < 0) + (high > 0)))
    ax.set_xlim(low - room * (low < 0), high + room * (high > 0 or low == 0))
    ax.axvline(0, color=INK, linewidth=0.8, zorder=3)
    per_unit = "" if value == "impact" else ("" if unit(why).startswith("label") else " per unit of the rating")
    _style(ax, f"{value} on the score ({unit(why)}{per_unit})")
    return lines


def draw_parts(ax: Axes, parts: ScoreParts, n: int, measure: str, inches: float) -> float:
    """Draw the waterfall of one score on axes `inches` wide; returns how many lines high it is."""
    lines: list[Step | str] = []
    for step in steps(parts, n):
        if step.kind in _HEADINGS and step.kind not in {line.kind for line in lines if isinstance(line, Step)}:
            lines.append(_HEADINGS[step.kind])
        lines.append(step)
    labels = [line if isinstance(line, str) else line.label for line in lines]
    if notes := hidden(parts):
        labels.append("")
    centres, height = _labels(ax, labels, 6)
    decimals = digits(parts.values[1:])
    before: tuple[float, float] | None = None  # where the line above ended
    ends, numbers = [], []
    for line, y, label in zip(lines, centres, ax.get_yticklabels(), strict=False):
        if isinstance(line, str):
            label.set(size=8.5, color=FAINT)
            continue
        if before is not None:
            ax.plot([before[0]] * 2, [before[1], y], color=FAINT, linewidth=0.8, zorder=1)
        before = (line.end, y)
        number = signed(line.value, decimals)
        numbers.append(number)
        if line.kind in _HEADINGS:
            colour = POSITIVE if line.value >= 0 else NEGATIVE
            ax.barh(y, line.value, left=line.start, height=_BAR, color=colour, zorder=2)
            _note(ax, (max(line.start, line.end), y), number, (4, 0), ha="left", size=8.5, color=INK)
            ends += [line.start, line.end]
        else:  # the bias and the score are places, not lengths
            label.set_fontweight("bold")
            ax.plot([line.end], [y], marker="D", markersize=6, color=INK, zorder=3)
            _note(ax, (line.end, y), number, (8, 0), ha="left", size=8.5, color=INK, weight="bold")
            ends.append(line.end)
    if notes:
        _note(ax, (1, centres[-1]), notes, (0, 0), ha="right", size=8.5, color=FAINT, across=True)
    low, high = min(ends), max(ends)
    share, edge = _share(numbers, inches), 0.04
    span = (high - low or 1.0) / (1 - share - edge)
    ax.set_xlim(low - edge * span, high + share * span)
    if low <= 0 <= high:
        ax.axvline(0, color=INK, linewidth=0.8, zorder=0.5)
    _style(ax, measure)
    return height


def _labels(ax: Axes, labels: list[str], pad: float) -> tuple[Any, float]:
    """Put labels on the y axis, wrapped, never cut; returns where their lines are and how high all are."""
    wrapped = ["\n".join(textwrap.wrap(label, _CHARACTERS)) or " " for label in labels]
    heights = np.array([1.0 + 0.65 * label.count("\n") for label in wrapped])
    centres = np.cumsum(heights) - heights / 2
    ax.set_ylim(heights.sum(), 0)
    ax.set_yticks(centres, wrapped, parse_math=False)
    ax.tick_params(axis="y", length=0, labelsize=10, labelcolor=INK, pad=pad)
    return centres, float(heights.sum())


def _share(numbers: list[str], inches: float) -> float:
    """What share of the axes the longest number takes."""
    return min(0.45, (0.1 + 0.085 * max(map(len, numbers), default=0)) / inches)


def _style(ax: Axes, measure: str) -> None:
    ax.set_xlabel(measure, color=FAINT, size=9.5, labelpad=6)
    ax.grid(axis="x", color=GRID, linewidth=0.8, zorder=0)
    ax.grid(axis="y", visible=False)
    ax.set_facecolor("none")
    ax.locator_params(axis="x", nbins=6)
    ax.tick_params(axis="x", length=0, labelsize=9, labelcolor=FAINT)
    for spine in ax.spines.values():
        spine.set_visible(False)


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
