"""The words and numbers that text, page and plot share."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from .explanation import Explanation

__all__ = [
    "Part",
    "count",
    "headline",
    "legend",
    "parts",
    "probability",
    "rating",
    "scores",
    "signed",
    "title_of",
]


class Part(NamedTuple):
    """One summand of the re-solved score."""

    value: float
    words: str


def signed(value: float, digits: int = 3) -> str:
    """``+0.123``; rounding to zero gives ``0.000`` without a sign."""
    text = f"{value:+.{digits}f}"
    return text[1:] if float(text) == 0 else text.replace("-", "−")


def rating(value: Any) -> str:
    """``5`` for 5.0, ``3.5`` for 3.5."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def count(why: Explanation, n: int) -> str:
    """``1 film``, ``20 films``."""
    return f"{n:,} {why.noun}{'' if n == 1 else 's'}"


def title_of(why: Explanation, position: int) -> str:
    """Title of a contribution, or its id where there are no titles."""
    return str(why.item_ids[position] if why.titles is None else why.titles[position])


def headline(why: Explanation) -> str:
    """Ask the question that is answered."""
    what = f"{why.noun} {why.item_id}" if why.title is None else f"“{why.title}”"
    return f"Why {what} for {'this user' if why.user_id is None else f'user {why.user_id}'}?"


def probability(log_odds: float) -> float:
    """Of a like."""
    return 1.0 / (1.0 + math.exp(-log_odds)) if log_odds >= 0 else 1.0 - 1.0 / (1.0 + math.exp(log_odds))


def _score(why: Explanation, value: float) -> str:
    if why.loss == "logistic":
        return f"{signed(value)} log-odds (a like with probability {probability(value):.0%})"
    return f"{value:.3f}"


def scores(why: Explanation) -> list[tuple[str, str]]:
    """Each score by name, as text."""
    lines = [("score of the model", _score(why, why.score))]
    if why.method == "paper":
        unit = "label, 1 = like" if why.loss == "logistic" else "rating"
        lines.append(("least squares from the ratings", f"{why.resolved_score:.3f} ({unit})"))
        lines.append(("rank, condition number", f"{why.rank}, {why.condition:.3g}"))
    else:
        lines.append(("score explained here", f"{_score(why, why.resolved_score)}, gap {signed(why.gap)}"))
    return lines


def parts(why: Explanation) -> list[Part]:
    """List the summands of the re-solved score, by sign where they are many."""
    n = len(why.impact)
    speaking_for, against = why.impact[why.impact > 0], why.impact[why.impact < 0]
    lines = []
    if why.method != "paper":
        lines.append(
            Part(why.rest, f"without the ratings: general level, this user's own, this {why.noun}'s own")
        )
    lines.append(
        Part(
            float(speaking_for.sum()), f"from {len(speaking_for)} of the {count(why, n)} rated, speaking for"
        )
    )
    lines.append(
        Part(float(against.sum()), f"from {len(against)} of the {count(why, n)} rated, speaking against")
    )
    if why.background is not None:
        lines.append(Part(why.background, f"from all {why.noun}s not rated"))
    if why.prior is not None:
        lines.append(Part(why.prior, "from the average user (prior mean)"))
    return lines


def legend(why: Explanation) -> str:
    """Say what the two columns mean."""
    change = "a like instead of a dislike" if why.loss == "logistic" else "one point more"
    impact = f"Impact: how much of the score the rating of that {why.noun} accounts for."
    text = f"{impact} Influence: how far the score would move with {change} there."
    if why.left_out:
        text += f" The user has rated this {why.noun}; that rating is left out here."
    return text
