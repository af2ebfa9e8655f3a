"""What re-solving a user or an item minimises: the training objective, or what stands for it where rows have none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from .._losses import Loss
from ..fm import FMRanker

if TYPE_CHECKING:
    from .interactions import History
    from .recommender import Recommender

__all__ = ["Objective", "objective_of"]

# The squared loss that stands for a loss of lists: what a met row of a user weighs; what all items not met weigh
# together beside all that were; how many times as far apart the targets of both are as the model's mean scores (L2
# draws what is solved together again). Chosen by the overlap of top 20 lists over training users of MovieLens 100K.
_STAND_INS = {"softmax": (1 / 2, 1.0, 2.0), "bpr": (1 / 16, 0.3, 2.0), "warp": (1.0, 0.3, 2.0)}
# And of an item: films folded in from half of their training rows then rank as high as films trained on these.
_ITEM_STAND_IN = (1.0, 0.1, 1.5)
_SAMPLE = 10_000  # rows that the mean score of rows is taken of


@dataclass(frozen=True)
class Objective:
    """The loss of rows, and what each of them says and weighs.

    Attributes
    ----------
    loss : {"squared", "logistic", "probit"} or OrderedLevels
    met, unmet : float, optional
        Target of rows with a grade, and of background rows. Without `met` a row's label is its target.
    row_weight : float
        Multiplies the weight of rows.
    background : float
        What the background rows of a user weigh together, beside the user's rows; 0: there are none.
    every_pair : float
        What every pair of a user and an item weighs in the background, whether met or not.
    charged : (float, float)
        What L2 by row counts: a row's weight, a background row's weight.
    stands_for : str, optional
        The loss of lists that this stands for.
    """

    loss: Loss
    met: float | None = None
    unmet: float = 0.0
    row_weight: float = 1.0
    background: float = 0.0
    every_pair: float = 0.0
    charged: tuple[float, float] = (1.0, 1.0)
    stands_for: str | None = None

    @property
    def has_background(self) -> bool:
        """Whether items that were not met take part."""
        return self.background > 0 or self.every_pair > 0

    def of_unmet(self, met: Any, n_unmet: Any) -> Any:
        """The weight of each of so many background rows of a user whose rows weigh `met` together."""
        return self.every_pair + self.background * met / np.maximum(n_unmet, 1)

    def targets(self, label: NDArray[Any]) -> NDArray[np.float64]:
        """What rows are to score."""
        return label.astype(np.float64) if self.met is None else np.full(len(label), self.met)

    def weights(self, label: NDArray[Any], weight: NDArray[Any]) -> NDArray[np.float64]:
        """What rows weigh; a grade is a weight."""
        graded = weight.astype(np.float64) * self.row_weight
        return graded if self.met is None else graded * label

    def describe(self, noun: str, weight: float) -> str:
        """How the explanation of a loss of lists differs from the model, in a sentence."""
        return (
            f"The model was trained by {self.stands_for}, a loss of whole lists that is no sum over rows. A squared "
            f"loss explains it in its place: {noun}s met are to score {self.met:.2f} at weight {self.row_weight:.3g}, "
            f"all others {self.unmet:.2f} at weight {weight:.2g} each."
        )


def objective_of(rec: Recommender, side: Literal["user", "item"] = "user") -> Objective:
    """The objective of a fitted recommender, in the vectors of users or of items."""
    estimator: Any = rec.estimator_
    if isinstance(estimator, FMRanker):
        return _of_lists(rec, estimator, side)
    return Objective(estimator.explained_loss, background=float(rec.negatives))


def _of_lists(rec: Recommender, estimator: Any, side: str) -> Objective:
    if estimator.solver == "ials":
        return Objective("squared", met=1.0, every_pair=float(estimator.unobserved_weight_))
    history = rec.interactions_
    assert history is not None
    row_weight, background, apart = _STAND_INS[estimator.loss] if side == "user" else _ITEM_STAND_IN
    met, unmet = _mean_scores(rec, history)
    beyond = 0.5 * (apart - 1) * (met - unmet)
    # A user is charged L2 for rows, an item for its share of the negatives, too.
    negatives = 0.0 if side == "user" else estimator._negatives_per_row() / (row_weight * background)
    return Objective(
        "squared",
        met + beyond,
        unmet - beyond,
        row_weight,
        background,
        charged=(1 / row_weight, negatives),
        stands_for=estimator.loss,
    )


def _mean_scores(rec: Recommender, history: History) -> tuple[float, float]:
    """Mean score of pairs that were met and learned from (or of some of them), and of all other pairs."""
    encoder, p = rec.encoder_, rec.estimator_.parameters_
    learned = np.flatnonzero((history.weight > 0) & (history.label > 0))
    users, items = encoder.entities("user"), encoder.entities("item")
    if len(learned) > _SAMPLE:
        learned = np.sort(np.random.default_rng(0).choice(learned, _SAMPLE, replace=False))
    pairs = users.rows[history.users()[learned]] + items.rows[history.items[learned]]
    met = float(p.decision_function(pairs).mean())
    with_rows = np.flatnonzero(np.diff(history.indptr))
    trained = np.flatnonzero(encoder.is_trained("item"))
    everyone, everything = users.rows[with_rows], items.rows[trained]
    query, item = (v.mean(axis=0, dtype=np.float64) for v in (p.query_vectors(everyone), p.item_vectors(everything)))
    total = p.bias + p.query_offsets(everyone).mean() + p.item_offsets(everything).mean() + query @ item
    share = len(history.items) / max(len(with_rows) * len(trained), 1)
    return met, float((total - share * met) / max(1 - share, 1e-9))
