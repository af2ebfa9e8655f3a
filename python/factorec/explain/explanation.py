"""Why one item got its score for one user."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .._losses import Loss
from ..errors import DataError
from ._resolve import Method
from ._rows import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .score_parts import ScoreParts

__all__ = ["Explanation"]


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """The score of one item for one user, split over the user's own ratings.

    Made by ``Recommender.explain``. With the user's vector re-solved from the user's ratings,

    ``resolved_score = rest + sum(impact) + background + prior``

    holds exactly (the last two only where they are not None). `parts` are another split, of ``score`` itself.

    Parameters
    ----------
    user_id, item_id : object
        Whose score of what is explained.
    item_ids : array-like of shape (n_items,)
        The rated items that explain it.
    influence : array-like of shape (n_items,)
        How far the score moves per unit of the target (one rating point; from dislike to like).
    impact : array-like of shape (n_items,)
        How much of the score the rating accounts for: score units.
    ratings : array-like of shape (n_items,), optional
        As the user gave them.
    titles : array-like of shape (n_items,) of str, optional
        Shown in place of ids.
    title : str, optional
        Of the explained item.
    score : float
        The model's own raw score: a rating, or log-odds.
    resolved_score : float
        The score with the user's vector re-solved; for ``method="paper"`` what the formula predicts.
    rest : float
        What is left of the score without the user's vector: the general level, the user's and the item's own.
    background : float, optional
        Impact of all items not rated together, for a model trained with sampled negatives.
    prior : float, optional
        Impact of the prior mean of the user's vector.
    method : {"ridge", "paper"}
    loss : {"squared", "logistic", "probit"} or OrderedLevels
        The unit of scores: rating points, log-odds or probits.
    rank, condition : int and float, optional
        Of the matrix that ``method="paper"`` inverts.
    left_out : bool
        Whether the user had rated the item: that rating is then left out of the solve.
    noun : str
        What items are called in text: "film".
    backend : str, optional
        Kind of table that `to_frame` gives by default: "pandas", "polars" or "pyarrow".
    parts : ScoreParts, optional
        The score by bias, fields and pairs of fields; they sum to ``score`` exactly.
    unit : str, optional
        What scores are measured in, where the loss does not say it: "score points" of a ranker.
    stand_in : str, optional
        Of a model whose loss is no sum over rows: what loss is explained in its place.
    unexplained : str, optional
        Why no rating explains the score, of a user who has given none, say: then there are no contributions, and
        ``resolved_score`` is what is left without them.

    Attributes
    ----------
    contributions : ndarray of shape (n_items,)
        Structured: item_id, title, rating, influence, impact; largest ``|impact|`` first.
    gap : float
        ``score - resolved_score``: how far the explanation is from the model's own score. NaN for ``method="paper"``
        where the loss is not squared: that formula predicts a target, the model log-odds or probits.

    Examples
    --------
    >>> Explanation("ann", 7, item_ids=[1, 2], titles=["Heat", "Big"], title="Ronin", ratings=[5, 2], noun="film",
    ...             influence=[0.4, 0.1], impact=[0.5, -0.05], rest=3.5, score=4.0, resolved_score=3.95)
    Why “Ronin” for user ann?
    <BLANKLINE>
      score of the model    4.000
      score explained here  3.950, gap +0.050
    <BLANKLINE>
      +3.500  without the ratings: general level, this user's own, this film's own
      +0.500  1 of the 2 films rated speak for it
      −0.050  1 of the 2 films rated speak against it
    <BLANKLINE>
      impact  influence  rating  film
      +0.500     +0.400       5  Heat
      −0.050     +0.100       2  Big
    <BLANKLINE>
      Impact: how much of the score comes from the rating of that film. Influence: how far the score
      would move if that rating were one point higher.
    """

    user_id: Any
    item_id: Any
    item_ids: npt.NDArray[Any]
    influence: Array
    impact: Array
    score: float
    resolved_score: float
    rest: float
    ratings: npt.NDArray[Any] | None = None
    titles: npt.NDArray[Any] | None = None
    title: str | None = None
    background: float | None = None
    prior: float | None = None
    method: Method = "ridge"
    loss: Loss = "squared"
    rank: int | None = None
    condition: float | None = None
    left_out: bool = False
    noun: str = "item"
    backend: str | None = None
    parts: ScoreParts | None = None
    unexplained: str | None = None
    unit: str | None = None
    stand_in: str | None = None

    def __post_init__(self) -> None:
        if self.parts is not None and not np.array_equal(self.parts.score, self.score):
            raise DataError(f"parts sum to {self.parts.score}, not to the score {self.score}")
        impact = np.asarray(self.impact, dtype=np.float64)
        order = np.argsort(-np.abs(impact), kind="stable")
        for name in ("item_ids", "influence", "impact", "ratings", "titles"):
            values = getattr(self, name)
            if values is None:
                continue
            values = np.asarray(values)
            if values.shape != impact.shape:
                raise DataError(f"{name} must have shape {impact.shape} like impact, got {values.shape}")
            object.__setattr__(self, name, values[order])

    @property
    def gap(self) -> float:
        """``score - resolved_score``; NaN for "paper" where that gives a target and the model does not."""
        if self.method == "paper" and self.loss != "squared":
            return float("nan")
        return self.score - self.resolved_score

    @property
    def contributions(self) -> npt.NDArray[Any]:
        """One line per rated item, largest ``|impact|`` first, as a structured array."""
        columns = self._columns()
        dtype = [(name, values.dtype if values.dtype.kind in "biuf" else object) for name, values in columns.items()]
        lines = np.empty(len(self.impact), dtype=dtype)
        for name, values in columns.items():
            lines[name] = values
        return lines

    def _columns(self) -> dict[str, npt.NDArray[Any]]:
        columns = {
            "item_id": self.item_ids,
            "title": self.titles,
            "rating": self.ratings,
            "influence": self.influence,
            "impact": self.impact,
        }
        return {name: values for name, values in columns.items() if values is not None}

    def to_frame(self, backend: str | None = None) -> Any:
        """Give the contributions as a table.

        Parameters
        ----------
        backend : {"pandas", "polars", "pyarrow"}, optional
            By default the kind of table that the model was fitted on, else the first of these installed.

        Returns
        -------
        table
            A row per contribution, sorted as `contributions`.
        """
        from ._frame import make_frame

        return make_frame(self._columns(), backend or self.backend)

    def plot(self, ax: Axes | None = None, n: int = 20, value: str = "impact") -> Axes:
        """Draw the `n` largest contributions as horizontal bars, beside the parts of the score (needs matplotlib).

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw the contributions alone (``parts.plot(ax)`` draws the parts); by default a new figure, large
            enough for every title, with both.
        n : int
            How many bars; of the parts, too.
        value : {"impact", "influence"}

        Returns
        -------
        matplotlib Axes
            Of the contributions; those of the parts are before it in ``ax.figure.axes``.
        """
        from ._plot import plot

        return plot(self, ax, n, value)

    def to_html(self, *, standalone: bool = False, n: int = 20) -> str:
        """Write the explanation as HTML.

        Parameters
        ----------
        standalone : bool
            One page that needs nothing else, instead of a fragment.
        n : int
            How many of the largest contributions and of the largest parts to draw.

        Returns
        -------
        str
        """
        from ._html import to_html

        return to_html(self, standalone=standalone, n=n)

    def save(self, path: str | Path, *, n: int = 20, value: str = "impact") -> Path:
        """Write the plot (``.png``, ``.svg``) or the page (``.html``); whole or not at all.

        Parameters
        ----------
        path : path
        n : int
            How many of the largest contributions and of the largest parts to draw.
        value : {"impact", "influence"}
            What the bars of a plot show.

        Returns
        -------
        Path

        Raises
        ------
        DataError
            If the suffix is none of these.
        """
        from ._save import save

        return save(self, Path(path), n, value)

    def __repr__(self) -> str:
        from ._text import to_text

        return to_text(self)

    def _repr_html_(self) -> str:
        return self.to_html()
