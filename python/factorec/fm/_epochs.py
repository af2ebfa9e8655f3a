"""Training by passes over the rows: what an estimator's settings mean to `run_epochs`, and what it leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .._threads import resolve_n_jobs
from ._averaging import averaged_epochs
from ._epoch_metrics import EvalRows
from ._fitting import FitOptions, SolverState, run_epochs
from ._levels import start_cuts
from ._problem import Problem
from ._progress import OnEpoch, show_progress
from ._rates import LearningRates
from ._regularization import Regularization, combined, total_weights
from ._tuned import tuned_by_field
from ._weights import check_going_on, expected_negatives, go_on, returned
from .penalties import Penalties

if TYPE_CHECKING:
    from ._learner import Learner

__all__ = ["train_by_epochs"]


def train_by_epochs(
    learner: Learner,
    problem: Problem,
    evaluation: dict[str, Problem],
    n_epochs: int,
    stop_after: int | None,
    seed: int,
    *,
    going_on: bool,
    add_penalties: bool,
    on_epoch: OnEpoch | None = None,
) -> None:
    """Give the learner parameters, state and history by ``n_epochs`` passes.

    ``stop_after``: epochs that early stopping waits; None: it is off. ``add_penalties``: what these passes charge
    comes on top of what was charged before.
    """
    totals = total_weights(problem.rows, problem.weight, problem.target, problem.training_set)
    batch_size, adam = learner._batch_rows(), learner._adam_options()
    rescale = adam.rescale(batch_size, *problem.rows_per_epoch())
    ids, side = learner._tuned_by_side(negatives=problem.negatives is not None, rescale=rescale)
    tuned = tuned_by_field(problem.rows, ids, side)
    rates = LearningRates(learner.learning_rate, problem.rows, tuned, ids)
    l2 = Regularization(learner.l2_linear, learner.l2_factors, learner._count_power(), problem.rows, totals, tuned)
    levels = learner._levels()
    before = learner.parameters_ if going_on else None
    if before is None:
        start = learner._start(problem.target, problem.weight, expected_negatives(problem))
        weights = learner._start_weights(totals, problem.rows.id_features(), seed, start)
        state = SolverState.start(len(totals), seed, *start[1:])
        if levels is not None:
            state.cuts = start_cuts(problem.target, problem.weight, len(levels.values))
            state.cut_accumulator = np.ones_like(state.cuts)
    else:
        check_going_on(learner, before)
        state = learner.solver_state_
        weights = go_on(before, state, totals, problem.rows.id_features(), learner.init_scale)
    mean, scale = state.target_mean, state.target_scale

    def scaled(target: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        if mean == 0 and scale == 1:
            return target.astype(np.float32)
        centred = target - mean
        centred /= scale
        return centred.astype(np.float32)

    watched: dict[str, EvalRows] = {}
    for name, rows in evaluation.items():
        if name == "validation":
            rows = rows.with_negatives(state.seed + 1)
        watched[name] = EvalRows(rows.rows, scaled(rows.target), rows.weight)
    low, high = learner._target_range(problem.target, going_on)
    with show_progress(int(learner.verbose), n_epochs) as show:
        options = FitOptions(
            loss=learner._loss,
            solver=learner.solver,
            rates=rates,
            l2_bias=learner.l2_bias,
            batch_size=batch_size,
            shuffle=bool(learner.shuffle),
            clip_gradient=learner.clip_gradient,
            n_threads=resolve_n_jobs(learner.n_jobs),
            n_epochs=n_epochs,
            n_iter_no_change=stop_after,
            n_averaged=averaged_epochs(learner.average, n_epochs),
            score_range=((low - mean) / scale, (high - mean) / scale),
            levels=levels,
            on_epoch=[call for call in (show, on_epoch) if call is not None],
            adam=adam,
            rescale=rescale,
            on_batch=learner._on_batch if adam.report_every else None,
        )
        trained = run_epochs(
            problem.rows,
            scaled(problem.target),
            problem.weight,
            (l2.linear, l2.factors),
            problem.negatives,
            weights,
            state,
            options,
            watched,
        )
    penalties: Penalties | None = l2.penalties(scale)
    if trained.steps is not None:  # a gradient that is not one of the loss has no penalty beside the loss
        penalties = l2.penalties_of_steps(trained.steps / rescale, scale) if rescale > 0 else None
    if going_on and penalties is not None and learner.parameters_.penalties is not None:
        charged = learner.parameters_.penalties
        if add_penalties:
            penalties = combined(charged, penalties, (1.0, 1.0))
        elif trained.steps is not None:  # which batches a feature is in differs from epoch to epoch
            share = state.n_epochs / max(trained.state.n_epochs, 1)
            penalties = combined(charged, penalties, (share, 1.0 - share))
    data = problem.training_set
    n_query_features = None if data is None else data.n_query_features
    learner.parameters_ = returned(trained.weights, trained.state, penalties, n_query_features, totals, before)
    learner.solver_state_ = trained.state
    learner.history_ = trained.history
    if trained.state.cuts is not None:
        learner.cuts_ = trained.state.cuts.copy()
    learner._set_range(low, high)
