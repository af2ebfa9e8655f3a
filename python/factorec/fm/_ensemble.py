"""Models of several seeds, folded into one whose score is the mean of theirs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from ..errors import DataError
from ._epoch_metrics import watched_metric
from ._progress import StopTraining
from .parameters import FMParameters
from .penalties import Penalties

__all__ = ["check_members", "folded", "seeds_of", "train_ensemble"]


def seeds_of(random_state: Any, n_seeds: int, first: int) -> list[int]:
    """The seed of each model: ``first``, then those of ``random_state`` + 1, + 2, ..., or the next that it draws."""
    if isinstance(random_state, int | np.integer):
        return [first] + [int(check_random_state(int(random_state) + i).randint(2**31 - 1)) for i in range(1, n_seeds)]
    generator = check_random_state(random_state)
    return [first] + [int(generator.randint(2**31 - 1)) for _ in range(1, n_seeds)]


def check_members(estimator: Any, *, going_on: bool) -> None:
    """Refuse what an ensemble cannot do."""
    if estimator.n_seeds > 1 and estimator.solver == "gibbs":
        raise DataError(
            f'n_seeds={estimator.n_seeds} is for point estimates: solver="gibbs" has samples already, raise n_epochs'
        )
    if estimator.n_seeds > 1 and going_on:
        raise DataError(
            f"n_seeds={estimator.n_seeds}: a mean of models cannot be trained on (partial_fit, warm_start), for the "
            "models themselves are not kept; fit anew, or use n_seeds=1"
        )


def train_ensemble(
    learner: Any, seed: int, train: Callable[[int], None], n_epochs: int, stop_after: int | None
) -> None:
    """``train(seed)`` once for each seed, then one model of them all.

    ``StopTraining`` ends the model at hand, and leaves out those not begun.
    """
    members: list[FMParameters] = []
    cuts = []
    for of_member in seeds_of(learner.random_state, learner.n_seeds, seed):
        try:
            train(of_member)
        except StopTraining:  # before its first epoch was complete
            if not members:
                raise
            break
        members.append(learner.parameters_)
        if learner.solver_state_.cuts is not None:
            cuts.append(learner.solver_state_.cuts)
        if len(members) == 1:
            first = learner.solver_state_, learner.history_
        if _was_stopped(learner, n_epochs, stop_after):
            break
    learner.parameters_ = folded(members)
    learner.solver_state_, learner.history_ = first
    if cuts:
        learner.cuts_ = np.mean(cuts, axis=0)


def _was_stopped(learner: Any, n_epochs: int, stop_after: int | None) -> bool:
    """Whether `StopTraining` ended the last model, not its number of epochs and not early stopping."""
    history = learner.history_
    done = len(next(iter(history["train"].values())))
    if done == n_epochs or stop_after is None:
        return done < n_epochs
    watched = history["validation"][watched_metric(learner._loss)]
    return done - 1 - int(np.argmin(watched)) < stop_after


def folded(members: list[FMParameters]) -> FMParameters:
    """One machine of all members' factors, whose score is the mean of their scores.

    A member's block of factors is divided by the root of their number. The penalties are the members' mean: a kernel
    of the folded factors is the mean of the members' kernels, so that a penalty means what it meant to each.
    """
    n = len(members)
    if n == 1:
        return members[0]
    scale = np.float32(1 / np.sqrt(n))
    given = [p.penalties for p in members if p.penalties is not None]
    penalties = None
    if len(given) == n:
        penalties = Penalties(
            np.mean([one.linear for one in given], axis=0),
            np.mean([one.factors for one in given], axis=0),
            given[0].per_row,
        )
    return FMParameters(
        float(np.mean([p.bias for p in members])),
        np.asarray(np.mean([p.linear for p in members], axis=0, dtype=np.float64), np.float32),
        np.concatenate([p.factors * scale for p in members], axis=1),
        penalties,
        members[0].n_query_features,
        members[0].interactions,
    )
