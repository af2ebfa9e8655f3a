"""From the parts of a score to the lines that text, page and plot show: steps from the bias to the score."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..errors import DataError
from ._words import clean

if TYPE_CHECKING:
    from .score_parts import ScoreParts

__all__ = ["Step", "hidden", "steps"]


class Step(NamedTuple):
    """One line: `value` is added to what has been added up before it, `start`.

    Attributes
    ----------
    kind : {"bias", "linear", "pairwise", "score"}
    label : str
    value, start : float
        The last line, the score, starts at 0.
    """

    kind: str
    label: str
    value: float
    start: float

    @property
    def end(self) -> float:
        """What has been added up after it."""
        return self.start + self.value


def steps(parts: ScoreParts, n: int) -> list[Step]:
    """Give bias, linear terms, pairwise terms (largest first, the `n` largest of all by themselves), score."""
    if n < 1:
        raise DataError(f"n must be at least 1, got {n}")
    values, names = parts.values, parts.names
    border = 1 + len(parts.fields)
    order = 1 + np.argsort(-np.abs(values[1:]), kind="stable")
    order = order[values[order] != 0]
    lines = [Step("bias", "bias", float(values[0]), 0.0)]
    for kind, of_kind in (("linear", order < border), ("pairwise", order >= border)):
        every = order[of_kind]
        own = int(np.count_nonzero(of_kind[:n]))
        own += own == len(every) - 1  # a line "1 other" would say less than the part itself
        for part in every[:own]:
            lines.append(Step(kind, clean(names[part]), float(values[part]), lines[-1].end))
        if own < len(every):
            words = f"{len(every) - own:,} {'smaller ' if own else ''}{kind} terms"
            lines.append(Step(kind, words, float(values[every[own:]].sum()), lines[-1].end))
    return [*lines, Step("score", "score", parts.score, 0.0)]


def hidden(parts: ScoreParts) -> str:
    """Say how many parts have no line because they are zero; "" if none.

    A field paired with itself does not count: with one feature in it, there is no pair.
    """
    zero = sum(value == 0 for value in parts.linear.values())
    zero += sum(value == 0 for (a, b), value in parts.pairwise.items() if a != b)
    return f"Not shown: {zero:,} {'part that is' if zero == 1 else 'parts that are'} zero." if zero else ""
