"""What one call to fit trains on, whichever form it came in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ._rows import RowArrays, csr_tuple
from .training_set import TrainingSet

__all__ = ["Problem"]


@dataclass
class Problem:
    """Checked rows, encoded targets and weights.

    ``source`` is the CSR matrix or TrainingSet that the rows look into, ``numbers`` the rows' numbers among those
    given (None: all).
    """

    source: Any
    rows: RowArrays
    target: npt.NDArray[np.float64]
    weight: npt.NDArray[np.float32] | None
    numbers: npt.NDArray[Any] | None = None

    @property
    def training_set(self) -> TrainingSet | None:
        return self.source if isinstance(self.source, TrainingSet) else None

    @property
    def negatives(self) -> tuple[int, Any] | None:
        """Settings of sampled negatives for the core."""
        data = self.training_set
        if data is None or data.negatives is None:
            return None
        return int(data.negatives.n_per_positive), data.negatives.csr_tuple()

    def rows_per_epoch(self) -> tuple[int, float]:
        """Rows that an epoch visits, and their mean weight; every positive counts with all of its negatives."""
        visits = np.ones(self.rows.n_rows)
        if self.negatives is not None:
            visits += self.negatives[0] * (self.target == 1)
        mean_weight = 1.0 if self.weight is None else float(np.average(self.weight, weights=visits))
        return int(visits.sum()), mean_weight

    def take(self, chosen: npt.NDArray[Any]) -> Problem:
        """The problem of some of the rows."""
        weight = None if self.weight is None else self.weight[chosen]
        numbers = chosen if self.numbers is None else self.numbers[chosen]
        part: Any
        if isinstance(self.source, TrainingSet):
            part = self.source.take(chosen)
            rows = replace(part.row_arrays(), n_threads=self.rows.n_threads)
        else:
            part = self.source[chosen]
            rows = replace(self.rows, blocks=[(None, csr_tuple(part))], n_rows=int(part.shape[0]))
        return Problem(part, rows, self.target[chosen], weight, numbers)

    def without_zero_weights(self) -> Problem:
        """Rows of weight 0 left out, so that they are absent to the bit."""
        if self.weight is None or self.weight.all():
            return self
        return self.take(np.flatnonzero(self.weight))

    def with_negatives(self, seed: int) -> Problem:
        """The same rows and, after them, the negatives of the positive ones, drawn once."""
        data = self.training_set
        if data is None or data.negatives is None:
            return self
        positive = np.flatnonzero(self.target == 1)
        drawn = data.negatives.draw(data.blocks[0].index[positive], seed, 0, n_jobs=self.rows.n_threads)
        places, columns = np.nonzero(drawn >= 0)
        rows = np.concatenate([np.arange(len(self.target)), positive[places]])
        items = np.concatenate([data.blocks[-1].index, drawn[places, columns]])
        blocks = [replace(block, index=block.index[rows]) for block in data.blocks[:-1]]
        blocks.append(replace(data.blocks[-1], index=items))
        target = np.concatenate([self.target, np.zeros(len(places))])
        weight = None if self.weight is None else self.weight[rows]
        part = TrainingSet(target, blocks, weight)
        return Problem(part, part.row_arrays(), target, weight)
