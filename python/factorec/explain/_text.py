"""An explanation as text."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from ._words import digits, headline, legend, parts, rating, scores, signed, title_of

if TYPE_CHECKING:
    from .explanation import Explanation

__all__ = ["to_text"]


def to_text(why: Explanation, n: int = 20) -> str:
    """Give headline, scores, their parts and the `n` strongest contributions; titles are never cut."""
    named = scores(why)
    width = max(len(name) for name, _ in named)
    summands = [(signed(part.value), part.words) for part in parts(why)]
    value_width = max(len(value) for value, _ in summands)
    total = len(why.impact)
    lines = [
        headline(why),
        "",
        *(f"  {name:<{width}}  {value}" for name, value in named),
        "",
        *(f"  {value:>{value_width}}  {words}" for value, words in summands),
        "",
        *_table(why, min(n, total)),
    ]
    if total > n:
        lines.append(f"  … and {total - n:,} more")
    return "\n".join([*lines, "", *textwrap.wrap(legend(why), 96, initial_indent="  ", subsequent_indent="  ")])


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
