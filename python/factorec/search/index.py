"""The index over items: exact search by inner product, cosine or distance."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .. import _core
from .._threads import resolve_n_jobs
from ..errors import DataError
from ._inputs import allowed_items, as_matrix, as_positive, as_rows, as_vector
from ._packed import Coded, Panels, pack
from .result import SearchResult

__all__ = ["ItemIndex"]

_METRICS = ("inner_product", "cosine", "l2")


class ItemIndex:
    """Items, packed for exact top-n search.

    The score of query q and item i is ``<q, v_i> + offset_i``, computed in float32 as one chain of fused
    multiply-adds over the factors in their order, starting at +0; the offset is added last. With ``metric="l2"``
    it is ``-|q - v_i|**2``: the chain adds up the squares of the differences, and is subtracted from +0. Lists are
    ordered by score, descending, and by item position where scores are equal. They hold exactly the best
    items under that order, to the bit the same for any number of threads, of queries in a call, and of
    items asked for. (On a CPU without AVX2 each multiply-add rounds twice, so the last bits of scores may
    differ from those of other CPUs, and an overflow on the way may make a score NaN: such an item never
    enters a list.)

    Parameters
    ----------
    vectors : array of shape (n_items, n_factors), float32 or float64
        One row per item, finite. float64 is rounded to float32.
    offsets : array of shape (n_items,), optional
        Added to the scores of the items. Only for ``metric="inner_product"``.
    metric : {"inner_product", "cosine", "l2"}
        ``"cosine"`` divides items here, and queries in `search`, by their Euclidean norms (computed in
        float64, quotients rounded once to float32), then takes the inner product. A vector of zeros stays
        as it is and scores 0. ``"l2"`` takes minus the squared Euclidean distance, so that the nearest item is
        the best. It is summed up from differences of factors, never from norms and inner products, which cancel:
        of vectors far from the origin the nearest are still told apart. A distance that overflows is a score of
        -inf.
    n_jobs : int, optional
        Threads for packing and the default for `search`; None: all CPUs that the process may use.

    Attributes
    ----------
    n_items : int
    n_factors : int
    metric : str

    Raises
    ------
    DataError
        If a shape, dtype or metric is wrong or a value is not finite.

    Notes
    -----
    The index keeps its own, packed copy of the vectors: 4 bytes x n_items x n_factors. From a few thousand
    items on, where the CPU has instructions for it, an index by inner product or cosine also keeps 8-bit codes of
    them, another byte per value: a first pass over the codes, with a proved bound of its error, leaves few items
    to be scored. The results are the same bits. `search` needs a few megabytes a thread besides its result, never
    queries x items. A pickle holds plain vectors; they are packed again when it is read.

    Examples
    --------
    >>> import numpy as np
    >>> from factorec.search import ItemIndex
    >>> vectors = np.array([[1, 0], [0, 1], [1, 1]], dtype=np.float32)
    >>> index = ItemIndex(vectors, offsets=np.array([0.0, 0.5, 0.0]))
    >>> ids, scores = index.search(np.array([[2, 1]], dtype=np.float32), n=2)
    >>> ids, scores
    (array([[2, 0]]), array([[3., 2.]], dtype=float32))
    >>> ItemIndex(vectors, metric="l2").search(np.array([[2, 1]], dtype=np.float32), n=2).scores
    array([[-1., -2.]], dtype=float32)
    """

    def __init__(
        self,
        vectors: npt.ArrayLike,
        *,
        offsets: npt.ArrayLike | None = None,
        metric: Literal["inner_product", "cosine", "l2"] = "inner_product",
        n_jobs: int | None = None,
    ) -> None:
        if metric not in _METRICS:
            raise DataError(f"metric must be one of {', '.join(map(repr, _METRICS))}, got {metric!r}")
        if metric != "inner_product" and offsets is not None:
            raise DataError(f'offsets have no meaning with metric="{metric}"; leave them out or use "inner_product"')
        matrix = as_matrix(vectors, "vectors")
        self.metric = metric
        self.n_jobs = n_jobs
        self._pack(
            matrix,
            None if offsets is None else as_vector(offsets, "offsets", len(matrix)),
            metric == "cosine",
        )

    def _pack(self, vectors: npt.NDArray[np.float32], offsets: npt.NDArray[np.float32] | None, normalise: bool) -> None:
        self.n_items, self.n_factors = vectors.shape
        self._n_threads = resolve_n_jobs(self.n_jobs)  # once: asking for quotas takes longer than one query
        try:
            self._packed: Panels | Coded = pack(
                vectors, offsets, normalise, self._n_threads, by_distance=self.metric == "l2"
            )
        except ValueError as error:
            raise DataError(str(error)) from None

    def search(
        self,
        queries: npt.ArrayLike,
        n: int = 10,
        *,
        exclude: Any = None,
        items: npt.ArrayLike | None = None,
        exclude_items: npt.ArrayLike | None = None,
        n_jobs: int | None = None,
    ) -> SearchResult:
        """Find the best ``n`` items of every query.

        Parameters
        ----------
        queries : array of shape (n_queries, n_factors), float32 or float64
            Finite. float64 is rounded to float32.
        n : int
            Length of the lists; may exceed the number of items.
        exclude : sparse matrix of shape (n_queries, n_items), optional
            What each query leaves out, such as the items a user has seen: every stored entry, whatever its
            value.
        items : array of item positions or mask over items, optional
            Only these are considered.
        exclude_items : array of item positions or mask over items, optional
            These are left out for every query.
        n_jobs : int, optional
            Threads; None: what the index was built with.

        Returns
        -------
        SearchResult
            ``ids``, ``scores`` and ``counts``. Where fewer than ``n`` items are left, a list is shorter: the
            rest of its row is -1 and -inf.

        Raises
        ------
        DataError
            If a shape or dtype is wrong, a value is not finite, a position is out of range or ``n`` < 1.

        Examples
        --------
        >>> import numpy as np
        >>> from scipy.sparse import csr_array
        >>> from factorec.search import ItemIndex
        >>> index = ItemIndex(np.array([[1.0], [2.0], [3.0]]))
        >>> seen = csr_array(np.array([[0, 0, 1], [0, 1, 0]]))
        >>> index.search(np.array([[1.0], [-1.0]]), n=2, exclude=seen, exclude_items=[0]).ids
        array([[ 1, -1],
               [ 2, -1]])
        """
        matrix = as_matrix(queries, "queries")
        if matrix.shape[1] != self.n_factors:
            raise DataError(f"queries has {matrix.shape[1]} columns, the items have {self.n_factors} factors")
        n = as_positive(n, "n")
        if n >= 2**31:
            raise DataError(f"n must be less than 2**31, got {n}; there are {self.n_items} items")
        n_queries = len(matrix)
        rows = None if exclude is None else as_rows(exclude, "exclude", (n_queries, self.n_items))
        mask = allowed_items(items, exclude_items, self.n_items)
        result = SearchResult(
            np.empty((n_queries, n), dtype=np.int64),
            np.empty((n_queries, n), dtype=np.float32),
            np.empty(n_queries, dtype=np.int64),
        )
        try:
            self._packed.search(
                matrix,
                self.metric,
                rows,
                None if mask is None else _words(mask),
                result.ids,
                result.scores,
                result.counts,
                self._n_threads if n_jobs is None else resolve_n_jobs(n_jobs),
            )
        except ValueError as error:
            raise DataError(str(error)) from None
        return result

    def __repr__(self) -> str:
        return f"ItemIndex(n_items={self.n_items}, n_factors={self.n_factors}, metric={self.metric!r})"

    def __getstate__(self) -> dict[str, Any]:
        vectors, offsets = self._packed.unpack()
        return {"vectors": vectors, "offsets": offsets, "metric": self.metric, "n_jobs": self.n_jobs}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.metric = state["metric"]
        self.n_jobs = state["n_jobs"]
        self._pack(state["vectors"], state["offsets"], False)  # cosine: they are normalised already


def _words(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint32]:
    """Return one bit per item, a 32-bit word per panel."""
    n_panels = -(-len(mask) // _core.PANEL_ITEMS)
    packed = np.zeros(n_panels * 4, dtype=np.uint8)
    packed[: -(-len(mask) // 8)] = np.packbits(mask, bitorder="little")
    return packed.view("<u4").astype(np.uint32, copy=False)
