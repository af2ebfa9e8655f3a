"""The mean of the parameters over the last epochs of a fit.

Late in a fit the parameters of stochastic gradients wander around the minimum; their mean is closer to it (Polyak and
Juditsky 1992), and leaving out the early ones costs nothing (suffix averaging: Rakhlin, Shamir and Sridharan 2012).
"""

from __future__ import annotations

import numbers
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import DataError

__all__ = ["EpochMean", "averaged_epochs"]

SHARE = 0.5  # of the epochs, where only "average" is asked for


def averaged_epochs(average: Any, n_epochs: int) -> int:
    """How many of the epochs, from the last one back, the parameter ``average`` asks for; 0: none."""
    share = SHARE if average is True else average
    if not isinstance(share, numbers.Real) or not 0 <= float(share) <= 1:
        raise DataError(f"average must be a bool, or the share of the epochs to average over, 0 to 1, got {average!r}")
    return max(1, round(float(share) * n_epochs)) if share else 0


class EpochMean:
    """Parameters summed over the ends of epochs, in float64."""

    def __init__(self) -> None:
        self.n_epochs = self.last_epoch = 0
        self._sums: list[npt.NDArray[np.float64]] = []

    def add(self, epoch: int, weights: Any, state: Any) -> None:
        """One epoch more."""
        now = [np.float64(weights.bias), weights.linear, weights.factors]
        if state.cuts is not None:
            now.append(state.cuts)
        if not self.n_epochs:
            self._sums = [np.zeros(np.shape(part)) for part in now]
        for total, part in zip(self._sums, now, strict=True):
            total += part
        self.n_epochs, self.last_epoch = self.n_epochs + 1, epoch

    def mean(self, weights: Any, state: Any) -> tuple[Any, Any]:
        """The mean, and the state with it: its accumulators are the last ones."""
        bias, linear, factors, *cuts = (total / self.n_epochs for total in self._sums)
        averaged = replace(
            weights, bias=float(bias), linear=linear.astype(np.float32), factors=factors.astype(np.float32)
        )
        return averaged, replace(state, cuts=cuts[0]) if cuts else state
