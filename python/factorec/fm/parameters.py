"""The parameters of a factorization machine, and everything that is computed from them alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import _core
from .._threads import resolve_n_jobs
from ..errors import DataError
from ._rows import RowArrays, as_csr
from .penalties import Penalties
from .posterior import Posterior

__all__ = ["FMParameters"]


@dataclass(frozen=True, eq=False)
class FMParameters:
    """Bias, linear weights and factors of a factorization machine.

    The model is ``y(x) = b + w'x + 1/2 (|V'x|**2 - sum_f x_f**2 |V_f|**2)`` (Rendle 2010).

    Parameters
    ----------
    bias : float
    linear : ndarray of float32, shape (n_features,)
    factors : ndarray of float32, shape (n_features, n_factors)
    penalties : Penalties, optional
        What training charged; ``influence`` takes the user's own penalty from here.
    n_query_features : int, optional
        Columns below belong to queries (user and context), the others to items. If given, rows that cross are
        refused: for them the split into query and item vectors would not hold.
    interactions : {"all", "bipartite"}, default="all"
        "bipartite": only pairs of a query's and an item's feature count, ``y(x) = b + w'x + <V'x_q, V'x_i>``; the
        offsets of queries and items are ``w'x`` then.
    posterior : Posterior, optional
        The samples of which this is the mean: its score is the mean of their scores.

    Raises
    ------
    DataError
        If a shape or dtype is wrong, or a value is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> p = FMParameters(0.5, np.zeros(2, np.float32), np.array([[1.0], [2.0]], np.float32))
    >>> p.decision_function([[1, 1], [1, 0]])
    array([2.5, 0.5])
    """

    bias: float
    linear: npt.NDArray[np.float32]
    factors: npt.NDArray[np.float32]
    penalties: Penalties | None = None
    n_query_features: int | None = None
    interactions: str = "all"
    posterior: Posterior | None = None

    def __post_init__(self) -> None:
        for name, n_dims in (("linear", 1), ("factors", 2)):
            array = getattr(self, name)
            if not isinstance(array, np.ndarray) or array.dtype != np.float32 or array.ndim != n_dims:
                raise DataError(f"{name} must be a float32 array with {n_dims} dimension(s)")
            if not np.isfinite(array).all():
                raise DataError(f"{name} holds values that are not finite")
            object.__setattr__(self, name, np.ascontiguousarray(array))
        if self.factors.shape[0] != self.linear.shape[0]:
            raise DataError(f"linear has {self.linear.shape[0]} features, factors {self.factors.shape[0]}")
        if not np.isfinite(self.bias):
            raise DataError("bias is not finite")
        n = self.n_query_features
        if n is not None and not 0 <= n <= self.n_features:
            raise DataError(f"n_query_features is {n}, outside 0..{self.n_features}")
        if self.interactions not in ("all", "bipartite"):
            raise DataError(f"interactions must be 'all' or 'bipartite', got {self.interactions!r}")
        if self.interactions == "bipartite" and n is None:
            raise DataError("bipartite interactions need n_query_features: which columns are the query's")
        if self.posterior is not None:
            shape = (self.n_features, self.posterior.n_samples * self.posterior.mean.n_factors)
            if self.posterior.linear.shape[0] != shape[0] or self.factors.shape != shape:
                raise DataError(f"factors have shape {self.factors.shape}, those of the posterior's samples {shape}")

    @property
    def n_features(self) -> int:
        """Number of features."""
        return int(self.linear.shape[0])

    @property
    def n_factors(self) -> int:
        """Number of factors of a feature."""
        return int(self.factors.shape[1])

    def decision_function(self, X: Any, *, n_jobs: int | None = None) -> npt.NDArray[np.float64]:
        """Raw scores of rows: log-odds for a classifier, target units for a regressor.

        Parameters
        ----------
        X : sparse or array-like, shape (n_rows, n_features)
        n_jobs : int, optional
            Threads; None: all that the process may use.

        Returns
        -------
        ndarray of float64, shape (n_rows,)
        """
        return self._scores(self._rows(X, n_jobs), n_jobs, self.bias)

    def mean(self) -> FMParameters:
        """The mean of the samples of each parameter, with k factors; without a posterior these parameters themselves.

        Returns
        -------
        FMParameters
            Faster to search and what ``influence`` explains; scores differ from the mean of the samples' scores.
        """
        return self if self.posterior is None else self.posterior.mean

    def sample(self, number: int) -> FMParameters:
        """One sample of the posterior, with k factors.

        Parameters
        ----------
        number : int
            From 0 to n_samples - 1.

        Returns
        -------
        FMParameters
            New arrays; without penalties.

        Raises
        ------
        DataError
            If there is no posterior, or no such sample.
        """
        posterior = self._posterior()
        if not 0 <= number < posterior.n_samples:
            raise DataError(f"sample {number} is outside 0..{posterior.n_samples - 1}")
        k = posterior.mean.n_factors
        return replace(
            self,
            bias=float(posterior.bias[number]),
            linear=posterior.linear[:, number].copy(),
            factors=self.factors[:, number * k : (number + 1) * k] * np.float32(np.sqrt(posterior.n_samples)),
            penalties=None,
            posterior=None,
        )

    def sample_scores(self, X: Any, *, n_jobs: int | None = None) -> npt.NDArray[np.float64]:
        """The raw score of every row under every sample of the posterior.

        Parameters
        ----------
        X : sparse or array-like, shape (n_rows, n_features)
        n_jobs : int, optional

        Returns
        -------
        ndarray of float64, shape (n_rows, n_samples)
            Their mean over the samples is `decision_function`.

        Raises
        ------
        DataError
            If there is no posterior (a solver other than "gibbs").
        """
        return sample_scores(self, RowArrays.of_matrix(self._rows(X, n_jobs)), resolve_n_jobs(n_jobs))

    def _posterior(self) -> Posterior:
        if self.posterior is None:
            raise DataError('these parameters have no posterior: only solver="gibbs" draws samples')
        return self.posterior

    def query_vectors(self, X: Any, *, n_jobs: int | None = None) -> npt.NDArray[np.float32]:
        """Query vectors ``V'x_q``.

        Parameters
        ----------
        X : sparse or array-like, shape (n_queries, n_features)
            Rows with entries in query columns only.
        n_jobs : int, optional

        Returns
        -------
        ndarray of float32, shape (n_queries, n_factors)

        Raises
        ------
        DataError
            If a row has an entry on the item side.
        """
        return self._vectors(self._side(X, "query", n_jobs), n_jobs)

    def query_offsets(self, X: Any, *, n_jobs: int | None = None) -> npt.NDArray[np.float64]:
        """Query offsets ``s(x_q) = w'x_q + 1/2 (|V'x_q|**2 - sum_f x_qf**2 |V_f|**2)``; bipartite: ``w'x_q``.

        Parameters
        ----------
        X : sparse or array-like, shape (n_queries, n_features)
            Rows with entries in query columns only; others raise `DataError`.
        n_jobs : int, optional

        Returns
        -------
        ndarray of float64, shape (n_queries,)
        """
        return self._scores(self._side(X, "query", n_jobs), n_jobs)

    def item_vectors(self, X: Any, *, n_jobs: int | None = None) -> npt.NDArray[np.float32]:
        """Item vectors ``V'x_i``.

        Parameters
        ----------
        X : sparse or array-like, shape (n_items, n_features)
            Rows with entries in item columns only; others raise `DataError`.
        n_jobs : int, optional

        Returns
        -------
        ndarray of float32, shape (n_items, n_factors)
        """
        return self._vectors(self._side(X, "item", n_jobs), n_jobs)

    def item_offsets(
        self, X: Any, *, self_interaction: bool = True, n_jobs: int | None = None
    ) -> npt.NDArray[np.float64]:
        """Item offsets ``s(x_i)``: with a query's own terms, ``y = b + s(x_q) + s(x_i) + <V'x_q, V'x_i>``.

        Parameters
        ----------
        X : sparse or array-like, shape (n_items, n_features)
        self_interaction : bool, default=True
            False leaves out the pairs of features inside the item and keeps ``w'x_i`` only, as the published
            k-NN recipe does: the same for single one-hot ids, a wrong ranking as soon as items have two features.
            On MovieLens 100K with genres and year, 95 to 99.7 % of the users then get a wrong top 10, with 1.8 to
            3.5 wrong films in it (``benchmarks/published_formula.py``).
        n_jobs : int, optional

        Returns
        -------
        ndarray of float64, shape (n_items,)
        """
        rows = self._side(X, "item", n_jobs)
        if self_interaction:
            return self._scores(rows, n_jobs)
        return np.asarray(rows @ self.linear.astype(np.float64))

    def _rows(self, X: Any, n_jobs: int | None) -> Any:
        return as_csr(X, n_features=self.n_features, n_threads=resolve_n_jobs(n_jobs))

    def _side(self, X: Any, side: str, n_jobs: int | None) -> Any:
        rows = self._rows(X, n_jobs)
        border = self.n_query_features
        if border is not None and rows.nnz:
            crossing = rows.indices >= border if side == "query" else rows.indices < border
            if crossing.any():
                entry = int(np.flatnonzero(crossing)[0])
                row = int(np.searchsorted(rows.indptr, entry, side="right")) - 1
                where = f"below {border}" if side == "query" else f"from {border} on"
                raise DataError(
                    f"row {row} has an entry in column {rows.indices[entry]}: {side} rows keep to columns {where}"
                )
        return rows

    def _scores(self, rows: Any, n_jobs: int | None, bias: float = 0.0) -> npt.NDArray[np.float64]:
        return row_scores(self, RowArrays.of_matrix(rows), resolve_n_jobs(n_jobs), bias)

    def _vectors(self, rows: Any, n_jobs: int | None) -> npt.NDArray[np.float32]:
        arrays = RowArrays.of_matrix(rows)
        return _core.vectors(arrays.blocks, arrays.n_rows, self.linear, self.factors, resolve_n_jobs(n_jobs))


def row_scores(p: FMParameters, rows: RowArrays, n_threads: int, bias: float) -> npt.NDArray[np.float64]:
    """Scores of rows in whatever form, with another bias or its own."""
    border = p.n_query_features if p.interactions == "bipartite" else None
    return _core.scores(rows.blocks, rows.n_rows, bias, p.linear, p.factors, n_threads, n_query_features=border)


def sample_scores(p: FMParameters, rows: RowArrays, n_threads: int) -> npt.NDArray[np.float64]:
    """Raw scores of rows under each sample, (n_rows, n_samples)."""
    posterior = p._posterior()
    scores = np.empty((rows.n_rows, posterior.n_samples))
    for number in range(posterior.n_samples):
        sample = p.sample(number)
        scores[:, number] = row_scores(sample, rows, n_threads, sample.bias)
    return scores
