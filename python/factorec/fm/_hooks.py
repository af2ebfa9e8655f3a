"""What differs between the estimators, and their settings with defaults filled in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator

from ._adam import DEFAULT_BATCH_SIZE, AdamOptions
from ._checks import check_settings
from ._fitting import SolverState, Weights
from ._levels import Levels
from ._predictive import Predictive
from ._tuned import Tuned
from ._weights import random_weights
from .parameters import FMParameters

__all__ = ["Hooks"]


class Hooks(BaseEstimator):  # type: ignore[misc]
    """Defaults, and what `Learner` asks of each estimator."""

    # Of estimators that have no such parameters.
    average: bool | float = False
    n_seeds: int = 1

    _loss = ""
    # The solvers that there are, and how many epochs (sweeps) each does where n_epochs is None.
    _default_epochs: ClassVar[Mapping[str, int]] = {"adagrad": 20, "adam": 20, "sgd": 20}
    # Learning rate and L2 where the parameters are None: of the two id fields, and of every other field.
    _tuned: Tuned
    _tuned_side: Tuned
    _tuned_negatives: Tuned
    _tuned_side_negatives: Tuned
    _tuned_als: Tuned
    _tuned_adam: Tuned
    _tuned_adam_negatives: Tuned

    parameters_: FMParameters
    history_: dict[str, dict[str, npt.NDArray[np.float64]]]
    solver_state_: SolverState
    cuts_: npt.NDArray[np.float64]  # of ordinal loss
    n_features_in_: int

    # What differs between the estimators.

    def _check_settings(self) -> None:
        check_settings(self)

    def _encode_target(
        self, y: Any, *, classes: Any, reset: bool, negatives: bool, partial: bool
    ) -> npt.NDArray[np.float64]:
        raise NotImplementedError

    def _start(self, target: npt.NDArray[np.float64], weight: Any, extra_weight: float) -> tuple[float, float, float]:
        """Start value of the bias, then mean and scale of the target."""
        raise NotImplementedError

    def _levels(self) -> Levels | None:
        """The ordered levels of an ordinal loss."""
        return None

    def _row_weights(self, weight: Any, target: npt.NDArray[np.float64]) -> Any:
        return weight

    def _target_range(self, target: npt.NDArray[np.float64], going_on: bool) -> tuple[float, float]:
        return -np.inf, np.inf

    def _set_range(self, low: float, high: float) -> None:
        pass

    # What solver "gibbs" asks besides.

    def _n_levels(self) -> int:
        """How many ordered levels the encoded target has, 0 for numbers."""
        raise NotImplementedError

    def _predictive(self, n_rows: int, target_range: tuple[float, float]) -> Predictive:
        """Puts together what samples predict for rows."""
        raise NotImplementedError

    # What an estimator that imitates another implementation of solver "adam" sets beside the parameters.

    def _adam_options(self) -> AdamOptions:
        return AdamOptions()

    def _start_weights(
        self,
        totals: npt.NDArray[np.float64],
        id_features: npt.NDArray[np.bool_],
        seed: int,
        start: tuple[float, float, float],
    ) -> Weights:
        """Weights before the first epoch, for the scaled target.

        ``totals``: summed row weight of each feature; ``start``: what `_start` returned.
        """
        return random_weights(totals, id_features, self.n_factors, self.init_scale, seed, start[0])

    def _on_batch(self, epoch: int, batch: int, metrics: dict[str, float]) -> None:
        """Told of every ``report_every``-th batch once its epoch is over: metrics of the epoch's rows so far."""

    # What they share.

    def _count_power(self) -> float:
        if self.l2_count_power is None:
            return 0.5 if self.solver == "als" else 0.0
        return float(self.l2_count_power)

    def _n_epochs(self) -> int:
        return self._default_epochs[self.solver] if self.n_epochs is None else int(self.n_epochs)

    def _batch_rows(self) -> int:
        """Rows of a mini-batch."""
        return self.batch_size or (DEFAULT_BATCH_SIZE if self.solver == "adam" else 1)

    def _tuned_by_side(self, *, negatives: bool, rescale: float | None = None) -> tuple[Tuned, Tuned]:
        """Defaults of the two id fields, and of every other field.

        Those of Adam's L2 are per row too. A batch charges that times ``rescale`` (None: 1 / its rows), which its
        rows' gradients are multiplied by as well: so they hold for any size of batches.
        """
        if self.solver == "als":
            return self._tuned_als, self._tuned_als
        if self.solver == "adam":
            tuned = self._tuned_adam_negatives if negatives else self._tuned_adam
            share = 1 / self._batch_rows() if rescale is None else max(rescale, 0.0)
            tuned = tuned._replace(l2_linear=tuned.l2_linear * share, l2_factors=tuned.l2_factors * share)
            return tuned, tuned
        if negatives:
            return self._tuned_negatives, self._tuned_side_negatives
        return self._tuned, self._tuned_side
