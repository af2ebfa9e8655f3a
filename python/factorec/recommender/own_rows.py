"""Linear weights and vectors of many entities of one side, solved from rows that each has to itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from .._solve import Loss
from .._solve_many import ProblemError, solve_many
from ..fm import FMParameters

__all__ = ["Background", "Charge", "OwnRows", "resolve_many"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

_BATCH = 1 << 15  # rows whose design is in memory at a time: 17 MB with 64 factors


@dataclass(frozen=True)
class OwnRows:
    """Rows of m entities of one side, each entity's together.

    A row is what the entity has beside its id, and one row of each of the `parts`.

    Attributes
    ----------
    indptr : ndarray of shape (m + 1,), int64
        Where the rows of each entity start.
    features : csr_matrix of shape (m, n_features)
        The entities without their own ids.
    parts : sequence of (csr_matrix, ndarray of shape (n,))
        The other side and the context: their entities, and which of them each row has; -1 for none.
    label, weight : ndarray of shape (n,), float64
    """

    indptr: Index
    features: csr_matrix
    parts: Sequence[tuple[csr_matrix, NDArray[np.integer[Any]]]]
    label: Array
    weight: Array

    @property
    def n_rows(self) -> Index:
        """How many rows each entity has."""
        return np.diff(self.indptr)

    def take(self, first: int, stop: int) -> OwnRows:
        """The rows of some of the entities."""
        rows = slice(int(self.indptr[first]), int(self.indptr[stop]))
        return OwnRows(
            self.indptr[first : stop + 1] - self.indptr[first],
            self.features[first:stop],
            [(entities, index[rows]) for entities, index in self.parts],
            self.label[rows],
            self.weight[rows],
        )


@dataclass(frozen=True)
class Charge:
    """What the objective charges for an entity with a total row weight.

    Attributes
    ----------
    linear, factors : float
        L2 of a row of weight 1.
    power, mean : float
        It is multiplied by ``(total / mean)**-power``.
    usual_linear, precision : float
        However few the rows, the linear weight is drawn to the usual one: ``1/2 precision (w - usual_linear)**2``.
    """

    linear: float
    factors: float
    power: float = 0.0
    mean: float = 1.0
    usual_linear: float = 0.0
    precision: float = 0.0

    def of(self, total: Array) -> Array:
        """L2 of the linear weight and of the factors, (m, 2)."""
        scaled = total.copy()
        if self.power:
            scaled[total > 0] *= (total[total > 0] / self.mean) ** -self.power
        return np.outer(scaled, [self.linear, self.factors])


class Background(Protocol):
    """Further rows of label 0, made when they are needed: there may be a row for every item that there is."""

    @property
    def n_rows(self) -> Index:
        """How many rows each entity has, at most."""

    def rows(self, first: int, stop: int) -> OwnRows:
        """Those of the entities from first to stop."""


def resolve_many(
    p: FMParameters, rows: OwnRows, charge: Charge, loss: Loss, background: Background | None = None
) -> tuple[Array, Array]:
    """Minimise the objective over the linear weight and the vector of each entity.

    Parameters
    ----------
    p : FMParameters
    rows : OwnRows
    charge : Charge
    loss : {"squared", "logistic"}
    background : Background, optional

    Returns
    -------
    coefficients : ndarray of shape (m, 1 + n_factors), float64
        The linear weight, then the factors; the usual weight and zeros for an entity without rows.
    l2 : ndarray of shape (m, 2), float64
        The L2 that was charged for the linear weight and for the factors.

    Raises
    ------
    ProblemError
        With the number of the entity, if it has no single minimum.
    """
    m = len(rows.n_rows)
    coefficients, l2 = np.zeros((m, 1 + p.n_factors)), np.zeros((m, 2))
    n_rows = rows.n_rows if background is None else rows.n_rows + background.n_rows
    for first, stop in _batches(n_rows):
        parts = [rows.take(first, stop)]
        if background is not None:
            parts.append(background.rows(first, stop))
        entity = np.concatenate([np.repeat(np.arange(stop - first), part.n_rows) for part in parts])
        label, weight = (np.concatenate([getattr(part, name) for part in parts]) for name in ("label", "weight"))
        design, offset = map(np.concatenate, zip(*(_design(p, part) for part in parts), strict=True))
        if len(parts) > 1 and stop - first > 1:
            order = np.argsort(entity, kind="stable")
            entity, design, offset, label, weight = (a[order] for a in (entity, design, offset, label, weight))
        indptr = np.searchsorted(entity, np.arange(stop - first + 1)).astype(np.int64)
        l2[first:stop] = charge.of(np.bincount(entity, weight, stop - first).astype(np.float64))
        penalty = np.repeat(l2[first:stop], [1, p.n_factors], axis=1)
        mean = np.zeros_like(penalty)
        if charge.precision:  # L2 pulls to 0, the prior to the usual weight: together to what lies between
            penalty[:, 0] += charge.precision
            mean[:, 0] = charge.usual_linear * charge.precision / penalty[:, 0]
        try:
            coefficients[first:stop] = solve_many(
                design, offset, label, weight, indptr, penalty, prior_mean=mean, loss=loss
            )
        except ProblemError as error:
            raise ProblemError(first + error.problem, error.reason) from None
    return coefficients, l2


def _batches(n_rows: Index) -> Iterator[tuple[int, int]]:
    """Runs of entities with at most `_BATCH` rows together, or a single one with more."""
    first, total = 0, 0
    for stop, n in enumerate(n_rows.tolist()):
        if total and total + n > _BATCH:
            yield first, stop
            first, total = stop, 0
        total += n
    if total:
        yield first, len(n_rows)


def _design(p: FMParameters, rows: OwnRows) -> tuple[Array, Array]:
    """``[1, V'z]`` and ``y(z)`` for each row z without its own id: the score is ``y(z) + w + <v, V'z>``."""
    n = len(rows.label)
    design = np.zeros((n, 1 + p.n_factors))
    design[:, 0] = 1.0
    sums = design[:, 1:]
    offset = np.full(n, p.bias)
    entity = np.repeat(np.arange(len(rows.n_rows)), rows.n_rows)
    for entities, index in (*rows.parts, (rows.features, entity)):
        if entities.nnz:
            vectors, levels, at = _of_entities(p, entities, index)
            sums += vectors[at]
            offset += levels[at]
    offset += 0.5 * np.einsum("ij,ij->i", sums, sums)
    return design, offset


def _of_entities(p: FMParameters, entities: csr_matrix, index: NDArray[Any]) -> tuple[Array, Array, Index]:
    """``V'z`` and ``w'z - 1/2 sum_f z_f**2 |V_f|**2`` of the entities that occur, and the place of each row's."""
    occurring, at = np.unique(index, return_inverse=True)
    known = occurring >= 0
    z = entities[occurring[known]].astype(np.float64)
    used, columns = np.unique(z.indices, return_inverse=True)
    z = csr_matrix((z.data, columns, z.indptr), shape=(z.shape[0], len(used)))
    factors, linear = p.factors[used].astype(np.float64), p.linear[used].astype(np.float64)
    vectors, levels = np.zeros((len(occurring), p.n_factors)), np.zeros(len(occurring))
    vectors[known] = z @ factors
    levels[known] = z @ linear - 0.5 * (z.multiply(z) @ np.einsum("ij,ij->i", factors, factors))
    return vectors, levels, at
