"""What a fitted recommender says about single rows: scores, their reasons, how good they are."""

from __future__ import annotations

from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from ..errors import DataError
from ..explain import Explanation
from ..fm import FMOrdinal, FMRegressor
from . import explaining, fitting
from .checks import check_columns
from .estimators import learns, searched_parameters
from .evaluating import evaluate
from .evaluation import Evaluation
from .interactions import read_interactions

__all__ = ["Scores"]


class Scores(BaseEstimator):  # type: ignore[misc]
    """The methods of `Recommender` that score rows, explain scores and judge them."""

    def decision_function(self, table: Any) -> NDArray[np.float64]:
        """Raw score of each row, by which lists are made: log-odds of a like, rating before clipping, and the like.

        It is that of ``estimator_``, but for ``search_with="mean"``.

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
        X = fitting.encode_rows(self, table)
        return searched_parameters(self).decision_function(X, n_jobs=self.estimator_.n_jobs)

    @overload
    def predict(self, table: Any, *, return_std: Literal[False] = False) -> NDArray[np.float64]: ...
    @overload
    def predict(self, table: Any, *, return_std: Literal[True]) -> tuple[NDArray[np.float64], NDArray[np.float64]]: ...
    def predict(
        self, table: Any, *, return_std: bool = False
    ) -> NDArray[np.float64] | tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Rating, probability of a like, or raw score of each row.

        A rating with `FMRegressor` and `FMOrdinal`, a probability with `FMClassifier`, and the raw score with
        `FMRanker`, which only ranks. See `decision_function` for unknown ids.

        With `negatives`, the probability is that of a like against items drawn at random: it ranks, but is not
        calibrated for items that users chose to rate.

        Parameters
        ----------
        table : table
            As in `decision_function`, with at least one row.
        return_std : bool
            Also return the standard deviation of each rating, see `FMRegressor.predict`.

        Returns
        -------
        predictions : ndarray of shape (n_rows,), float64
        std : ndarray of shape (n_rows,), float64
            With `return_std` only.

        Raises
        ------
        DataError
            If the table cannot be used, or the estimator knows no standard deviation.
        """
        check_is_fitted(self)
        if return_std and not isinstance(self.estimator_, FMRegressor):
            kind = type(self.estimator_).__name__
            raise DataError(f"return_std needs an FMRegressor with solver='gibbs', got {kind}")
        X = fitting.encode_rows(self, table)
        if learns(self.estimator_) == "likes":
            probabilities: NDArray[np.float64] = self.estimator_.predict_proba(X)[:, 1]
            return probabilities
        if return_std:
            mean, std = self.estimator_.predict(X, return_std=True)
            return mean, std
        predictions: NDArray[np.float64] = self.estimator_.predict(X)
        return predictions

    def predict_like(self, table: Any) -> NDArray[np.float64]:
        """Probability of a like of each row: by `FMClassifier`, or by `FMOrdinal` of a target of `like_threshold`.

        Parameters
        ----------
        table : table
            As in `decision_function`, with at least one row.

        Returns
        -------
        ndarray of shape (n_rows,), float64
            From 0 to 1; one number for each row, as `predict` gives it.

        Raises
        ------
        DataError
            If the table cannot be used, or the estimator knows no probability of a like.
        """
        check_is_fitted(self)
        estimator: Any = self.estimator_
        if learns(estimator) == "likes":
            return self.predict(table)
        if not isinstance(estimator, FMOrdinal):
            raise DataError(f"{type(estimator).__name__} knows no probability of a like; FMClassifier and FMOrdinal do")
        if self.like_threshold is None:
            raise DataError("predict_like of FMOrdinal needs like_threshold, which says which ratings are a like")
        X = fitting.encode_rows(self, table)
        at_least: NDArray[np.float64] = estimator.predict_proba_at_least(X, self.like_threshold)
        return at_least

    def labels(self, table: Any) -> NDArray[np.float32]:
        """What the estimator would learn of each row, to compare `predict` with.

        Parameters
        ----------
        table : table
            With the target column.

        Returns
        -------
        ndarray of shape (n_rows,), float32
            1 for a like and 0 otherwise (classifier), the target (regressor, `FMOrdinal`), or the grade (ranker).

        Raises
        ------
        DataError
            If the target column is missing or holds values that cannot be used.
        """
        return read_interactions(table, check_columns(self), "table").label

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

        - of single predictions, accuracy, log loss, F1 and AUC (classifier), RMSE and MAE (regressor), both
          (`FMOrdinal` with `like_threshold`), or none (ranker);
        - of lists, trec_eval's precision, recall, MAP and NDCG at n, means over the users who have something
          relevant in `table`: a like, for regressors and `FMOrdinal` a target of at least `like_threshold`. Lists
          leave out what the user saw in `fit`. Relevant items that are no candidates count as missed. New items
          are ranked apart, among themselves.

        Users and items of a catalogue without interactions are cold, and count by their features. In single
        predictions each row has the context that `table` gives it. Lists are one per user, all in one context:
        what a user liked at any hour is looked for in a list for no hour, or for the one given.

        Beside the model stand what it should beat: for single predictions the mean target of the item, of the
        user and of all rows that the model learned from (ranker, or `negatives`: of all rows of the history), where
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
