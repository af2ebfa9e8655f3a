"""Users or items of a recommender solved for from their rows in its history, with all else held fixed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from .._solve_many import ProblemError
from ..encoding import Encoder
from ..errors import DataError
from ..fm import FMParameters, Penalties
from .background import background_of
from .charges import L2, Charge, Priors
from .drawing import drawn
from .interactions import History
from .machines import Machines
from .objectives import Objective, objective_of
from .own_rows import Array, Index, OwnRows, Side, resolve_many
from .training import Part, sampling_of

if TYPE_CHECKING:
    from .recommender import Recommender

__all__ = ["resolved", "row_noise", "without_vector"]


def resolved(
    rec: Recommender, encoder: Encoder, p: FMParameters, side: Side, history: History, solved: Index
) -> FMParameters:
    """Parameters in which the entities in `solved` have the minimum for their rows of `history`.

    With a posterior they have a conditional draw in each sample, and the minimum in the mean.
    """
    mean = p.mean()
    rows = _rows_of(encoder, side, history, solved)
    objective = objective_of(rec, side)
    rows = replace(rows, label=objective.targets(rows.label), weight=objective.weights(rows.label, rows.weight))
    background = None
    if objective.has_background:
        background = background_of(rec, objective, encoder, side, history, solved, rows.features)
    try:
        charge = _charge(rec, side, objective)
        coefficients, l2 = resolve_many(
            Machines.one(mean), rows, charge, objective.loss, background, charged=objective.charged
        )
        new = _with(mean, rows.columns, coefficients[:, 0], l2)
        if p.posterior is None:
            return new
        draws = drawn(p, rows, str(getattr(rec, side)), objective.loss)
    except ProblemError as error:
        ids = (encoder.users_ if side == "user" else encoder.items_).ids
        raise DataError(f"{side} {ids[solved[[error.problem]]].tolist()[0]!r}: {error.reason}") from None
    linear, factors, samples = p.linear.copy(), p.factors.copy(), p.posterior.linear.copy()
    linear[rows.columns] = draws[:, :, 0].mean(axis=1)
    factors[rows.columns] = draws[:, :, 1:].reshape(len(draws), -1) / np.sqrt(draws.shape[1])
    samples[rows.columns] = draws[:, :, 0]
    posterior = replace(p.posterior, linear=samples, mean=new)
    penalties = new.penalties if p.penalties is mean.penalties else p.penalties
    return replace(p, linear=linear, factors=factors, penalties=penalties, posterior=posterior)


def without_vector(p: FMParameters, encoder: Encoder, side: Side, ids: Index) -> Index:
    """Which ids a posterior knows nothing of, so that they have their prior even without rows."""
    mean = p.mean()
    if mean.penalties is None or not mean.penalties.priors:
        return ids[:0]
    columns = encoder.entities(side).columns[ids]
    new: Index = ids[(columns >= 0) & (mean.penalties.linear[columns] == 0)]
    return new


def row_noise(p: FMParameters, encoder: Encoder, part: Part) -> NDArray[np.float32]:
    """What the mean row noise of a posterior multiplies the weight of each row by; ids not known have factor 1."""
    logs = None if p.posterior is None else p.posterior.mean_log_noise()
    total = np.zeros(len(part.user), np.float32)
    if logs is not None:
        sides: tuple[Side, ...] = ("user", "item")
        for side, index in zip(sides, (part.user, part.item), strict=True):
            columns = np.append(encoder.entities(side).columns, -1)[index]
            total += np.where(columns >= 0, logs[columns], np.float32(0))
    return np.exp(total)


def _rows_of(encoder: Encoder, side: Side, history: History, solved: Index) -> OwnRows:
    """What the objective holds of the entities in `solved`."""
    other: Side = "item" if side == "user" else "user"
    entities = encoder.entities(side)
    index: dict[str, NDArray[Any]] = {"user": history.users(), "item": history.items, **history.context}
    place = np.full(len(entities.columns), -1, dtype=np.int64)
    place[solved] = np.arange(len(solved))
    own = np.flatnonzero((history.weight > 0) & (place[index[side]] >= 0))
    own = own[np.argsort(index[side][own], kind="stable")]
    counts = np.bincount(place[index[side][own]], minlength=len(solved))
    columns = entities.columns[solved]
    return OwnRows(
        side,
        np.concatenate([[0], np.cumsum(counts)]),
        _without(entities.rows[solved], columns),
        [(encoder.entities(name).rows, index[name][own]) for name in (other, *history.context)],
        history.label[own].astype(np.float64),
        history.weight[own].astype(np.float64),
        columns,
    )


def _with(p: FMParameters, columns: Index, coefficients: Array, l2: Array) -> FMParameters:
    """Parameters with the weights and vectors solved for, and with what was charged for them."""
    assert p.penalties is not None
    linear, factors = p.linear.copy(), p.factors.copy()
    linear_penalty, factors_penalty = p.penalties.linear.copy(), p.penalties.factors.copy()
    with np.errstate(over="ignore"):  # FMParameters refuses what is not finite
        linear[columns], factors[columns] = coefficients[:, 0], coefficients[:, 1:]
    linear_penalty[columns] = l2[:, 0]
    factors_penalty[columns] = l2[:, 1] if factors_penalty.ndim == 1 else l2[:, 1:]
    penalties = Penalties(linear_penalty, factors_penalty, p.penalties.per_row, p.penalties.priors)
    return replace(p, linear=linear, factors=factors, penalties=penalties)


def _without(rows: csr_matrix, columns: Index) -> csr_matrix:
    """Rows of entities without their own ids."""
    kept = rows.indices != np.repeat(columns, np.diff(rows.indptr))
    indptr = np.concatenate([[0], np.cumsum(kept)])[rows.indptr]
    return csr_matrix((rows.data[kept], rows.indices[kept], indptr), shape=rows.shape)


def _charge(rec: Recommender, side: Side, objective: Objective) -> Charge:
    """What training charged for a row of the side's ids, and what weights it gave them; or their prior.

    L2 by row is next to nothing where there are few rows: one like alone would make an item the best of all. What
    holds such weights back in training is that it ends early; here, a normal prior with the mean and the variance of
    the trained ids' weights.
    """
    estimator, p = rec.estimator_, rec.estimator_.parameters_.mean()
    assert p.penalties is not None
    name = str(getattr(rec, side))
    if name in p.penalties.priors:
        return Priors.read(p.penalties.priors[name])
    columns = rec.encoder_.entities(side).columns
    columns = columns[columns >= 0]
    linear = p.linear[columns[p.factors[columns].any(axis=1)]].astype(np.float64)
    precision = 0.0
    if len(linear) > 1 and estimator.solver != "als":  # which ends at the minimum, not before it
        of_ratings = objective.loss == "squared" and objective.met is None
        noise = float(estimator.history_["train"]["rmse"][-1]) ** 2 if of_ratings else 1.0
        precision = noise / max(float(linear.var()), 1e-12 * noise) if noise else 0.0
    power, mean = estimator._count_power(), 1.0
    if power:
        total = _totals(rec, side)
        mean = float(total[total > 0].mean())
    l2_linear, l2_factors = p.penalties.per_row[name]
    usual = float(linear.mean()) if precision else 0.0
    return L2(l2_linear, l2_factors, power, mean, usual, precision)


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
