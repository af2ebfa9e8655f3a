"""What `Recommender.evaluate` measures, as scorers for scikit-learn's searches and cross-validation."""

from __future__ import annotations

import re
from typing import Any

from sklearn.base import BaseEstimator

from ..errors import DataError

__all__ = ["Scorer", "make_scorer"]

_LOSSES = ("log_loss", "rmse", "mae")
_POINTS = ("accuracy", "f1", "auc", *(f"neg_{name}" for name in _LOSSES))
_RANKING = ("precision", "recall", "map", "ndcg")


class Scorer(BaseEstimator):  # type: ignore[misc]
    """One figure of `Recommender.evaluate`: called with a fitted recommender and a table. See `make_scorer`."""

    def __init__(self, metric: str, group: str = "all") -> None:
        self.metric = metric
        self.group = group

    def __call__(self, rec: Any, table: Any, y: Any = None) -> float:
        """Return the figure of a fitted recommender on a table; `y` is ignored."""
        name, at, n = self.metric.partition("@")
        judged = rec.evaluate(table, n=int(n)) if at else rec.evaluate(table)
        sign, name = (-1.0, name.removeprefix("neg_")) if name.startswith("neg_") else (1.0, name)
        return sign * float(judged.value(name + at + n, group=self.group))


def make_scorer(metric: str, *, group: str = "all") -> Scorer:
    """Make a scorer of recommenders, for ``scoring=`` of `GridSearchCV`, `cross_val_score` and their like.

    Parameters
    ----------
    metric : str
        ``"ndcg@10"``, ``"recall@20"``, ``"map@5"``, ``"precision@10"``: of lists of that length. ``"auc"``,
        ``"accuracy"``, ``"f1"``, ``"neg_log_loss"`` (classifiers), ``"neg_rmse"``, ``"neg_mae"`` (regressors): of
        single predictions. More is better in all, so losses count negative.
    group : {"all", "known users", "cold users", "cold items"}
        Whose figure, as in `Evaluation`.

    Returns
    -------
    Scorer
        Called with a fitted recommender and a table; returns a float.

    Raises
    ------
    DataError
        If `metric` is none of these; when called, if the recommender or the table has no such figure.

    Notes
    -----
    Catalogues reach `Recommender.fit` whole as ``cross_val_score(..., params={"items": items})`` or
    ``GridSearchCV(...).fit(table, items=items)``. scikit-learn takes a catalogue with exactly as many rows as the
    table for part of it, and splits it too: leave one row out, or give a dict of columns.

    Examples
    --------
    >>> import factorec as fr
    >>> import pandas as pd
    >>> from sklearn.model_selection import cross_val_score
    >>> from factorec.model_selection import LeaveLastN
    >>> table = pd.DataFrame(fr.datasets.make_planted_fm(100, 40, 2000, seed=0).table)
    >>> rec = fr.Recommender(fr.FMClassifier(n_factors=4, random_state=0))
    >>> scores = cross_val_score(rec, table, scoring=make_scorer("auc"), cv=LeaveLastN(4, time=None))
    >>> scores.shape, bool(scores[0] > 0.5)
    ((1,), True)
    """
    if metric in _LOSSES:
        raise DataError(f"more must be better: use 'neg_{metric}' for the negative {metric}")
    if metric not in _POINTS and not re.fullmatch(f"({'|'.join(_RANKING)})@[1-9][0-9]*", metric):
        raise DataError(
            f"metric must be one of {', '.join(_POINTS)}, or {', '.join(_RANKING)} with a length as in 'ndcg@10', "
            f"got {metric!r}"
        )
    return Scorer(metric, group)
