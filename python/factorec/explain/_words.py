"""The words and numbers that text, page and plot share."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .._losses import OrderedLevels

if TYPE_CHECKING:
    from .explanation import Explanation

__all__ = [
    "Part",
    "clean",
    "count",
    "digits",
    "headline",
    "legend",
    "parts",
    "probability",
    "rating",
    "scores",
    "signed",
    "title_of",
    "unit",
]


class Part(NamedTuple):
    """One summand of the re-solved score."""

    value: float
    words: str
    short: str


def signed(value: float, digits: int = 3) -> str:
    """``+0.123``; what rounds to zero has no sign."""
    text = f"{value:+.{digits}f}"
    return text[1:] if float(text) == 0 else text.replace("-", "−")


def digits(values: Any) -> int:
    """How many decimals show three significant digits of the largest of `values`: 2 to 8."""
    largest = float(np.abs(values).max(initial=0.0))
    return int(np.clip(2 - math.floor(math.log10(largest)), 2, 8)) if largest > 0 else 2


def clean(text: Any) -> str:
    """One line without characters that do not print (some turn the direction of the text around)."""
    return " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())


def rating(value: Any) -> str:
    """``5`` for 5.0, ``3.5`` for 3.5."""
    return f"{float(value):g}" if isinstance(value, (float, np.floating)) else clean(value)


def count(why: Explanation, n: int) -> str:
    """``1 film``, ``20 films``."""
    return f"{n:,} {why.noun}{'' if n == 1 else 's'}"


def title_of(why: Explanation, position: int) -> str:
    """Title of a contribution, or its id where it has none."""
    title = None if why.titles is None else why.titles[position]
    # NaN is what pandas puts where a title is missing.
    return clean(why.item_ids[position] if title is None or title != title else title)


def headline(why: Explanation) -> str:
    """Ask the question that is answered."""
    what = f"{why.noun} {clean(why.item_id)}" if why.title is None else f"“{clean(why.title)}”"
    return f"Why {what} for {'this user' if why.user_id is None else f'user {clean(why.user_id)}'}?"


def probability(log_odds: float) -> float:
    """Of a like."""
    small = math.exp(-abs(log_odds))
    return 1.0 / (1.0 + small) if log_odds >= 0 else small / (1.0 + small)


def unit(why: Explanation, *, score: bool = False) -> str:
    """Name what impacts (or the score of the model) are measured in."""
    if why.unit is not None:
        return why.unit
    levels = isinstance(why.loss, OrderedLevels)
    if why.loss == "squared" or (why.method == "paper" and not score and levels):
        return "rating points"
    if why.method == "paper" and not score:
        return "label: 0 dislike, 1 like"
    link = why.loss.link if isinstance(why.loss, OrderedLevels) else why.loss
    return "probits" if link == "probit" else "log-odds"


def _score(why: Explanation, value: float) -> str:
    if why.loss == "logistic":
        return f"{signed(value)} log-odds (a like with probability {probability(value):.0%})"
    return _plain(value) if why.loss == "squared" else f"{signed(value)} {unit(why, score=True)}"


def _plain(value: float) -> str:
    return f"{value:.3f}".replace("-", "−")


def scores(why: Explanation) -> list[tuple[str, str]]:
    """Each score by name, as text."""
    lines = [("score of the model", _score(why, why.score))]
    if why.unexplained:
        return lines
    if why.method == "paper":
        lines.append(("least squares from the ratings", f"{_plain(why.resolved_score)} ({unit(why)})"))
        lines.append(("rank, condition number", f"{why.rank}, {why.condition:.3g}"))
    else:
        name = "score explained here" if why.stand_in is None else "score explained by a squared loss"
        lines.append((name, f"{_score(why, why.resolved_score)}, gap {signed(why.gap)}"))
    return lines


def parts(why: Explanation) -> list[Part]:
    """List the summands of the re-solved score, ratings by sign."""
    lines: list[Part] = []
    if why.method != "paper":
        own = f"general level, this user's own, this {why.noun}'s own"
        if why.parts is not None and len(why.parts.fields) > 2:
            own += ", other fields"
        lines.append(Part(why.rest, f"without the ratings: {own}", "without them"))
    for word, chosen in (("for", why.impact > 0), ("against", why.impact < 0)):
        some = f"{np.count_nonzero(chosen):,} of the {count(why, len(why.impact))} rated"
        lines.append(Part(float(why.impact[chosen].sum()), f"{some} speak {word} it", f"{word} it"))
    if why.background is not None:
        lines.append(Part(why.background, f"{why.noun}s not rated, all together", f"by {why.noun}s not rated"))
    if why.prior is not None:
        lines.append(Part(why.prior, "a typical user: the prior mean, held against these ratings", "typical user"))
    return lines


def legend(why: Explanation) -> str:
    """Say what the two columns mean, or why there are none."""
    if why.unexplained:
        return f"No {why.noun} rated explains this score: {why.unexplained}."
    change = "were a like instead of a dislike" if why.loss in ("logistic", "probit") else "were one point higher"
    if why.unit is not None:
        change = "had a target higher by one"
    text = (
        f"Impact: how much of the score comes from the rating of that {why.noun}. "
        f"Influence: how far the score would move if that rating {change}."
    )
    if why.stand_in is not None:
        text += f" {why.stand_in}"
    if why.left_out:
        text += f" The user has rated this {why.noun} too; that rating is left out here."
    return text
