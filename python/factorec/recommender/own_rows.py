"""Linear weights and vectors of many entities of one side, solved from rows that each has to itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from .._losses import Loss, SampledLevels
from .._solve_many import ProblemError, solve_many
from .machines import Machines

if TYPE_CHECKING:
    from .charges import Charge

__all__ = ["Array", "Background", "Index", "OwnRows", "Side", "noise_of", "resolve_many"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]
Side = Literal["user", "item"]

_BATCH = 1 << 21  # numbers of a design in memory at a time: 16 MB


@dataclass(frozen=True)
class OwnRows:
    """Rows of m entities of one side, each entity's together.

    A row is what the entity has beside its id, and one row of each of the `parts`.

    Attributes
    ----------
    side : {"user", "item"}
        That of the entities.
    indptr : ndarray of shape (m + 1,), int64
        Where the rows of each entity start.
    features : csr_matrix of shape (m, n_features)
        The entities without their own ids.
    parts : sequence of (csr_matrix, ndarray of shape (n,))
        The other side, then the context: their entities, and which of them each row has; -1 for none.
    label, weight : ndarray of shape (n,), float64
    columns : ndarray of shape (m,), int64
        The entities' own ids.
    """

    side: Side
    indptr: Index
    features: csr_matrix
    parts: Sequence[tuple[csr_matrix, NDArray[np.integer[Any]]]]
    label: Array
    weight: Array
    columns: Index

    @property
    def n_rows(self) -> Index:
        """How many rows each entity has."""
        return np.diff(self.indptr)

    def take(self, first: int, stop: int) -> OwnRows:
        """The rows of some of the entities."""
        rows = slice(int(self.indptr[first]), int(self.indptr[stop]))
        return OwnRows(
            self.side,
            self.indptr[first : stop + 1] - self.indptr[first],
            self.features[first:stop],
            [(entities, index[rows]) for entities, index in self.parts],
            self.label[rows],
            self.weight[rows],
            self.columns[first:stop],
        )


class Background(Protocol):
    """Further rows of one label, made when they are needed: there may be a row for every item that there is."""

    @property
    def n_rows(self) -> Index:
        """How many rows each entity has, at most."""

    def rows(self, first: int, stop: int) -> OwnRows:
        """Those of the entities from first to stop."""


def resolve_many(
    machines: Machines,
    rows: OwnRows,
    charge: Charge,
    loss: Loss,
    background: Background | None = None,
    *,
    charged: tuple[float, float] = (1.0, 1.0),
    normals: Array | None = None,
) -> tuple[Array, Array]:
    """Minimise the objective over the linear weight and the vector of each entity, in each machine.

    Parameters
    ----------
    machines : Machines
    rows : OwnRows
    charge : Charge
    loss : {"squared", "logistic", "probit"}, OrderedLevels or, with a sample a machine, SampledLevels
    background : Background, optional
    charged : (float, float)
        What the charge counts for a row and for a row of the background of weight 1.
    normals : ndarray of shape (n_machines, 1 + n_factors), optional
        Draw from the conditional distribution instead, every entity by the same standard normal numbers.

    Returns
    -------
    coefficients : ndarray of shape (m, n_machines, 1 + n_factors), float64
        The linear weight, then the factors; zeros for an entity without rows, or what its prior says.
    l2 : ndarray of shape (m, 2) or (m, 1 + n_factors), float64
        What was charged for the linear weight and for the factors.

    Raises
    ------
    ProblemError
        With the number of the entity, if it has no single minimum.
    """
    m, n_machines, width = len(rows.n_rows), machines.n_machines, 1 + machines.n_factors
    coefficients, l2 = np.zeros((m, n_machines, width)), charge.of(np.zeros(m))
    n_rows = rows.n_rows if background is None else rows.n_rows + background.n_rows
    for first, stop in _batches(n_rows, max(1, _BATCH // (n_machines * width)), every=normals is not None):
        parts = [rows.take(first, stop)]
        if background is not None:
            parts.append(background.rows(first, stop))
        entity = np.concatenate([np.repeat(np.arange(stop - first), part.n_rows) for part in parts])
        label, weight = (np.concatenate([getattr(part, name) for part in parts]) for name in ("label", "weight"))
        design, offset = map(np.concatenate, zip(*(_design(machines, part) for part in parts), strict=True))
        total = np.zeros(stop - first)
        for part, per_weight in zip(parts, charged, strict=False):
            owner = np.repeat(np.arange(stop - first), part.n_rows)
            total += per_weight * np.bincount(owner, part.weight, stop - first)
        noise = np.concatenate([noise_of(machines, part) for part in parts])
        if len(parts) > 1 and stop - first > 1:
            order = np.argsort(entity, kind="stable")
            entity, design, offset, noise, label, weight = (
                array[order] for array in (entity, design, offset, noise, label, weight)
            )
        indptr = np.searchsorted(entity, np.arange(stop - first + 1)).astype(np.int64)
        l2[first:stop] = charge.of(total)
        penalty, mean = charge.terms(l2[first:stop, None], machines.n_factors)
        shape = (stop - first, n_machines, width)
        # Problem by problem: all entities in the first machine, then in the second, ...
        penalty, mean = (np.broadcast_to(array, shape).swapaxes(0, 1).reshape(-1, width) for array in (penalty, mean))
        starts = indptr[:-1] + indptr[-1] * np.arange(n_machines)[:, None]
        try:
            solved = solve_many(
                design.swapaxes(0, 1).reshape(-1, width),
                offset.T.ravel(),
                loss.targets(label).ravel() if isinstance(loss, SampledLevels) else np.tile(label, n_machines),
                (weight[:, None] * noise).T.ravel(),
                np.append(starts.ravel(), indptr[-1] * n_machines),
                penalty,
                prior_mean=mean,
                loss=loss,
                normals=None if normals is None else np.repeat(normals, stop - first, axis=0),
            )
        except ProblemError as error:
            raise ProblemError(first + error.problem % (stop - first), error.reason) from None
        coefficients[first:stop] = solved.reshape(n_machines, stop - first, width).swapaxes(0, 1)
    return coefficients, l2


def _batches(n_rows: Index, most: int, *, every: bool) -> Iterator[tuple[int, int]]:
    """Runs of entities with at most so many rows together, or a single one with more; `every`: those without, too."""
    first, total = 0, 0
    for stop, n in enumerate(n_rows.tolist()):
        n = max(n, int(every))
        if total and total + n > most:
            yield first, stop
            first, total = stop, 0
        total += n
    if total:
        yield first, len(n_rows)


def _design(machines: Machines, rows: OwnRows) -> tuple[Array, Array]:
    """``[1, h]`` and ``o`` for each row without its own id: in each machine the score is ``o + w + <v, h>``.

    h is the sum of the other features' vectors, or of those of the other side where only sides interact.
    """
    n, shape = len(rows.label), (machines.n_machines, machines.n_factors)
    own, others = np.zeros((n, *shape)), np.zeros((n, *shape))
    offset = np.repeat(machines.bias[None], n, axis=0)
    entity = np.repeat(np.arange(len(rows.n_rows)), rows.n_rows)
    for place, (entities, index) in enumerate(((rows.features, entity), *rows.parts)):
        if entities.nnz:
            vectors, levels, at = machines.of_entities(entities, index)
            # Contexts belong to queries, which is where users are.
            sums = own if place == 0 or (place > 1 and rows.side == "user") else others
            sums += vectors[at]
            offset += levels[at]
    if machines.is_bipartite:
        offset += np.einsum("nsj,nsj->ns", own, others)
    else:
        others += own
        offset += 0.5 * np.einsum("nsj,nsj->ns", others, others)
    return np.concatenate([np.ones((n, machines.n_machines, 1)), others], axis=2), offset


def noise_of(machines: Machines, rows: OwnRows) -> Array:
    """What each machine multiplies the weight of each row by."""
    total = np.zeros((len(rows.label), machines.n_machines))
    if machines.log_noise is not None:
        entity = np.repeat(np.arange(len(rows.n_rows)), rows.n_rows)
        for entities, index in ((rows.features, entity), *rows.parts):
            total += machines.log_noise_of(entities, index)
        total += machines.log_noise[rows.columns][entity]
    return np.exp(total)
