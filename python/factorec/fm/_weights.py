"""Between an estimator's parameters and the weights that are trained: begin, go on, return, grow.

Training sees targets that were centred by their mean and divided by their scale sigma (1 for a classifier). There
w is trained in units of sigma and V in units of sqrt(sigma).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import DataError
from ._checks import check_integer
from ._fitting import SolverState, Weights
from ._problem import Problem
from .parameters import FMParameters
from .penalties import Penalties

__all__ = ["check_going_on", "expected_negatives", "go_on", "grown", "keep_untouched", "random_weights", "returned"]

Totals = npt.NDArray[np.float64]

_DRAWN_AT_ONCE = 1 << 20


def expected_negatives(problem: Problem) -> float:
    """Summed weight of the negatives that an epoch is expected to draw."""
    data = problem.training_set
    if data is None or data.negatives is None:
        return 0.0
    positive = np.flatnonzero(problem.target == 1)
    row_weight = np.ones(len(positive)) if problem.weight is None else problem.weight[positive].astype(np.float64)
    return float(data.negatives.expected(data.blocks[0].index[positive], row_weight)[0].sum())


def random_weights(
    totals: Totals,
    ids: npt.NDArray[np.bool_],
    n_factors: int,
    init_scale: float,
    seed: int,
    bias: float,
) -> Weights:
    """Random factors of the ids that occur, zeros elsewhere.

    Features beside the ids learn from those from the first step on. Started at random they add noise that all of
    their rows share (measured: benchmarks/tune.py).
    """
    factors = _random_factors((len(totals), n_factors), init_scale, seed)
    factors[(totals == 0) | ~ids] = 0.0
    return Weights(bias, np.zeros(len(totals), np.float32), factors)


def check_going_on(estimator: Any, p: FMParameters, *, interactions: str | None = "all") -> None:
    """Refuse to go on from a model of another size or of other terms; None: of whatever terms."""
    why = ""
    if p.posterior is not None:
        why = "the fitted model has samples"
    elif interactions not in (None, p.interactions):
        why = f"the fitted model has interactions={p.interactions!r}"
    elif p.n_factors != estimator.n_factors:
        why = f"n_factors is {estimator.n_factors}, the fitted model has {p.n_factors}"
    if why:
        raise DataError(f"solver={estimator.solver!r} cannot go on: {why}; fit anew with warm_start=False")


def go_on(
    p: FMParameters, state: SolverState, totals: Totals, ids: npt.NDArray[np.bool_], init_scale: float
) -> Weights:
    """The parameters that there are; random factors where an id occurs for the first time."""
    scale = state.target_scale
    factors = p.factors / np.float32(np.sqrt(scale))
    new = (totals > 0) & ids & ~factors.any(axis=1)
    if new.any():  # a new user and a new item, both at zero, would stay there
        factors[new] = _random_factors(factors.shape, init_scale, state.seed)[new]
    return Weights((p.bias - state.target_mean) / scale, p.linear / np.float32(scale), factors)


def returned(
    weights: Weights,
    state: SolverState,
    penalties: Penalties | None,
    n_query_features: int | None,
    totals: Totals,
    before: FMParameters | None,
) -> FMParameters:
    """Trained weights in the units of the target; what no row touched keeps the bits that it had `before`."""
    scale = state.target_scale
    linear = weights.linear * np.float32(scale)
    factors = weights.factors * np.float32(np.sqrt(scale))
    if before is not None:
        keep_untouched(linear, factors, totals, before)
    return FMParameters(state.target_mean + scale * weights.bias, linear, factors, penalties, n_query_features)


def keep_untouched(
    linear: npt.NDArray[np.float32], factors: npt.NDArray[np.float32], totals: Totals, before: FMParameters
) -> None:
    """Give features that no row has the bits that they had before."""
    untouched = totals == 0
    linear[untouched] = before.linear[untouched]
    factors[untouched] = before.factors[untouched]


def _random_factors(shape: tuple[int, ...], init_scale: float, seed: int) -> npt.NDArray[np.float32]:
    rng = np.random.default_rng([seed, 1])
    drawn = np.empty(shape, np.float32)
    flat = drawn.reshape(-1)
    for begin in range(0, flat.size, _DRAWN_AT_ONCE):  # numpy does not look for Ctrl-C
        part = flat[begin : begin + _DRAWN_AT_ONCE]
        rng.standard_normal(dtype=np.float32, out=part)
        part *= np.float32(init_scale)
    return drawn


def grown(p: FMParameters, state: SolverState, column_map: Any, n_features: Any) -> tuple[FMParameters, SolverState]:
    """Parameters and solver state with every feature at its new column; new columns are as if never trained."""
    size = check_integer("n_features", n_features, low=p.n_features)
    place = np.asarray(column_map)
    if place.shape != (p.n_features,) or place.dtype.kind not in "iu":
        raise DataError(
            f"column_map must be integers of shape ({p.n_features},), one new column for each feature of the model, "
            f"got {place.dtype} of shape {place.shape}"
        )
    place = place.astype(np.int64)
    outside = np.flatnonzero((place < 0) | (place >= size))
    if len(outside):
        raise DataError(f"column_map[{outside[0]}] is {place[outside[0]]}, outside 0..{size - 1}")
    falls = np.flatnonzero(np.diff(place) <= 0)
    if len(falls):
        at = int(falls[0])
        raise DataError(
            f"column_map must rise, so that fields stay together: [{at}] is {place[at]}, then {place[at + 1]}"
        )

    def laid(values: npt.NDArray[Any], fill: float = 0.0) -> npt.NDArray[Any]:
        wide = np.full((size, *values.shape[1:]), fill, values.dtype)
        wide[place] = values
        return wide

    border = p.n_query_features
    if border is not None:  # items begin with their ids, and new ids come after the old ones of their field
        border = int(place[border]) if border < p.n_features else size

    def laid_parameters(p: FMParameters) -> FMParameters:
        penalties, posterior = p.penalties, p.posterior
        if penalties is not None:
            penalties = replace(penalties, linear=laid(penalties.linear), factors=laid(penalties.factors))
        if posterior is not None:
            log_noise = None if posterior.log_noise is None else laid(posterior.log_noise)
            mean = laid_parameters(posterior.mean)
            posterior = replace(posterior, linear=laid(posterior.linear), log_noise=log_noise, mean=mean)
        return replace(
            p,
            linear=laid(p.linear),
            factors=laid(p.factors),
            penalties=penalties,
            n_query_features=border,
            posterior=posterior,
        )

    return (
        laid_parameters(p),
        replace(
            state.copy(),
            linear_accumulator=laid(state.linear_accumulator, 1.0),
            factors_accumulator=laid(state.factors_accumulator, 1.0),
            adam=None if state.adam is None else state.adam.with_arrays(laid),
        ),
    )
