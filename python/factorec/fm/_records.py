"""What is recorded of every epoch, and how long early stopping has waited."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from ._progress import OnEpoch

__all__ = ["History", "Records"]

History = dict[str, dict[str, npt.NDArray[np.float64]]]


class Records:
    """Metrics of every epoch of the rows that have these names."""

    def __init__(self, *names: str) -> None:
        self._of: dict[str, list[dict[str, float]]] = {name: [] for name in names}
        self._best, self._waited = np.inf, 0

    @property
    def n_complete(self) -> int:
        """Epochs that all rows were measured after."""
        return min(map(len, self._of.values()))

    def add(self, name: str, metrics: dict[str, float]) -> None:
        """Metrics of the epoch at hand."""
        self._of[name].append(metrics)

    def tell(self, calls: Iterable[OnEpoch | None], epoch: int) -> None:
        """Call each with copies of the last metrics."""
        for call in calls:
            if call is not None:
                call(epoch, {name: dict(record[-1]) for name, record in self._of.items()})

    def improved(self, metric: str, *, larger_is_better: bool = False) -> bool:
        """Whether this metric of the validation rows is better than it ever was; if not, early stopping waits."""
        value = self._of["validation"][-1][metric]
        loss = -value if larger_is_better else value
        better = loss < self._best
        self._best, self._waited = (loss, 0) if better else (self._best, self._waited + 1)
        return better

    def waited(self, n_epochs: int) -> bool:
        """Whether so many epochs have not improved, one after the other."""
        return self._waited >= n_epochs

    def drop_incomplete(self) -> bool:
        """Forget what `StopTraining` cut short; whether a complete epoch is left."""
        complete = self.n_complete
        for record in self._of.values():
            del record[complete:]
        return complete > 0

    def history(self) -> History:
        """Rows -> metric -> value after each epoch."""
        return {
            name: {metric: np.array([record[metric] for record in kept]) for metric in kept[0]} if kept else {}
            for name, kept in self._of.items()
        }
