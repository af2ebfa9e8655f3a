"""Users or items of a recommender solved for from their rows in its history, with all else held fixed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.base import is_classifier

from .._solve_many import ProblemError
from ..encoding import Encoder
from ..errors import DataError
from ..fm import FMParameters, Penalties
from .background import background_of
from .interactions import History
from .own_rows import Charge, OwnRows, resolve_many
from .training import sampling_of

if TYPE_CHECKING:
    from .recommender import Recommender

__all__ = ["resolved"]

Side = Literal["user", "item"]
Index = NDArray[np.int64]


def resolved(
    rec: Recommender, encoder: Encoder, p: FMParameters, side: Side, history: History, solved: Index
) -> FMParameters:
    """Parameters in which the entities in `solved` have the minimum for their rows of `history`."""
    other: Side = "item" if side == "user" else "user"
    entities = encoder.entities(side)
    index: dict[str, NDArray[Any]] = {"user": history.users(), "item": history.items, **history.context}
    place = np.full(len(entities.columns), -1, dtype=np.int64)
    place[solved] = np.arange(len(solved))
    own = np.flatnonzero((history.weight > 0) & (place[index[side]] >= 0))
    own = own[np.argsort(index[side][own], kind="stable")]
    counts = np.bincount(place[index[side][own]], minlength=len(solved))
    columns = entities.columns[solved]
    features = _without(entities.rows[solved], columns)
    rows = OwnRows(
        np.concatenate([[0], np.cumsum(counts)]),
        features,
        [(encoder.entities(name).rows, index[name][own]) for name in (other, *history.context)],
        history.label[own].astype(np.float64),
        history.weight[own].astype(np.float64),
    )
    background = background_of(rec, encoder, side, history, solved, features) if rec.negatives else None
    loss: Literal["logistic", "squared"] = "logistic" if is_classifier(rec.estimator_) else "squared"
    try:
        coefficients, l2 = resolve_many(p, rows, _charge(rec, side), loss, background)
    except ProblemError as error:
        ids = (encoder.users_ if side == "user" else encoder.items_).ids
        raise DataError(f"{side} {ids[solved[[error.problem]]].tolist()[0]!r}: {error.reason}") from None
    assert p.penalties is not None
    linear, factors = p.linear.copy(), p.factors.copy()
    linear_penalty, factors_penalty = p.penalties.linear.copy(), p.penalties.factors.copy()
    with np.errstate(over="ignore"):  # FMParameters refuses what is not finite
        linear[columns], factors[columns] = coefficients[:, 0], coefficients[:, 1:]
    linear_penalty[columns] = l2[:, 0]
    factors_penalty[columns] = l2[:, 1].reshape(-1, *[1] * (factors_penalty.ndim - 1))
    penalties = Penalties(linear_penalty, factors_penalty, p.penalties.per_row)
    return replace(p, linear=linear, factors=factors, penalties=penalties)


def _without(rows: csr_matrix, columns: Index) -> csr_matrix:
    """Rows of entities without their own ids."""
    kept = rows.indices != np.repeat(columns, np.diff(rows.indptr))
    indptr = np.concatenate([[0], np.cumsum(kept)])[rows.indptr]
    return csr_matrix((rows.data[kept], rows.indices[kept], indptr), shape=rows.shape)


def _charge(rec: Recommender, side: Side) -> Charge:
    """What training charged for a row of the side's ids, and what weights it gave them.

    L2 by row is next to nothing where there are few rows: one like alone would make an item the best of all. What
    holds such weights back in training is that it ends early; here, a normal prior with the mean and the variance of
    the trained ids' weights.
    """
    estimator, p = rec.estimator_, rec.estimator_.parameters_
    assert p.penalties is not None
    columns = rec.encoder_.entities(side).columns
    columns = columns[columns >= 0]
    linear = p.linear[columns[p.factors[columns].any(axis=1)]].astype(np.float64)
    precision = 0.0
    if len(linear) > 1:
        noise = 1.0 if is_classifier(estimator) else float(estimator.history_["train"]["rmse"][-1]) ** 2
        precision = noise / max(float(linear.var()), 1e-12 * noise) if noise else 0.0
    power, mean = estimator.l2_count_power, 1.0
    if power:
        total = _totals(rec, side)
        mean = float(total[total > 0].mean())
    l2_linear, l2_factors = p.penalties.per_row[str(getattr(rec, side))]
    usual = float(linear.mean()) if precision else 0.0
    return Charge(l2_linear, l2_factors, power, mean, usual, precision)


def _totals(rec: Recommender, side: Side) -> NDArray[np.float64]:
    """Row weights of each entity in the objective, negatives included."""
    old = rec.interactions_
    assert old is not None
    users, weight = old.users(), old.weight.astype(np.float64)
    n_users, n_items = len(rec.encoder_.users_), len(rec.encoder_.items_)
    index, n = (users, n_users) if side == "user" else (old.items, n_items)
    total = np.bincount(index, weight, n).astype(np.float64)
    sampling = sampling_of(rec, rec.encoder_, old)
    if sampling is not None:
        of_user, of_item = sampling.negatives.expected(users[weight > 0], weight[weight > 0])
        if side == "user":
            return total + of_user
        total[sampling.place >= 0] += of_item
    return total
