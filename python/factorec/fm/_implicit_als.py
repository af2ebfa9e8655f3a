"""Implicit ALS: what an `FMRanker`'s settings and rows mean to the core, and the loop over sweeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from .. import _core
from .._threads import resolve_n_jobs
from ..errors import DataError, DivergenceError
from ._fitting import SolverState, Weights
from ._problem import Problem
from ._progress import OnEpoch, StopTraining, show_progress
from ._ranking import RankedLists, positives
from ._records import Records
from ._regularization import Regularization, entity_features
from ._rows import RowArrays, csr_tuple
from ._tuned import tuned_by_field
from ._weights import check_going_on, go_on, random_weights
from .parameters import FMParameters
from .penalties import Penalties
from .training_set import TrainingSet

if TYPE_CHECKING:
    from .ranker import FMRanker

__all__ = ["UNOBSERVED_SHARE", "ObservedPairs", "train_implicit_als"]

# Where `unobserved_weight` is None. All pairs together weigh so many times what the observed ones do: neither the
# number of items nor the scale of weights changes how strongly a model is held back.
UNOBSERVED_SHARE = 12.0
# Factors that are solved for together where there are more than _ALL_AT_ONCE: the cost is then linear in their number.
_ALL_AT_ONCE = 128
_BLOCK_SIZE = 64
# Conjugate gradient steps at most of half a sweep where entities share features, and the part of the gradient that is
# enough: each sweep goes on from the one before.
_N_STEPS = 20
_TOLERANCE = 0.03
# There are no linear weights. Whoever solves for a new user or item with this on top of their L2 gets none either.
_HOLDS_AT_ZERO = 1e6


@dataclass
class ObservedPairs:
    """Rows as queries, items and the weight of each pair that was observed.

    ``queries`` and ``items`` are CSR matrices of features; an exposure is what the entity counts in the sum over all
    pairs: 0 where no row has it.
    """

    queries: Any
    items: Any
    observed: Any
    query_exposure: npt.NDArray[np.float32]
    item_exposure: npt.NDArray[np.float32]

    @classmethod
    def of_problem(cls, problem: Problem) -> ObservedPairs:
        """Rows of grade 0 show that their user and item are there, no more.

        Each distinct combination of a user and contexts is a query. Those of one user share an exposure of 1, by their
        rows, so that every user meets every item once.
        """
        data = problem.training_set
        assert data is not None
        graded = positives(problem)
        pairs = graded.training_set
        assert pairs is not None
        users, items = data.blocks[0], data.blocks[-1]
        if len(data.blocks) == 2:
            queries, query = users.rows, pairs.blocks[0].index
            query_exposure = np.bincount(users.index, minlength=users.rows.shape[0]) > 0
        else:
            index = np.stack([np.asarray(block.index, np.int64) for block in data.blocks[:-1]])
            distinct, of_row, n_rows = np.unique(index, axis=1, return_inverse=True, return_counts=True)
            parts = [
                type(block)(block.name, distinct[at], block.rows, block.field_ranges)
                for at, block in enumerate(data.blocks[:-1])
            ]
            queries = TrainingSet(np.zeros(distinct.shape[1]), parts).to_csr()
            query = of_row.ravel()[problem.target > 0]
            query_exposure = n_rows / np.bincount(distinct[0], n_rows)[distinct[0]]
        weight = np.ones(pairs.n_rows) if graded.weight is None else graded.weight.astype(np.float64)
        shape = (queries.shape[0], items.rows.shape[0])
        observed = sp.csr_array(sp.coo_array((weight, (query, pairs.blocks[-1].index)), shape))
        observed.sum_duplicates()
        with np.errstate(over="ignore"):
            observed = observed.astype(np.float32)
        if not np.isfinite(observed.data).all():
            raise DataError("the rows of a pair of user and item add up to a weight that float32 cannot hold")
        item_exposure = np.bincount(items.index, minlength=shape[1]) > 0
        return cls(queries, items.rows, observed, query_exposure.astype(np.float32), item_exposure.astype(np.float32))

    def default_unobserved_weight(self) -> float:
        """The weight of a pair that makes all of them weigh UNOBSERVED_SHARE times what the observed ones do."""
        n_pairs = self.query_exposure.sum(dtype=np.float64) * self.item_exposure.sum(dtype=np.float64)
        return float(UNOBSERVED_SHARE * self.observed.data.sum(dtype=np.float64) / n_pairs)

    def totals(self, unobserved_weight: float) -> npt.NDArray[np.float64]:
        """Summed weight of the observed and of all pairs in which each feature is, (n_features,)."""
        exposures = self.query_exposure.astype(np.float64), self.item_exposure.astype(np.float64)
        totals = np.zeros(self.items.shape[1])
        query = np.repeat(np.arange(len(exposures[0])), np.diff(self.observed.indptr))
        for axis, (rows, of_pair) in enumerate(((self.queries, query), (self.items, self.observed.indices))):
            of_entity = np.bincount(of_pair, self.observed.data, len(exposures[axis]))
            of_entity += unobserved_weight * exposures[axis] * exposures[1 - axis].sum()
            totals += entity_features(rows, of_entity)
        return totals

    def solver(
        self, penalty: npt.NDArray[np.float32], factors: npt.NDArray[np.float32], options: dict[str, Any]
    ) -> _core.ImplicitAls:
        """The core's solver; it copies what it needs."""
        try:
            return _core.ImplicitAls(
                csr_tuple(self.queries),
                csr_tuple(self.items),
                csr_tuple(self.observed),
                penalty,
                factors,
                options,
                self.query_exposure,
                self.item_exposure,
            )
        except ValueError as error:
            raise DataError(str(error)) from None


def _penalties(ranker: FMRanker, rows: RowArrays, totals: npt.NDArray[np.float64]) -> Penalties:
    tuned = ranker._tuned_implicit_als
    by_field = tuned_by_field(rows, tuned, tuned)
    l2 = Regularization(None, ranker.l2_factors, ranker.l2_count_power, rows, totals, by_field)
    charged = l2.penalties()
    free = np.flatnonzero((totals > 0) & ~(charged.factors.astype(np.float32) > 0))
    if len(free):
        raise DataError(
            f"feature {free[0]} is charged no L2, without which its factors may have no single best value: solver "
            "'ials' needs l2_factors above 0"
        )
    per_row = {name: (_HOLDS_AT_ZERO * factors, factors) for name, (_, factors) in charged.per_row.items()}
    return Penalties(_HOLDS_AT_ZERO * charged.factors, charged.factors, per_row)


def _check(ranker: FMRanker) -> None:
    if ranker.loss != "softmax":
        raise DataError(f"solver 'ials' has a loss of its own: leave loss alone, got {ranker.loss!r}")
    if ranker.negative_sampling != "uniform":
        raise DataError(f"solver 'ials' draws no negatives: leave negative_sampling, got {ranker.negative_sampling!r}")
    for name in ("learning_rate", "l2_linear", "n_negatives", "batch_size"):
        if getattr(ranker, name) is not None:
            raise DataError(f"solver 'ials' has no {name}: leave it None, got {getattr(ranker, name)!r}")


def train_implicit_als(
    ranker: FMRanker,
    problem: Problem,
    evaluation: dict[str, Problem],
    n_epochs: int,
    stop_after: int | None,
    seed: int,
    *,
    going_on: bool,
    on_epoch: OnEpoch | None = None,
) -> None:
    """Give the ranker parameters, state and history by sweeps of alternating least squares."""
    _check(ranker)
    data = problem.training_set
    assert data is not None
    n_threads = resolve_n_jobs(ranker.n_jobs)
    pairs = ObservedPairs.of_problem(problem)
    given = ranker.unobserved_weight
    unobserved = pairs.default_unobserved_weight() if given is None else float(given)
    totals = pairs.totals(unobserved)
    penalties = _penalties(ranker, problem.rows, totals)
    ids, before = problem.rows.id_features(), ranker.parameters_ if going_on else None
    if before is None:
        state = SolverState.start(len(totals), seed, 0.0, 1.0)
        weights = random_weights(totals, ids, ranker.n_factors, ranker.init_scale, seed, 0.0)
    else:
        check_going_on(ranker, before, interactions="bipartite")
        state = ranker.solver_state_.copy()
        weights = go_on(before, state, totals, ids, ranker.init_scale).copy()
    with np.errstate(over="ignore"):
        penalty = np.where(totals > 0, penalties.factors, 1.0).astype(np.float32)
    options = {
        "unobserved_weight": unobserved,
        "block_size": _ALL_AT_ONCE if ranker.n_factors <= _ALL_AT_ONCE else _BLOCK_SIZE,
        "n_steps": _N_STEPS,
        "tolerance": _TOLERANCE,
        "n_threads": n_threads,
    }
    solver = pairs.solver(penalty, weights.factors, options)
    lists = _lists(data, evaluation)

    records = Records("train", *lists)
    best: Weights | None = None
    best_epoch = first = state.n_epochs
    with show_progress(int(ranker.verbose), n_epochs) as show:
        try:
            for epoch in range(first, first + n_epochs):
                records.add("train", {"objective": _sweep(solver, epoch)})
                if lists:
                    solver.copy_to(weights.factors)
                    for name, of in lists.items():
                        records.add(name, {"ndcg_at_10": of.ndcg(weights, n_threads, bipartite=True)})
                records.tell((show, on_epoch), epoch)
                if stop_after is not None:
                    if records.improved("ndcg_at_10", larger_is_better=True):
                        best, best_epoch = weights.copy(), epoch + 1
                    elif records.waited(stop_after):
                        break
        except StopTraining:  # between sweeps or, from the handler of a signal, anywhere
            if not records.drop_incomplete():
                raise
    if best is None:
        solver.copy_to(weights.factors)
        best, best_epoch = weights, first + records.n_complete
    if not np.isfinite(best.factors).all():
        raise _diverged(best_epoch)
    if before is not None:  # features without a row keep what they have
        best.factors[totals == 0] = before.factors[totals == 0]
    state.n_epochs = best_epoch
    ranker.parameters_ = FMParameters(
        0.0, np.zeros(len(totals), np.float32), best.factors, penalties, data.n_query_features, "bipartite"
    )
    ranker.solver_state_ = state
    ranker.unobserved_weight_ = unobserved
    ranker.history_ = records.history()


def _lists(data: TrainingSet, evaluation: dict[str, Problem]) -> dict[str, RankedLists]:
    if not evaluation:
        return {}
    if data.negatives is None:
        raise DataError(
            "lists are measured over what a user has not seen: give the TrainingSet negatives=NegativeSampling(1, seen)"
        )
    return {name: RankedLists(of, data.negatives.seen, name) for name, of in evaluation.items()}


def _sweep(solver: _core.ImplicitAls, epoch: int) -> float:
    try:
        objective = solver.sweep()
    except ValueError as error:
        raise _diverged(epoch + 1, str(error)) from None
    if not np.isfinite(objective):
        raise _diverged(epoch + 1)
    return objective


def _diverged(epoch: int, why: str = "factors are not finite") -> DivergenceError:
    return DivergenceError(
        f"solver 'ials' failed in sweep {epoch}: {why}; raise l2_factors, or scale grades, weights and features so "
        "that float32 can hold their sums"
    )
