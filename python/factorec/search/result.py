"""What a search returns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["SearchResult"]


@dataclass(frozen=True, eq=False)
class SearchResult:
    """The best items of every query.

    Unpacks to ``ids, scores``.

    Attributes
    ----------
    ids : ndarray of shape (n_queries, n), int64
        Item positions, best first: score descending, of equal scores the lower position first. Filled up
        with -1.
    scores : ndarray of shape (n_queries, n), float32
        Their scores. Filled up with -inf. Never NaN.
    counts : ndarray of shape (n_queries,), int64
        How many entries of each row are items; the rest is filling.

    Examples
    --------
    >>> import numpy as np
    >>> from factorec.search import ItemIndex
    >>> result = ItemIndex(np.eye(2, dtype=np.float32)).search(np.array([[1, 2]], dtype=np.float32), n=3)
    >>> ids, scores = result
    >>> ids
    array([[ 1,  0, -1]])
    >>> result.counts
    array([2])
    """

    ids: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float32]
    counts: npt.NDArray[np.int64]

    def __iter__(self) -> Iterator[Any]:
        yield self.ids
        yield self.scores

    def __len__(self) -> int:
        """Return the number of queries."""
        return len(self.counts)
