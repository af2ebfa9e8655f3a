"""An explanation, and the parts of a score, as text."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np

from ._steps import hidden, steps
from ._words import clean, digits, headline, legend, parts, rating, scores, signed, title_of

if TYPE_CHECKING:
    from .explanation import Explanation
    from .score_parts import ScoreParts

__all__ = ["parts_to_text", "to_text"]


def to_text(why: Explanation, n: int = 20) -> str:
    """Give headline, scores, their parts and the `n` strongest contributions; titles are never cut."""
    named = scores(why)
    width = max(len(name) for name, _ in named)
    total = len(why.impact)
    lines = [headline(why), "", *(f"  {name:<{width}}  {value}" for name, value in named), ""]
    if why.parts is not None:
        lines += ["  The score of the model by parts", "", *("  " + line for line in parts_to_text(why.parts, n)), ""]
    if total:
        summands = [(signed(part.value), part.words) for part in parts(why)]
        value_width = max(len(value) for value, _ in summands)
        if why.parts is not None:
            lines += [f"  The score explained here by {why.noun}s rated", ""]
        lines += [*(f"  {value:>{value_width}}  {words}" for value, words in summands), "", *_table(why, min(n, total))]
        if total > n:
            lines.append(f"  … and {total - n:,} more")
        lines.append("")
    return "\n".join([*lines, *textwrap.wrap(legend(why), 96, initial_indent="  ", subsequent_indent="  ")])


def parts_to_text(of: ScoreParts, n: int = 20) -> list[str]:
    """Give the parts of one score line by line; of many scores the size of each part over the rows."""
    if of.values.ndim == 2:
        return _sizes(of, n)
    lines = steps(of, n)
    decimals = digits(of.values[1:])
    values = [signed(line.value, decimals) for line in [lines[-1], *lines[:-1]]]
    labels = ["", *("" if line.kind == "bias" else line.label for line in lines[:-1])]
    kinds = [line.kind for line in lines[:-1]]
    first = ["score", *(kind if kind not in kinds[:i] else "" for i, kind in enumerate(kinds))]
    width = max(map(len, values))
    table = [
        f"{kind:>8}  {value:>{width}}  {label}".rstrip()
        for kind, value, label in zip(first, values, labels, strict=True)
    ]
    return [*table, *filter(None, [hidden(of)])]


def _sizes(of: ScoreParts, n: int) -> list[str]:
    head = f"The parts of {len(of):,} scores, by mean size |value|:"
    size = np.abs(of.values).mean(axis=0) if len(of) else np.zeros(of.values.shape[1])
    order = [int(part) for part in np.argsort(-size, kind="stable") if size[part] > 0]
    texts = [f"{size[part]:.{digits(size[1:])}f}" for part in order[:n]]
    width = max(map(len, texts), default=0)
    table = [f"  {text:>{width}}  {clean(of.names[part])}" for text, part in zip(texts, order, strict=False)]
    return [head, *table, *([f"  … and {len(order) - n:,} more"] if len(order) > n else [])]


def _table(why: Explanation, n: int) -> list[str]:
    columns = []
    for name, values in (("impact", why.impact), ("influence", why.influence)):
        decimals = digits(values)
        columns.append([name, *(signed(value, decimals) for value in values[:n])])
    if why.ratings is not None:
        columns.append(["rating", *(rating(value) for value in why.ratings[:n])])
    widths = [max(map(len, column)) for column in columns]
    titles = [why.noun, *(title_of(why, i) for i in range(n))]
    return [
        "  " + "  ".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True)) + f"  {title}"
        for cells, title in zip(zip(*columns, strict=True), titles, strict=True)
    ]
