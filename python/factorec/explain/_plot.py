"""Pictures laid out: words above, one or two panels below, everything inside (matplotlib, imported only here)."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from ._panels import FAINT, INK, draw_parts, draw_ratings
from ._words import clean, count, headline, parts, probability, signed, unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .explanation import Explanation
    from .score_parts import ScoreParts

__all__ = ["figure", "plot", "plot_parts"]

_BARS, _TWO_BARS = 5.2, (3.6, 4.2)  # inches: width of the bars of a panel, alone or beside another
_LINE, _MARGIN, _GAP = 0.29, 0.25, 0.45  # height of a line, around everything, between panels


class _Panel(NamedTuple):
    """A panel still to be drawn: words above it, and how (axes, width in inches → lines)."""

    title: str
    caption: str
    headed: bool  # whether its bars have a heading of their own above the first line
    draw: Callable[[Axes, float], float]


def plot(why: Explanation, ax: Axes | None, n: int, value: str) -> Axes:
    """Draw into `ax`, or into a new pyplot figure."""
    if ax is None:
        return _figure_of(_matplotlib("pyplot").figure(), why, n, value)
    if why.unexplained and why.parts is not None:
        return plot_parts(why.parts, ax, n)
    draw_ratings(ax, why, n, value, _BARS)
    ax.set_title(headline(why), loc="left", color=INK, parse_math=False)
    return ax


def figure(why: Explanation, n: int, value: str) -> Figure:
    """Draw a figure outside pyplot: nothing to close."""
    fig: Figure = _matplotlib("figure").Figure()
    _figure_of(fig, why, n, value)
    return fig


def plot_parts(parts: ScoreParts, ax: Axes | None, n: int) -> Axes:
    """Draw the parts of a score into `ax`, or into a new pyplot figure."""
    panel = _Panel("", "", False, lambda axes, inches: draw_parts(axes, parts, n, "score", inches))
    if ax is None:
        return _fill(_matplotlib("pyplot").figure(), [("A score by its parts", _HEAD)], [panel])
    panel.draw(ax, _BARS)
    return ax


_HEAD: dict[str, Any] = {"size": 14, "weight": "bold", "color": INK}
_SUB: dict[str, Any] = {"size": 9.5, "color": FAINT}


def _figure_of(fig: Figure, why: Explanation, n: int, value: str) -> Axes:
    """Lay out an explanation; the axes of the ratings (of the parts, where there are none)."""
    panels = []
    if why.parts is not None:
        of, measure = why.parts, f"score ({unit(why, score=True)})"
        words = "What the score is made of"
        caption = "from the bias, by linear and pairwise terms, to the score"
        panels.append(_Panel(words, caption, False, lambda ax, inches: draw_parts(ax, of, n, measure, inches)))
    if not why.unexplained or not panels:
        words, headed = f"Which rated {clean(why.noun)}s it comes from", why.ratings is not None
        panels.append(_Panel(words, _sum(why), headed, lambda ax, inches: draw_ratings(ax, why, n, value, inches)))
    return _fill(fig, [(headline(why), _HEAD), (_subtitle(why, n), _SUB)], panels)


def _matplotlib(module: str) -> Any:
    try:
        return import_module(f"matplotlib.{module}")
    except ImportError as error:
        raise ImportError("plots need matplotlib: pip install 'factorec[cli]'") from error


def _fill(fig: Figure, paragraphs: list[tuple[str, dict[str, Any]]], panels: list[_Panel]) -> Axes:
    """Lay out a figure around its panels, sized so that every label fits whole; the axes of the last panel."""
    inches = 1 / fig.dpi
    widths = [_BARS] if len(panels) == 1 else list(_TWO_BARS)
    drawn: list[tuple[Axes, float, float]] = []  # axes, width of its labels, height of its lines
    for panel, width in zip(panels, widths, strict=True):
        ax = fig.add_subplot(label=panel.title)
        height = _LINE * panel.draw(ax, width)
        ends = [label.get_window_extent().x0 for label in ax.get_yticklabels()]
        drawn.append((ax, max(0.0, ax.get_window_extent().x0 - min(ends)) * inches if ends else 0.0, height))
    total = 2 * _MARGIN + sum(widths) + sum(labels for _, labels, _ in drawn) + _GAP * (len(panels) - 1)

    # Down from the top edge, each paragraph by its measured height.
    depth, notes = _MARGIN, []

    def write(words: str, inside: float, at: float, depth: float, **style: Any) -> float:
        """Place a paragraph, wrapped to `inside` inches; returns the depth below it."""
        note = fig.text(0, 0, words, va="top", ha="left", parse_math=False, linespacing=1.3, **style)
        size = len(words)
        while note.get_window_extent().width * inches > inside and size > 8:
            size = int(size * 0.92)
            note.set_text(textwrap.fill(words, size))
        notes.append((note, at, depth))
        return depth + note.get_window_extent().height * inches

    for words, style in paragraphs:
        depth = write(words, total - 2 * _MARGIN, _MARGIN, depth, **style) + 0.11
    lefts, at = [], _MARGIN
    for (_, labels, _), width in zip(drawn, widths, strict=True):
        lefts.append(at)
        at += labels + width + _GAP
    if len(panels) > 1:
        depth += 0.16
        below = [
            write(panel.title, labels + width, left, depth, size=11.5, weight="bold", color=INK)
            for panel, (_, labels, _), width, left in zip(panels, drawn, widths, lefts, strict=True)
        ]
        depth = max(below) + 0.05
        below = [
            write(panel.caption, labels + width, left, depth, size=9, color=FAINT)
            for panel, (_, labels, _), width, left in zip(panels, drawn, widths, lefts, strict=True)
        ]
        depth = max(below) + 0.08
    top = depth + (0.25 if any(panel.headed for panel in panels) else 0.1)
    bottom = 0.55 + _MARGIN
    height = top + max(lines for _, _, lines in drawn) + bottom
    fig.set_size_inches(total, height)
    for (ax, labels, lines), width, left in zip(drawn, widths, lefts, strict=True):
        ax.set_position(((left + labels) / total, 1 - (top + lines) / height, width / total, lines / height))
    fig.set_facecolor("white")
    for note, x, y in notes:
        note.set_position((x / total, 1 - y / height))
    return drawn[-1][0]


def _sum(why: Explanation) -> str:
    """How the ratings add up to the score that they explain."""
    given = [f"{signed(part.value)} {part.short}" for part in parts(why)]
    gap = "" if math.isnan(why.gap) else f", gap {signed(why.gap)}"
    return f"{', '.join(given)}: together {signed(why.resolved_score)}{gap}"


def _subtitle(why: Explanation, n: int) -> str:
    if why.loss == "logistic":
        score = f"score {signed(why.score, 2)} log-odds: a like with probability {probability(why.score):.0%}"
    else:
        score = f"score {why.score:.2f}"
    if why.unexplained:
        return f"{clean(score)}  ·  {why.unexplained}"
    total = len(why.impact)
    shown = f"all {count(why, total)} rated" if total <= n else f"the {n} strongest of {count(why, total)} rated"
    formula = "  ·  published formula" if why.method == "paper" else ""
    return f"{clean(score)}  ·  {shown}{formula}"
