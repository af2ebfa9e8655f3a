"""What the estimators of a recommender learn from a table, and what their scores say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit
from sklearn.base import is_classifier

from ..errors import DataError
from ..fm import BaseFM, FMOrdinal, FMParameters, FMRanker

if TYPE_CHECKING:
    from .recommender import Recommender

__all__ = ["Learns", "learns", "like_log_odds", "score_of_probability", "searched_parameters", "unfitted"]

Learns = Literal["likes", "ratings", "lists"]


def unfitted(rec: Recommender) -> BaseFM:
    """The estimator that `fit` clones: the one given, or an `FMRanker`."""
    return FMRanker() if rec.estimator is None else rec.estimator


def learns(estimator: Any) -> Learns:
    """Whether an estimator learns what is liked, ratings, or only which items come before others."""
    if isinstance(estimator, FMRanker):
        return "lists"
    return "likes" if is_classifier(estimator) else "ratings"


def like_log_odds(rec: Recommender, X: Any) -> NDArray[np.float64] | None:
    """Log-odds of a like for each row; None where the model knows no probability of one."""
    estimator: Any = rec.estimator_
    if isinstance(estimator, FMOrdinal):
        if rec.like_threshold is None:
            return None
        probability = estimator.predict_proba_at_least(X, rec.like_threshold)
    elif learns(estimator) != "likes":
        return None
    elif estimator.parameters_.posterior is None:
        scores: NDArray[np.float64] = estimator.decision_function(X)
        return scores
    else:
        probability = estimator.predict_proba(X)[:, 1]
    # A probability that rounds to 0 or 1 is no certainty, and its log loss is finite.
    tiny = np.finfo(np.float32).tiny
    return np.asarray(logit(np.clip(probability, tiny, 1 - np.finfo(np.float64).epsneg)))


def score_of_probability(rec: Recommender, probability: float) -> float:
    """The raw score from which on a like has at least this probability."""
    estimator: Any = rec.estimator_
    what, name = learns(estimator), type(estimator).__name__
    if what == "lists" or (what == "ratings" and not isinstance(estimator, FMOrdinal)):
        raise DataError(f"min_probability needs a classifier or FMOrdinal; of {name}, min_score bounds the raw score")
    if estimator.parameters_.posterior is not None:
        raise DataError(
            f"min_probability: with solver='gibbs' the probability of {name} is not told by the score alone; "
            "use min_score, or leave out by predict_like"
        )
    log_odds = float(logit(probability))
    if what == "likes":
        return log_odds
    if rec.like_threshold is None:
        raise DataError("min_probability of FMOrdinal needs like_threshold, which says which ratings are a like")
    level = int(np.searchsorted(estimator.levels_, rec.like_threshold))
    cuts = np.concatenate([[-np.inf], estimator.cuts_, [np.inf]])
    return float(log_odds + cuts[level]) if 0 < probability < 1 else log_odds


def searched_parameters(rec: Recommender) -> FMParameters:
    """What lists are ranked by: all samples of the posterior, or their mean."""
    parameters: FMParameters = rec.estimator_.parameters_
    return parameters.mean() if rec.search_with == "mean" else parameters
