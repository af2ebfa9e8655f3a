"""What a fitted recommender says about single rows: scores, their reasons, how good they are."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from ..explain import Explanation
from . import explaining, fitting
from .evaluating import evaluate
from .evaluation import Evaluation
from .interactions import read_interactions

__all__ = ["Scores"]


class Scores(BaseEstimator):  # type: ignore[misc]
    """The methods of `Recommender` that score rows, explain scores and judge them."""

    def decision_function(self, table: Any) -> NDArray[np.float64]:
        """Raw score of each row: log-odds of a like, or rating before clipping.

        Parameters
        ----------
        table : table
            With the columns of users and items, and those of the context fields. Ids that are in a catalogue only
            count by their features. An id that the model does not know counts as an average one; a warning says
            how many there are.

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
            As in `decision_function`, with at least one row.

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

    def labels(self, table: Any) -> NDArray[np.float32]:
        """What the estimator would learn of each row, to compare `predict` with.

        Parameters
        ----------
        table : table
            With the target column.

        Returns
        -------
        ndarray of shape (n_rows,), float32
            1 for a like and 0 otherwise (classifier), or the target (regressor).

        Raises
        ------
        DataError
            If the target column is missing or holds values that cannot be used.
        """
        return read_interactions(table, fitting.check_columns(self), "table").label

    def explain(
        self,
        user: Any,
        item: Any,
        *,
        context: Any = None,
        by: Literal["field", "feature"] = "field",
        method: Literal["ridge", "paper"] = "ridge",
        noun: str = "item",
    ) -> Explanation:
        """Say what the score of an item is made of, and which of the user's own interactions account for it.

        ``parts`` of the result split the score of the model into bias, fields and pairs of fields; the contributions
        say how much of the (re-solved) score comes from each rating. Each rating stands in the context that it was
        given in; with `negatives`, the items not rated stand in the mean of these contexts. A user from whom the
        model learned nothing has parts, but no contributions; ``unexplained`` says why.

        Parameters
        ----------
        user, item : id
            Those of a catalogue that are in no interaction are known by their features.
        context : dict, optional
            By column of the context fields: the value in which the score is explained, as in `recommend`.
        by : {"field", "feature"}
            How finely the score is taken apart: "feature" says which genre, which occupation.
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
            If the history was not saved, or `context` cannot be used.
        """
        check_is_fitted(self)
        return explaining.explain(self, user, item, context=context, by=by, method=method, noun=noun)

    def evaluate(self, table: Any, n: int = 10, *, context: Any = None, cold_items: bool = False) -> Evaluation:
        """Compare predictions and top-n lists with held-out interactions.

        The table of figures has, for all rows, for those of users whom the model knows and does not know (cold
        users), and for those of items that it has not learned from (cold items):

        - of single predictions, accuracy, log loss, F1 and AUC (classifier), or RMSE and MAE (regressor);
        - of lists, trec_eval's precision, recall, MAP and NDCG at n, means over the users who have something
          relevant in `table`: a like (classifier), or a target of at least `like_threshold` (regressor). Lists
          leave out what the user saw in `fit`. Relevant items that are no candidates count as missed. New items
          are ranked apart, among themselves.

        Users and items of a catalogue without interactions are cold, and count by their features. In single
        predictions each row has the context that `table` gives it. Lists are one per user, all in one context:
        what a user liked at any hour is looked for in a list for no hour, or for the one given.

        Beside the model stand what it should beat: for single predictions the mean target of the item, of the
        user and of all rows that the model learned from (with `negatives`: of all rows of the history), where
        item and user means count five more rows at the mean of all; for lists, the same items for everyone: by
        most likes (popularity) and by mean target. Users of whom the model knows nothing get the popular items.

        Parameters
        ----------
        table : table
            Interactions that were not given to `fit`.
        n : int
            Length of the lists.
        context : dict, optional
            In which context lists are made, one value for all, as in `recommend`; None: in none.
        cold_items : bool
            Whether new items of the catalogue are candidates in the lists of all groups, as in `recommend`.

        Returns
        -------
        Evaluation
            Text when printed; ``to_frame()``, ``to_dict()``; ``points``, ``ranking`` and ``popularity`` of all rows.

        Raises
        ------
        DataError
            If the table has no rows, or a column is missing or holds values that cannot be used.
        """
        check_is_fitted(self)
        return evaluate(self, table, n, context, cold_items)
