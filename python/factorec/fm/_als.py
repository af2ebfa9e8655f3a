"""Training by alternating least squares: the sampler's sweeps without the draws, on the objective itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .._threads import resolve_n_jobs
from ..errors import DataError
from ._epoch_metrics import watched_metric
from ._fitting import SolverState, Weights
from ._problem import Problem
from ._progress import OnEpoch
from ._regularization import Regularization, total_weights
from ._sampler_rows import SamplerRows
from ._samples import Draw
from ._sweeps import START_SCALE, Sweeps, Watched, make_sampler, query_border, some_rows
from ._tuned import tuned_by_field
from ._weights import check_going_on, go_on, keep_untouched, random_weights
from .parameters import FMParameters

if TYPE_CHECKING:
    from ._learner import Learner

__all__ = ["train_by_als"]


def train_by_als(
    learner: Learner,
    problem: Problem,
    evaluation: dict[str, Problem],
    n_sweeps: int,
    stop_after: int | None,
    seed: int,
    *,
    going_on: bool,
    on_epoch: OnEpoch | None = None,
) -> None:
    """Give the learner parameters, state and history by ``n_sweeps`` sweeps."""
    if learner.l2_bias:
        raise DataError(f'solver="als" does not penalise the bias: l2_bias must be 0, got {learner.l2_bias!r}')
    totals = total_weights(problem.rows, problem.weight, problem.target, None)
    ids, side = learner._tuned_by_side(negatives=False)
    tuned = tuned_by_field(problem.rows, ids, side)
    l2 = Regularization(learner.l2_linear, learner.l2_factors, learner._count_power(), problem.rows, totals, tuned)
    before = learner.parameters_ if going_on else None
    if before is None:
        start = learner._start(problem.target, problem.weight, 0.0)
        ids_of = problem.rows.id_features()
        weights = random_weights(totals, ids_of, learner.n_factors, START_SCALE, seed, start[0])
        state = SolverState.start(len(totals), seed, *start[1:])
    else:
        check_going_on(learner, before, interactions=None)
        state = learner.solver_state_.copy()
        weights = go_on(before, state, totals, problem.rows.id_features(), START_SCALE)
    mean, scale = state.target_mean, state.target_scale
    border = query_border(learner, problem)
    low, high = learner._target_range(problem.target, going_on)
    rows = SamplerRows.of(problem)
    unit = rows.per_feature().astype(np.float64)
    occurs = totals > 0  # the others stay where they are, at whatever penalty
    options = {
        "draw": False,
        "n_levels": 0,
        "row_noise": False,
        "noise_shape": 1.0,
        "bipartite": learner.interactions == "bipartite",
        "precision_linear": np.where(occurs, totals * l2.linear / unit**2, 1.0).astype(np.float32),
        "precision_factors": np.where(occurs, totals * l2.factors / unit**2, 1.0).astype(np.float32),
        "seed": state.seed,
        "n_threads": resolve_n_jobs(learner.n_jobs),
    }
    sampler = make_sampler(rows, (problem.target - mean) / scale, problem.weight, options, weights)
    draw = Draw(rows, learner.n_factors, (mean, scale))
    watched = {"train": Watched(learner, some_rows(problem, seed), (low, high), border)}
    watched |= {name: Watched(learner, rows_of, (low, high), border) for name, rows_of in evaluation.items()}
    best: Weights | None = None

    def keep() -> None:
        nonlocal best
        best = Weights(draw.bias, draw.linear.copy(), draw.factors.copy())

    run = Sweeps(sampler, draw, watched, first=state.n_epochs, n_sweeps=n_sweeps, verbose=int(learner.verbose))
    learner.history_ = run.run(
        lambda _: True,
        on_epoch=on_epoch,
        stop_after=stop_after,
        stopping_metric=watched_metric(learner._loss),
        improved=keep,
        average=False,
    )
    state.n_epochs += run.done
    best = best or Weights(draw.bias, draw.linear, draw.factors)
    if before is not None:
        keep_untouched(best.linear, best.factors, totals, before)
    learner.parameters_ = FMParameters(
        best.bias, best.linear, best.factors, l2.penalties(scale), border, learner.interactions
    )
    learner.solver_state_ = state
    learner._set_range(low, high)
