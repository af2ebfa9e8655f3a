"""New users and items in a trained model: their linear weights and vectors solved for, all else as it was."""

from __future__ import annotations

import copy
import warnings
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, is_classifier
from sklearn.utils.validation import check_is_fitted

from .._losses import wrong_target
from ..encoding import Encoder
from ..errors import DataError
from .catalogue import more_titles
from .checks import check_columns
from .fitting import rows_where
from .interactions import Interactions, names_columns, read_column, read_interactions
from .objectives import objective_of
from .resolving import resolved, row_noise, without_vector
from .training import Part, history_of, is_like, learnable_rows

__all__ = ["FoldIn"]

Side = Literal["user", "item"]


class FoldIn(BaseEstimator):  # type: ignore[misc]
    """The methods of `Recommender` that take in users and items that came after training."""

    def fold_in_users(self, table: Any = None, *, users: Any = None) -> Self:
        """Take in users who came after training, by what they rated or liked; nothing else is retrained.

        The linear weight w and the vector v of each user are the exact minimum, all other parameters held fixed, of

            sum_r omega_r [loss(y_r, score_r) + 1/2 (l2_linear w**2 + l2_factors |v|**2)] + rho/2 (w - w_mean)**2

        over the user's rows r: loss, weights and L2 of the training objective, and a normal prior on w from the trained
        users' linear weights (their mean, and noise by variance: rho is 1, for a regressor the mean squared training
        error, divided by their variance). L2 by row leaves w almost free where there are few rows; in training it is
        the early end that holds such weights back. With `negatives`, every item that the user has not met joins with
        the weight that sampling expects, as in `explain`; the work for a user then grows with the number of items.

        Of a model with a posterior (``solver="gibbs"``), w and v are one joint draw in every sample, from their
        distribution given all else in that sample: its noise, its prior of the users' field (in place of L2 and of
        the prior on w), its item vectors. For ordered levels and likes the draw is a normal one around the most likely
        value (Laplace's approximation). The mean parameters get the minimum. The model of users without rows is
        their prior.

        Users that the model has a vector for are solved again, from their history and the new rows; rows given twice
        count twice. Afterwards all of them can be asked for in every method. All other parameters keep their bits. A
        user's vector depends neither on who else is folded in nor, but for rounding, on the order of the rows. A row
        of weight 0, or with `negatives` a dislike, is seen and not learned from; of a user without others, w and v
        are zero (with a posterior: the prior).

        With a `History` field of the users, the histories of those in `table` take its rows in; those of the items
        stay, and know nothing of users who are folded in.

        Parameters
        ----------
        table : table, optional
            As in `fit`. Rows with an item that the model does not know are left out; a warning counts them.
        users : table, optional
            Catalogue rows of the new users, with the columns of their fields. Those without a row in `table` rank by
            these features alone: their own weight and vector are zero.

        Returns
        -------
        Recommender

        Raises
        ------
        DataError
            If a table cannot be used, the history was not saved, or the rows of a user have no single minimum. The
            recommender is then what it was before, as after an interrupt.

        Examples
        --------
        >>> import factorec as fr
        >>> table = fr.datasets.make_planted_fm(100, 40, 3000, target="real", seed=0).table
        >>> late = table["user_id"] >= 90
        >>> early_rows, late_rows = ({name: column[part] for name, column in table.items()} for part in (~late, late))
        >>> rec = fr.Recommender(fr.FMRegressor(n_factors=4, random_state=0)).fit(early_rows)
        >>> rec.fold_in_users(late_rows).recommend([95], n=3).item_ids.shape
        (1, 3)
        """
        check_is_fitted(self)
        _fold_in(self, "user", table, users)
        return self

    def fold_in_items(self, table: Any = None, *, items: Any = None) -> Self:
        """Take in items that came after training, by who rated or liked them; nothing else is retrained.

        The same as `fold_in_users`, for items; of histories, those of the items grow. With `negatives`, every user who
        has not met the item joins with the weight that sampling expects by what the users did before this call.

        Parameters
        ----------
        table : table, optional
            As in `fit`. Rows with a user whom the model does not know are left out; a warning counts them.
        items : table, optional
            Catalogue rows of the new items: titles, and the columns of their fields. Those without a row in `table`
            rank by these features alone: their own weight and vector are zero.

        Returns
        -------
        Recommender

        Raises
        ------
        DataError
            As in `fold_in_users`.
        """
        check_is_fitted(self)
        _fold_in(self, "item", table, items)
        return self


def _fold_in(rec: Any, side: Side, table: Any, catalogue: Any) -> None:
    """Fold the ids of one side in; `rec` changes only when all is done."""
    if rec.interactions_ is None:
        raise DataError(
            "this model was saved without its users' history, which folding in adds to; save it with history=True"
        )
    if table is None and catalogue is None:
        raise DataError(f"there is nothing to fold in: give a table of interactions, or {side}s= with their features")
    other = "item" if side == "user" else "user"
    given = {"table": table, f"{side}s": catalogue}
    ids = np.concatenate([_ids(rec, side, part, called) for called, part in given.items() if part is not None])
    rows = None if table is None else read_interactions(table, check_columns(rec), "table")
    try:
        met = {} if rows is None else {side: rows_where(table, [rec.user, rec.item], learnable_rows(rec, rows))}
        encoder, column_map = rec.encoder_.extend(
            **{f"{side}_ids": ids, f"{side}s": catalogue}, context=table, history=met
        )
    except DataError as error:  # of the catalogue, which it names, or of the context
        raise error if str(error).startswith(f"{side}s: ") else DataError(f"table: {error}") from None
    parts, solved = [], np.empty(0, dtype=np.int64)
    popularity = np.zeros(len(encoder.items_), dtype=np.int64)
    popularity[: len(rec.popularity_)] = rec.popularity_
    if rows is not None:
        part = _part(rec, encoder, table, rows)
        _warn_of_unknown(getattr(part, other) >= 0, other, may_be_all=catalogue is not None)
        learned = part.learned > 0
        solved = np.unique(getattr(part, side)[learned]).astype(np.int64)
        np.add.at(popularity, part.item[learned & is_like(rec, part.rows)], 1)
        parts.append(part)
    estimator = copy.copy(rec.estimator_).grow(column_map, encoder.n_features_)
    for part in parts:
        part.learned *= row_noise(estimator.parameters_, encoder, part)
    history = history_of(parts, encoder, rec.interactions_)
    given_ids = np.unique(encoder.entities(side).vocabulary.index(ids))
    solved = np.union1d(solved, without_vector(estimator.parameters_, encoder, side, given_ids))
    if len(solved):
        estimator.parameters_ = resolved(rec, encoder, estimator.parameters_, side, history, solved)
    changed = {
        "estimator_": estimator,
        "encoder_": encoder,
        "interactions_": history,
        "popularity_": popularity,
        "titles_": _titles(rec, encoder, catalogue if side == "item" else None),
        "_cached_ranker": None,
    }
    rec.__dict__.update(changed)  # one step: an interrupt comes before or after it


def _ids(rec: Any, side: Side, table: Any, called: str) -> NDArray[Any]:
    ids = read_column(table, getattr(rec, side), called)
    try:
        rec.encoder_.entities(side).vocabulary.index(ids)
    except DataError as error:
        raise DataError(f"{called}: {error}") from None
    return ids


def _part(rec: Any, encoder: Encoder, table: Any, rows: Interactions) -> Part:
    """The rows of a table, with what each weighs in the objective."""
    try:
        part = Part.of(rows, encoder.encode(table))
    except DataError as error:
        raise DataError(f"table: {error}") from None
    if len(part.user) != len(rows):
        raise DataError(f"table: {len(part.user):,} ids, but {len(rows):,} targets: columns differ in length")
    learnable = part.learnable(rec)
    if wrong := wrong_target(objective_of(rec).loss, rows.label[learnable].astype(np.float64)):
        row = int(np.flatnonzero(learnable)[wrong[0]])
        raise DataError(f"table: column {rec.target!r} holds {rows.label[row]:g} in row {row}; {wrong[1]}")
    part.learned = np.where(learnable, _objective_weights(rec, rows), np.float32(0))
    return part


def _warn_of_unknown(known: NDArray[np.bool_], other: str, *, may_be_all: bool) -> None:
    if not known.any() and not may_be_all:
        raise DataError(f"table: there is no row with {_an(other)} that the model knows; nothing to fold in")
    n_left = int((~known).sum())
    if n_left:
        warnings.warn(
            f"{n_left:,} of {len(known):,} rows are left out: they have {_an(other)} that the model does not know",
            UserWarning,
            stacklevel=4,
        )


def _an(side: str) -> str:
    return f"an {side}" if side == "item" else f"a {side}"


def _objective_weights(rec: Any, rows: Interactions) -> NDArray[np.float32]:
    """What rows weigh in the objective: row weights times the class weights of training."""
    estimator: Any = rec.estimator_
    if is_classifier(estimator) and estimator.class_weight == "balanced":
        # Balanced are the classes of the training rows; these few may be all of one class.
        old = rec.interactions_
        weight = np.ones(len(rows), np.float32) if rows.weight is None else rows.weight.copy()
        for label in (0, 1):
            trained = old.weight[(old.label == label) & (old.weight > 0)]
            if len(trained):
                weight[rows.label == label] *= trained.mean()
        return weight
    weight = estimator._row_weights(rows.weight, rows.label)
    return np.ones(len(rows), np.float32) if weight is None else weight


def _titles(rec: Any, encoder: Encoder, items: Any) -> NDArray[np.object_] | None:
    """The titles, with those of new items; a catalogue of features alone need not have any."""
    named = items is not None and names_columns(items, (rec.title,))
    return more_titles(rec.titles_, items if named else None, rec.item, rec.title, encoder.items_, rec.duplicates)
