"""What a fitted recommender says about single rows: scores, their reasons, how good they are."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from ..explain import Explanation
from . import explaining, fitting
from .evaluation import Evaluation, evaluate

__all__ = ["Scores"]


class Scores(BaseEstimator):  # type: ignore[misc]
    """The methods of `Recommender` that score rows, explain scores and judge them."""

    def decision_function(self, table: Any) -> NDArray[np.float64]:
        """Raw score of each row: log-odds of a like, or rating before clipping.

        Parameters
        ----------
        table : table
            With the columns of users and items. An id that the model does not know counts as an average one; a
            warning says how many there are.

        Returns
        -------
        ndarray of shape (n_rows,), float64
        """
        check_is_fitted(self)
        scores: NDArray[np.float64] = self.estimator_.decision_function(fitting.encode_rows(self, table))
        return scores

    def predict(self, table: Any) -> NDArray[np.float64]:
        """Rating, or probability of a like, of each row; see `decision_function` for unknown ids.

        With `negatives`, the probability is that of a like against items drawn at random: it ranks, but is not
        calibrated for items that users chose to rate.

        Parameters
        ----------
        table : table
            With the columns of users and items, and at least one row.

        Returns
        -------
        ndarray of shape (n_rows,), float64
        """
        check_is_fitted(self)
        X = fitting.encode_rows(self, table)
        if hasattr(self.estimator_, "predict_proba"):
            probabilities: NDArray[np.float64] = self.estimator_.predict_proba(X)[:, 1]
            return probabilities
        predictions: NDArray[np.float64] = self.estimator_.predict(X)
        return predictions

    def explain(
        self, user: Any, item: Any, *, method: Literal["ridge", "paper"] = "ridge", noun: str = "item"
    ) -> Explanation:
        """Say which of the user's own interactions account for the score of an item, and by how much.

        Parameters
        ----------
        user, item : id
        method : {"ridge", "paper"}
            The exact re-solved explanation, or the formula as published (Rastegarpanah et al. 2017).
        noun : str
            What items are called in the text: "film".

        Returns
        -------
        Explanation

        Raises
        ------
        UnknownIdError
            If the model does not know the user or the item.
        DataError
            If the user has nothing that the model learned from, or the history was not saved.
        """
        check_is_fitted(self)
        return explaining.explain(self, user, item, method, noun)

    def evaluate(self, table: Any, n: int = 10) -> Evaluation:
        """Compare predictions and top-n lists with held-out interactions.

        Point metrics are over all rows. Ranking metrics are trec_eval's precision, recall, NDCG and MAP at n,
        averaged over the users who have a relevant item in `table`: one with a like (classifier), or with a
        target of at least `like_threshold` (regressor). Lists leave out what the user saw in `fit`; relevant items
        that the model does not know count as missed.

        Parameters
        ----------
        table : table
            Interactions that were not given to `fit`.
        n : int

        Returns
        -------
        Evaluation
            ``points``, ``ranking``, ``popularity`` (the same ranking metrics for the items with most likes),
            and counts of users and of unknown ids.

        Raises
        ------
        DataError
            If the table has no rows, or a column is missing or holds values that cannot be used.
        """
        check_is_fitted(self)
        return evaluate(self, table, n)
