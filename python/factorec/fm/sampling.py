"""Sampled negatives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from .. import _core
from .._threads import resolve_n_jobs
from ..errors import DataError
from ._checks import check_integer
from ._rows import CsrTuple, as_csr, as_csr_format, as_index

__all__ = ["NegativeSampling"]


@dataclass(frozen=True, eq=False)
class NegativeSampling:
    """Unseen items as negatives: new ones every epoch, uniform over the items that the user has not seen.

    A draw is a function of (seed, epoch, row, j), so it does not depend on the number of threads. A user who has
    seen every item gets none.

    Parameters
    ----------
    n_per_positive : int
        Negatives for each training row with target 1, at least 1. Each has target 0 and the row's weight.
    seen : sparse, shape (n_users, n_items)
        What each user has seen, whatever the target; only the structure counts (a stored 0 is seen).

    Raises
    ------
    DataError
        If ``n_per_positive`` is not a positive integer or ``seen`` is not a sparse matrix.

    Examples
    --------
    One user, who has seen two of three items:

    >>> sampling = NegativeSampling(4, sp.csr_array([[1, 0, 1]]))
    >>> sampling.draw(np.array([0]), seed=0, epoch=0)
    array([[1, 1, 1, 1]])
    """

    n_per_positive: int
    seen: Any

    def __post_init__(self) -> None:
        check_integer("n_per_positive", self.n_per_positive, low=1)
        if not sp.issparse(self.seen):
            raise DataError(f"seen must be a scipy sparse matrix, got {type(self.seen).__name__}")
        given: Any = self.seen
        structure = as_csr_format(given, "seen")
        structure = sp.csr_array(
            (np.ones(len(structure.indices), np.float32), structure.indices, structure.indptr),
            structure.shape,
        )
        structure = as_csr(structure, name="seen")
        if not structure.has_sorted_indices:
            structure = structure.sorted_indices()
        structure.data[:] = 1  # of what is stored twice, the sum
        object.__setattr__(self, "seen", structure)

    def csr_tuple(self) -> CsrTuple:
        """The structure of ``seen`` for the core."""
        return (self.seen.indptr, self.seen.indices, None, int(self.seen.shape[1]))

    def draw(
        self, users: npt.NDArray[Any], seed: int, epoch: int, *, n_jobs: int | None = None
    ) -> npt.NDArray[np.int64]:
        """Negatives of rows of the given users.

        Parameters
        ----------
        users : array-like of int, shape (n_rows,)
        seed, epoch : int
            Not negative.
        n_jobs : int, optional
            Threads; None: all that the process may use. The draws do not depend on it.

        Returns
        -------
        ndarray of int64, shape (n_rows, n_per_positive)
            Items; -1 for a user who has seen all.

        Raises
        ------
        DataError
            If a user is outside ``seen``.
        """
        numbers = (check_integer("seed", seed, low=0), check_integer("epoch", epoch, low=0))
        try:
            return _core.draw_negatives(
                self.csr_tuple(),
                as_index(users, "users"),
                int(self.n_per_positive),
                *numbers,
                resolve_n_jobs(n_jobs),
            )
        except ValueError as error:
            raise DataError(str(error)) from None

    def expected(
        self,
        users: npt.NDArray[Any],
        weight: npt.NDArray[np.float64],
        popularity: npt.NDArray[Any] | None = None,
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Expected weight of the negatives of one epoch, by user and by item.

        Parameters
        ----------
        users : ndarray, shape (n_positive_rows,)
            The users of the rows with target 1.
        weight : ndarray, shape (n_positive_rows,)
            The rows' weights.
        popularity : ndarray, shape (n_items,), optional
            What negatives are drawn in proportion to; None: all alike.

        Returns
        -------
        of_user : ndarray of float64, shape (n_users,)
        of_item : ndarray of float64, shape (n_items,)
        """
        n_users, n_items = self.seen.shape
        n_seen = np.diff(self.seen.indptr)
        of_user = np.bincount(users, weight, n_users) * float(self.n_per_positive)
        of_user[n_seen >= n_items] = 0.0
        # Each unseen item gets a share by its popularity; a seen item misses the shares of those who saw it.
        of_one = np.ones(n_items) if popularity is None else popularity.astype(np.float64)
        unseen = of_one.sum() - self.seen @ of_one
        share = of_user / np.where(n_seen < n_items, unseen, 1.0)
        missed = np.bincount(self.seen.indices, np.repeat(share, n_seen), n_items)
        return of_user.astype(np.float64), np.asarray(np.maximum(share.sum() - missed, 0.0)) * of_one
