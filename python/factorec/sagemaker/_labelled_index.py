"""Labelled rows that are searched, behind a projection if there is one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..errors import DataError
from ..search import ItemIndex
from ._projection import RandomProjection, as_dense

__all__ = ["LabelledIndex", "Metric"]

Floats = npt.NDArray[np.float32]
Metric = Literal["l2", "inner_product", "cosine"]

_CHUNK_VALUES = 1 << 22  # of queries that are made dense, or of their neighbours, at a time


@dataclass(frozen=True)
class LabelledIndex:
    """Labelled rows that are searched.

    Attributes
    ----------
    index : ItemIndex
        Of the projected rows.
    labels : ndarray of float32, shape (n_items,)
    n_features : int
        Columns of a row before the projection.
    projection : RandomProjection or None
    """

    index: ItemIndex
    labels: Floats
    n_features: int
    projection: RandomProjection | None

    @classmethod
    def of_rows(
        cls, rows: Any, labels: Floats, metric: Metric, projection: RandomProjection | None, n_jobs: int | None
    ) -> LabelledIndex:
        """Project rows and pack them."""
        index = ItemIndex(_project(rows, projection), metric=metric, n_jobs=n_jobs)
        return cls(index, labels, rows.shape[1], projection)

    @classmethod
    def of_vectors(
        cls, vectors: Floats, labels: Floats, metric: Metric, projection: RandomProjection | None, n_jobs: int | None
    ) -> LabelledIndex:
        """Pack vectors that `vectors` gave: for "cosine" of length 1, which dividing by it again would change."""
        index = ItemIndex.__new__(ItemIndex)
        index.__setstate__({"vectors": vectors, "offsets": None, "metric": metric, "n_jobs": n_jobs})
        return cls(index, labels, vectors.shape[1] if projection is None else projection.n_features, projection)

    @property
    def vectors(self) -> Floats:
        """What is searched, row by row."""
        vectors: Floats = self.index.__getstate__()["vectors"]
        return vectors

    def search(self, rows: Any, n: int) -> Iterator[tuple[slice, Floats, Floats]]:
        """The labels and scores of the ``n`` best, of some rows after others so that memory is bounded."""
        chunk = max(1, _CHUNK_VALUES // max(self.n_features, self.index.n_factors, n))
        for start in range(0, rows.shape[0], chunk):
            part = slice(start, start + chunk)
            found = self.index.search(_project(rows[part], self.projection), n)
            if found.counts.min(initial=n) < n:  # only without fused instructions, see ItemIndex
                raise DataError(f"an inner product of row {start + int(found.counts.argmin())} overflows")
            yield part, self.labels[found.ids], found.scores


def _project(rows: Any, projection: RandomProjection | None) -> Floats:
    dense: Floats = as_dense(rows) if projection is None else projection.transform(rows)
    return dense
