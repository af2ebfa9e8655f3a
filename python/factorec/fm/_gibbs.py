"""Training by Gibbs sweeps: start by least squares, burn in, keep samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .._threads import resolve_n_jobs
from ..errors import DataError
from ._epoch_metrics import watched_metric
from ._fitting import SolverState, Weights
from ._problem import Problem
from ._progress import OnEpoch
from ._regularization import total_weights
from ._sampler_rows import SamplerRows
from ._samples import Draw, Samples
from ._sweeps import START_SCALE, Sweeps, Watched, make_sampler, query_border, some_rows
from ._weights import check_going_on, random_weights

if TYPE_CHECKING:
    from ._learner import Learner

__all__ = ["train_by_gibbs"]

# Sweeps of alternating least squares before the first draw, and their prior precisions / noise precision: what
# random start values would need some 50 sweeps for.
START_SWEEPS = 6
START_PRECISIONS = {"precision_linear": 3.0, "precision_factors": 13.0}
NOISE_SHAPE = 60.0


def train_by_gibbs(
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
    """Give the learner parameters with a posterior, state and history by ``n_sweeps`` sweeps."""
    if problem.negatives is not None:
        raise DataError('solver="gibbs" takes no sampled negatives: use "adagrad", or FMRanker')
    burn_in = _burn_in(learner.burn_in, n_sweeps, going_on)
    n_start = 0 if going_on else min(START_SWEEPS, burn_in)
    rows = SamplerRows.of(problem)
    weights, state = _start(learner, problem, seed, going_on)
    mean, scale = state.target_mean, state.target_scale
    border = query_border(learner, problem)
    options = {
        "draw": n_start == 0,
        "n_levels": learner._n_levels(),
        "row_noise": bool(learner.row_noise) and rows.has_ids,
        "noise_shape": NOISE_SHAPE,
        "bipartite": learner.interactions == "bipartite",
        **START_PRECISIONS,
        "seed": state.seed,
        "n_threads": resolve_n_jobs(learner.n_jobs),
    }
    low, high = learner._target_range(problem.target, going_on)
    draw = Draw(rows, learner.n_factors, (mean, scale), bool(options["row_noise"]), learner._levels() is not None)
    watched = {"train": Watched(learner, some_rows(problem, seed), (low, high), border)}
    watched |= {name: Watched(learner, rows_of, (low, high), border) for name, rows_of in evaluation.items()}
    sampler = make_sampler(rows, (problem.target - mean) / scale, problem.weight, options, weights)
    samples = Samples(draw, rows, learner.n_samples, n_sweeps - burn_in)

    def after(number: int) -> bool:
        if number + 1 == n_start:
            sampler.set_drawing(True)
        if number < burn_in:
            return False
        samples.add(sampler)
        return True

    run = Sweeps(sampler, draw, watched, first=state.n_epochs, n_sweeps=n_sweeps, verbose=int(learner.verbose))
    history = run.run(
        after, on_epoch=on_epoch, stop_after=stop_after, stopping_metric=watched_metric(learner._loss), average=True
    )
    samples.finish(sampler)
    state.n_epochs += run.done
    if len(draw.cuts):
        state.cuts = samples.mean_cuts()
        learner.cuts_ = state.cuts.copy()
    learner.parameters_ = samples.parameters(border, learner.interactions, state.seed)
    learner.solver_state_ = state
    learner.history_ = history
    learner._set_range(low, high)


def _burn_in(burn_in: int | None, n_sweeps: int, going_on: bool) -> int:
    if burn_in is None:
        return n_sweeps // 10 if going_on else min(START_SWEEPS + n_sweeps // 10, n_sweeps - 1)
    if burn_in >= n_sweeps:
        raise DataError(
            f"burn_in is {burn_in}, but n_epochs is {n_sweeps}: no sweep would be kept; lower burn_in or raise n_epochs"
        )
    return burn_in


def _start(learner: Learner, problem: Problem, seed: int, going_on: bool) -> tuple[Weights, SolverState]:
    """Random factors, or the last sample, for the scaled target."""
    if not going_on:
        totals = total_weights(problem.rows, problem.weight, problem.target, None)
        start = learner._start(problem.target, problem.weight, 0.0)
        ids = problem.rows.id_features()
        weights = random_weights(totals, ids, learner.n_factors, START_SCALE, seed, 0.0)
        return weights, SolverState.start(len(totals), seed, *start[1:])
    before, state = learner.parameters_, learner.solver_state_.copy()
    if before.posterior is not None:
        before = before.sample(before.posterior.n_samples - 1)
    check_going_on(learner, before, interactions=None)
    scale = state.target_scale
    # Two levels have a bias in the core, and one cut here.
    bias = before.bias if state.cuts is None or len(state.cuts) > 1 else -float(state.cuts[0])
    return (
        Weights(
            (bias - state.target_mean) / scale,
            before.linear / np.float32(scale),
            before.factors / np.float32(np.sqrt(scale)),
        ),
        state,
    )
