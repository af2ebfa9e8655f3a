"""The loop over epochs: train, look at other rows, remember, stop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import _core
from ..errors import DataError, DivergenceError
from ._adam import PADDING_MOVES_BIAS, AdamMoments, AdamOptions
from ._averaging import EpochMean
from ._epoch_metrics import EvalRows, metrics_of_pass, metrics_of_rows, watched_metric
from ._levels import Levels
from ._progress import OnEpoch, StopTraining
from ._rates import LearningRates
from ._records import History, Records
from ._rows import CsrTuple, RowArrays

__all__ = ["FitOptions", "SolverState", "run_epochs"]


@dataclass
class SolverState:
    """What training needs beside the parameters to go on where it stopped.

    Attributes
    ----------
    linear_accumulator, factors_accumulator : ndarray of float32, shape (n_features,)
        AdaGrad's sums of squared gradients, from 1 on.
    bias_accumulator : float
    n_epochs : int
        Epochs done, the number of the next one.
    seed : int
        Key of all random numbers.
    target_mean, target_scale : float
        What a regressor's targets were centred and divided by; 0 and 1 for a classifier.
    adam : AdamMoments, optional
        Adam's moments; None where it has not run.
    cuts, cut_accumulator : ndarray of float64, shape (n_levels - 1,), optional
        Of ordinal loss: the cuts between levels, and AdaGrad's accumulator of each.
    """

    linear_accumulator: npt.NDArray[np.float32]
    factors_accumulator: npt.NDArray[np.float32]
    bias_accumulator: float = 1.0
    n_epochs: int = 0
    seed: int = 0
    target_mean: float = 0.0
    target_scale: float = 1.0
    adam: AdamMoments | None = None
    cuts: npt.NDArray[np.float64] | None = None
    cut_accumulator: npt.NDArray[np.float64] | None = None

    @classmethod
    def start(cls, n_features: int, seed: int, target_mean: float, target_scale: float) -> SolverState:
        """The state before the first epoch."""
        ones = np.ones(n_features, np.float32)
        return cls(ones, ones.copy(), seed=seed, target_mean=target_mean, target_scale=target_scale)

    def copy(self) -> SolverState:
        """A state with arrays of its own."""
        return replace(
            self,
            linear_accumulator=self.linear_accumulator.copy(),
            factors_accumulator=self.factors_accumulator.copy(),
            adam=None if self.adam is None else self.adam.with_arrays(np.copy),
            cuts=None if self.cuts is None else self.cuts.copy(),
            cut_accumulator=None if self.cut_accumulator is None else self.cut_accumulator.copy(),
        )


@dataclass
class Weights:
    """Parameters while they are trained, in the units of the scaled target."""

    bias: float
    linear: npt.NDArray[np.float32]
    factors: npt.NDArray[np.float32]

    def copy(self) -> Weights:
        return Weights(self.bias, self.linear.copy(), self.factors.copy())


@dataclass
class FitOptions:
    """Settings of one run over epochs."""

    loss: str
    solver: str
    rates: LearningRates
    l2_bias: float
    batch_size: int
    shuffle: bool
    clip_gradient: float | None
    n_threads: int
    n_epochs: int
    n_iter_no_change: int | None = None  # None: no early stopping
    n_averaged: int = 0  # epochs, from the last one back, whose parameters are averaged
    # Scaled scores beyond these are moved to them before they are measured (a regressor's clipping).
    score_range: tuple[float, float] = (-np.inf, np.inf)
    # Of ordinal loss.
    levels: Levels | None = None
    # Called one after the other at the end of each epoch.
    on_epoch: Sequence[OnEpoch] = field(default=(), repr=False)
    # What only solver "adam" reads: its options, the factor of the sum of a batch's gradients, and whom to tell of
    # batches: on_batch(epoch, batch, metrics of the epoch's rows so far).
    adam: AdamOptions = field(default_factory=AdamOptions)
    rescale: float = 1.0
    on_batch: Callable[[int, int, dict[str, float]], object] | None = field(default=None, repr=False)

    def core_options(self, seed: int) -> dict[str, Any]:
        """The settings in the core's words."""
        return {
            "epsilon": self.adam.epsilon,
            "rescale": self.rescale,
            "pad_last_batch": self.adam.pad_last_batch,
            "padding_moves_bias": PADDING_MOVES_BIAS,
            "lazy": self.adam.lazy,
            "report_every": min(self.adam.report_every, 2**62),
            "loss": self.loss,
            "solver": self.solver,
            "rate_bias": self.rates.bias,
            "l2_bias": self.l2_bias,
            "clip": self.clip_gradient,
            "batch_size": min(self.batch_size, 2**62),
            "shuffle": self.shuffle,
            "seed": seed,
            "n_threads": self.n_threads,
        }

    def cuts_of(self, state: SolverState) -> tuple[npt.NDArray[np.float64], ...] | None:
        """What the core needs to know of cuts."""
        if self.levels is None or state.cuts is None or state.cut_accumulator is None:
            return None
        return state.cuts, state.cut_accumulator, self.levels.cut_weights, np.diff(self.levels.values)


_CHANGED = "the arrays that fit is training on were changed by on_epoch; let it change copies of them"


@dataclass
class Trained:
    """What a run over epochs leaves.

    ``steps`` (solver "adam"): the batches of an epoch in which each feature took a step, their mean over the epochs.
    """

    weights: Weights
    state: SolverState
    history: History
    steps: npt.NDArray[np.float64] | None = None


def run_epochs(
    rows: RowArrays,
    target: npt.NDArray[np.float32],
    weight: npt.NDArray[np.float32] | None,
    l2: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]],
    negatives: tuple[int, Any] | None,
    weights: Weights,
    state: SolverState,
    options: FitOptions,
    evaluation: dict[str, EvalRows],
) -> Trained:
    """Train for ``options.n_epochs`` epochs.

    Returns
    -------
    Trained
        New objects; those given are untouched, so an interrupted call changes nothing. With early stopping they
        are those of the epoch with the lowest loss on ``evaluation["validation"]``.
    """
    weights, state = weights.copy(), state.copy()
    if options.solver == "adam" and state.adam is None:
        state.adam = AdamMoments.zeros(*weights.factors.shape)
    moments = state.adam if options.solver == "adam" else None
    try:
        trainer = _core.Trainer(
            rows.blocks,
            target,
            weight,
            (options.rates.linear, options.rates.factors, *l2),
            rows.grid or rows.grid_candidates,  # found already
            negatives,
            options.core_options(state.seed),
            (
                weights.bias,
                weights.linear,
                weights.factors,
                state.bias_accumulator,
                state.linear_accumulator,
                state.factors_accumulator,
            ),
            None if moments is None else moments.as_tuple(),
            options.cuts_of(state),
        )
    except ValueError as error:
        raise DataError(str(error)) from None

    mean = EpochMean()

    def snapshot(epoch: int) -> tuple[Weights, SolverState]:
        """Brings `weights` and `state` up to date; returns them, or what has them averaged once that has begun."""
        arrays = (weights.linear, weights.factors, state.linear_accumulator, state.factors_accumulator)
        weights.bias, state.bias_accumulator, bias_mean, bias_square, n_steps = trainer.copy_to(
            *arrays, None if moments is None else moments.arrays
        )
        if moments is not None:
            moments.bias_mean, moments.bias_square, moments.n_steps = bias_mean, bias_square, n_steps
        if state.cuts is not None:
            state.cuts, state.cut_accumulator = trainer.cuts()
        state.n_epochs = epoch
        if not options.n_averaged or epoch <= average_from:
            return weights, state
        if mean.last_epoch < epoch:
            mean.add(epoch, weights, state)
        return mean.mean(weights, state)

    records = Records("train", *evaluation)
    best: tuple[Weights, SolverState] | None = None
    first = epoch = state.n_epochs
    average_from = first + options.n_epochs - options.n_averaged
    # What epochs read of the caller's arrays: of pairs of ids the core holds copies, so that these need no checksum
    # over all rows between two epochs, only one in the end.
    in_use = RowArrays([] if trainer.has_pairs else rows.blocks, rows.n_rows, rows.n_features)
    as_checked = [_fingerprint(read, negatives) if options.on_epoch else None for read in (in_use, rows)]
    try:
        for epoch in range(first, first + options.n_epochs):
            sums = trainer.epoch(epoch)
            if not np.isfinite(sums["loss"]) or not trainer.finite():
                raise _diverged(epoch, options)
            records.add("train", metrics_of_pass(sums, options.loss, state.target_scale))
            if options.on_batch is not None:
                for batch, so_far in sums["reports"]:
                    options.on_batch(epoch, batch, metrics_of_pass(so_far, options.loss, state.target_scale))
            if evaluation or (options.n_averaged and epoch + 1 > average_from):
                now, state_now = snapshot(epoch + 1)
                for name, rows_of in evaluation.items():
                    records.add(
                        name, metrics_of_rows(rows_of, now, state_now.cuts, options.levels, options, state.target_scale)
                    )
            records.tell(options.on_epoch, epoch)
            if options.on_epoch and _fingerprint(in_use, negatives) != as_checked[0]:
                raise DataError(_CHANGED)
            if options.n_iter_no_change is not None:
                if records.improved(watched_metric(options.loss)):
                    best = (now.copy(), state_now.copy())
                elif records.waited(options.n_iter_no_change):
                    break
    except StopTraining:  # between epochs or, from the handler of a signal, anywhere
        if not records.drop_incomplete():
            raise
        if not trainer.finite():
            raise _diverged(epoch, options) from None
    done = records.n_complete
    if options.on_epoch and _fingerprint(rows, negatives) != as_checked[1]:
        raise DataError(_CHANGED)
    if best is None:
        best = snapshot(first + done)
    steps = trainer.steps() / max(done, 1) if options.solver == "adam" else None
    return Trained(*best, records.history(), steps)


def _diverged(epoch: int, options: FitOptions) -> DivergenceError:
    return DivergenceError(
        f"training diverged in epoch {epoch + 1}: loss or parameters are not finite with learning rate "
        f"({options.rates}); lower learning_rate, raise l2_factors and l2_linear, scale the features, or set "
        "clip_gradient"
    )


def _fingerprint(rows: RowArrays, negatives: tuple[int, CsrTuple] | None) -> int:
    seen = [] if negatives is None else [(None, negatives[1])]
    return RowArrays([*rows.blocks, *seen], rows.n_rows, rows.n_features).fingerprint()
