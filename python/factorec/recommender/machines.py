"""One machine, or the samples of a posterior, as arrays with an axis for the machines: what new ids are solved in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from ..fm import FMParameters

__all__ = ["Machines"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Machines:
    """Parameters of machines of equal shape.

    Attributes
    ----------
    bias : ndarray of shape (n_machines,), float64
    linear : ndarray of shape (n_features, n_machines)
    factors : ndarray of shape (n_features, n_machines, n_factors)
        To be multiplied by `scale`.
    scale : float
    is_bipartite : bool
        Only features of different sides interact.
    log_noise : ndarray of shape (n_features, n_machines), optional
        A row's noise precision is multiplied by the exponential of the sum over its features.
    """

    bias: Array
    linear: NDArray[Any]
    factors: NDArray[Any]
    scale: float
    is_bipartite: bool
    log_noise: NDArray[Any] | None = None

    @classmethod
    def one(cls, p: FMParameters) -> Machines:
        """The machine itself, without a sampler's noise."""
        return cls(np.array([p.bias]), p.linear[:, None], p.factors[:, None], 1.0, p.interactions == "bipartite")

    @classmethod
    def samples(cls, p: FMParameters) -> Machines:
        """Every sample of the posterior."""
        posterior = p.posterior
        assert posterior is not None
        n = posterior.n_samples
        factors = p.factors.reshape(p.n_features, n, p.n_factors // n)
        bipartite = p.interactions == "bipartite"
        return cls(posterior.bias, posterior.linear, factors, float(np.sqrt(n)), bipartite, posterior.log_noise)

    @property
    def n_machines(self) -> int:
        """How many there are."""
        return int(self.factors.shape[1])

    @property
    def n_factors(self) -> int:
        """Factors of each."""
        return int(self.factors.shape[2])

    def of_entities(self, entities: csr_matrix, index: NDArray[Any]) -> tuple[Array, Array, NDArray[np.int64]]:
        """Of the entities that occur: the sum of their vectors, what they add to a score by themselves, rows' places.

        That is ``V'z`` (n, n_machines, n_factors) and ``w'z - 1/2 sum_f z_f**2 |V_f|**2`` (n, n_machines), or ``w'z``
        if bipartite; an index of -1 stands for none.
        """
        z, known, at, used = _occurring(entities, index)
        linear = self.linear[used].astype(np.float64)
        factors = self.factors[used].astype(np.float64) * self.scale
        shape = (len(known), self.n_machines, self.n_factors)
        vectors, levels = np.zeros(shape), np.zeros(shape[:2])
        vectors[known] = (z @ factors.reshape(len(used), shape[1] * shape[2])).reshape(z.shape[0], *shape[1:])
        levels[known] = z @ linear
        if not self.is_bipartite:
            levels[known] -= 0.5 * (z.multiply(z) @ np.einsum("fsj,fsj->fs", factors, factors))
        return vectors, levels, at

    def log_noise_of(self, entities: csr_matrix, index: NDArray[Any]) -> Array:
        """What each row's entity adds to the logarithm of its noise precision, (n, n_machines)."""
        assert self.log_noise is not None
        z, known, at, used = _occurring(entities, index)
        logs = np.zeros((len(known), self.n_machines))
        logs[known] = z @ self.log_noise[used].astype(np.float64)
        return logs[at]


def _occurring(
    entities: csr_matrix, index: NDArray[Any]
) -> tuple[csr_matrix, NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64]]:
    """Rows of the entities that occur, over the columns that they use; which are known; rows' places; the columns."""
    occurring, at = np.unique(index, return_inverse=True)
    known = occurring >= 0
    z = entities[occurring[known]].astype(np.float64)
    used, columns = np.unique(z.indices, return_inverse=True)
    rows = csr_matrix((z.data, columns, z.indptr), shape=(z.shape[0], len(used)))
    return rows, known, at.astype(np.int64), used.astype(np.int64)
