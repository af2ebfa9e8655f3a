"""An explanation as text."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from ._words import count, headline, legend, parts, rating, scores, signed, title_of

if TYPE_CHECKING:
    from .explanation import Explanation

__all__ = ["to_text"]


def to_text(why: Explanation, n: int = 20) -> str:
    """Give headline, scores, their parts and the `n` strongest contributions; titles are never cut."""
    lines = [headline(why), ""]
    named = scores(why)
    width = max(len(name) for name, _ in named)
    lines += [f"  {name:<{width}}  {value}" for name, value in named]
    lines += ["", *(f"  {signed(part.value):>8}  {part.words}" for part in parts(why)), ""]
    shown = min(n, len(why.impact))
    table = [
        ["impact", "influence"],
        *([signed(why.impact[i]), signed(why.influence[i])] for i in range(shown)),
    ]
    if why.ratings is not None:
        table = [[*row, "rating" if i == 0 else rating(why.ratings[i - 1])] for i, row in enumerate(table)]
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    titles = [why.noun, *(title_of(why, i) for i in range(shown))]
    for row, title in zip(table, titles, strict=True):
        lines.append(
            "  " + "  ".join(f"{cell:>{w}}" for cell, w in zip(row, widths, strict=True)) + f"  {title}"
        )
    if shown < len(why.impact):
        lines.append(f"  … and {count(why, len(why.impact) - shown)} more")
    return "\n".join(
        [*lines, "", *textwrap.wrap(legend(why), 100, initial_indent="  ", subsequent_indent="  ")]
    )
