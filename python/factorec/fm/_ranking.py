"""Training to rank: what an `FMRanker`'s settings mean to the core, the loop over epochs, and lists to measure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from .. import _core
from .._threads import resolve_n_jobs
from ..errors import DataError, DivergenceError
from ..metrics.ranking import ndcg_at_n
from ._fitting import SolverState, Weights
from ._problem import Problem
from ._progress import OnEpoch, StopTraining, show_progress
from ._rates import LearningRates
from ._records import Records
from ._regularization import Regularization, combined, entity_features
from ._rows import RowArrays, csr_tuple
from ._tuned import tuned_by_field
from ._weights import check_going_on, go_on, random_weights, returned
from .sampling import NegativeSampling
from .training_set import TrainingSet

if TYPE_CHECKING:
    from .ranker import FMRanker

__all__ = ["RankedLists", "positives", "train_to_rank"]

LIST_LENGTH = 10
_QUERIES_AT_ONCE = 1 << 14


def positives(problem: Problem) -> Problem:
    """The rows of grades above 0, which the weights then hold.

    Raises
    ------
    DataError
        If there is none.
    """
    graded = problem.take(np.flatnonzero(problem.target > 0))
    if not graded.rows.n_rows:
        raise DataError("no row has a target above 0: there is nothing to rank above what was not seen")
    weight = graded.target if graded.weight is None else graded.target * graded.weight
    if (weight == 1).all():
        return replace(graded, weight=None)
    with np.errstate(over="ignore"):
        narrow = weight.astype(np.float32)
    bad = np.flatnonzero(~np.isfinite(narrow) | (narrow <= 0))
    if len(bad):
        raise DataError(f"a target times its weight is {weight[bad[0]]}, which float32 cannot hold")
    return replace(graded, weight=narrow)


def item_popularity(seen: Any) -> npt.NDArray[np.int64]:
    """Users who have seen each item, and one more: so that every item may be drawn."""
    return np.bincount(seen.indices, minlength=seen.shape[1]).astype(np.int64) + 1


def expected_touches(
    data: TrainingSet,
    weight: npt.NDArray[np.float32] | None,
    sampling: NegativeSampling,
    popularity: npt.NDArray[np.int64] | None,
) -> npt.NDArray[np.float64]:
    """Summed weight of the rows, and expected negatives, that an epoch charges each feature for, (n_features,)."""
    users, items = data.blocks[0].index, data.blocks[-1].index
    row_weight = np.ones(data.n_rows) if weight is None else weight.astype(np.float64)
    # Rows of users who have seen every item have no negatives, and are left out.
    row_weight = row_weight * (np.diff(sampling.seen.indptr) < sampling.seen.shape[1])[users]
    _, of_item = sampling.expected(users, row_weight, popularity)
    of_item = of_item + np.bincount(items, row_weight, len(of_item))
    totals = entity_features(data.blocks[-1].rows, of_item)
    for block in data.blocks[:-1]:
        totals += entity_features(block.rows, np.bincount(block.index, row_weight, block.rows.shape[0]))
    return totals


class RankedLists:
    """What some rows say about lists of items: the relevant ones of each query, gains their grades.

    Everything that the query's user has seen is left out of the lists, but for the items of these rows.
    """

    def __init__(self, problem: Problem, seen: Any, name: str) -> None:
        data = problem.training_set
        assert data is not None
        n_items = data.blocks[-1].rows.shape[0]
        if seen.shape != (data.blocks[0].rows.shape[0], n_items):
            raise DataError(
                f"{name} has {data.blocks[0].rows.shape[0]} users and {n_items} items, training had "
                f"{seen.shape[0]} and {seen.shape[1]}"
            )
        rows = np.flatnonzero(problem.target > 0)
        if not len(rows):
            raise DataError(f"{name} has no row with a target above 0: no list could be measured")
        index = np.stack([np.asarray(block.index[rows], np.int64) for block in data.blocks[:-1]])
        queries, query = np.unique(index, axis=1, return_inverse=True)
        self.blocks = data.blocks
        self.queries = queries
        shape = (queries.shape[1], n_items)
        grades = sp.csr_array((problem.target[rows], (query.ravel(), data.blocks[-1].index[rows])), shape)
        self.relevant = sp.csr_matrix(grades)
        # Of each user, what was seen and is in none of the rows.
        own = sp.csr_array((np.ones(data.n_rows), (data.blocks[0].index, data.blocks[-1].index)), seen.shape)
        kept = seen - seen.multiply(own > 0)
        kept.eliminate_zeros()
        self.exclude = sp.csr_array(kept)

    def ndcg(self, weights: Weights, n_threads: int, *, bipartite: bool = False) -> float:
        """NDCG of the lists of ten; ``bipartite``: an item's own features make no pairs."""
        shape = weights.factors.shape
        item_rows = self.blocks[-1].rows
        items = RowArrays([(None, csr_tuple(item_rows))], item_rows.shape[0], shape[0])
        vectors = _core.vectors(items.blocks, items.n_rows, weights.linear, weights.factors, n_threads)
        offsets = _core.scores(
            items.blocks,
            items.n_rows,
            0.0,
            weights.linear,
            weights.factors,
            n_threads,
            single=True,
            n_query_features=0 if bipartite else None,  # all of an item's features are on one side
        )
        n_panels = -(-items.n_rows // _core.PANEL_ITEMS)
        panels = np.empty((n_panels, shape[1], _core.PANEL_ITEMS), np.float32)
        padded = np.empty(n_panels * _core.PANEL_ITEMS, np.float32)
        _core.pack_items(vectors, offsets, False, panels, padded, n_threads)
        n_queries = self.queries.shape[1]
        ids = np.empty((n_queries, LIST_LENGTH), np.int64)
        for begin in range(0, n_queries, _QUERIES_AT_ONCE):
            part = self.queries[:, begin : begin + _QUERIES_AT_ONCE]
            queries = np.zeros((part.shape[1], shape[1]), np.float32)
            for block, index in zip(self.blocks[:-1], part, strict=True):
                arrays = RowArrays([(np.ascontiguousarray(index), csr_tuple(block.rows))], len(index), shape[0])
                queries += _core.vectors(arrays.blocks, len(index), weights.linear, weights.factors, n_threads)
            exclude = self.exclude[part[0]]
            _core.search_items(
                panels,
                padded,
                items.n_rows,
                queries,
                "inner_product",
                csr_tuple(exclude),
                None,
                ids[begin : begin + len(queries)],
                np.empty((len(queries), LIST_LENGTH), np.float32),
                np.empty(len(queries), np.int64),
                n_threads,
            )
        return ndcg_at_n(ids, self.relevant, LIST_LENGTH, graded=True)


def train_to_rank(
    ranker: FMRanker,
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
    """Give the ranker parameters, state and history by ``n_epochs`` passes; see `train_by_epochs`."""
    data = problem.training_set
    assert data is not None
    assert data.negatives is not None
    n_threads = resolve_n_jobs(ranker.n_jobs)
    n_negatives = ranker._negatives_per_row()
    sampling = NegativeSampling(n_negatives, data.negatives.seen)
    rows, weight = problem.rows, problem.weight
    popularity = item_popularity(sampling.seen) if ranker.negative_sampling == "popularity" else None
    totals = expected_touches(data, weight, sampling, popularity)
    ids, side = ranker._tuned_by_side()
    tuned = tuned_by_field(rows, ids, side)
    rates = LearningRates(ranker.learning_rate, rows, tuned, ids)
    l2 = Regularization(ranker.l2_linear, ranker.l2_factors, ranker.l2_count_power, rows, totals, tuned)
    before = ranker.parameters_ if going_on else None
    if before is None:
        if not totals.any():
            raise DataError("every user who has a row has seen every item: there is nothing to rank below what was met")
        weights = random_weights(totals, rows.id_features(), ranker.n_factors, ranker.init_scale, seed, 0.0)
        state = SolverState.start(len(totals), seed, 0.0, 1.0)
    else:
        check_going_on(ranker, before)
        state = ranker.solver_state_.copy()
        weights = go_on(before, state, totals, rows.id_features(), ranker.init_scale).copy()
    lists = {name: RankedLists(of, data.negatives.seen, name) for name, of in evaluation.items()}
    try:
        trainer = _core.RankingTrainer(
            rows.blocks,
            rows.n_rows,
            weight,
            (rates.linear, rates.factors, l2.linear, l2.factors),
            sampling.csr_tuple(),
            popularity,
            {
                "loss": ranker.loss,
                "n_negatives": n_negatives,
                "batch_size": ranker._batch_rows(),
                "shuffle": bool(ranker.shuffle),
                "seed": state.seed,
                "n_threads": n_threads,
            },
            (weights.linear, weights.factors, state.linear_accumulator, state.factors_accumulator),
        )
    except ValueError as error:
        raise DataError(str(error)) from None

    def snapshot(epoch: int) -> None:
        """Brings `weights` and `state` up to date."""
        trainer.copy_to(weights.linear, weights.factors, state.linear_accumulator, state.factors_accumulator)
        state.n_epochs = epoch

    def diverged(epoch: int) -> DivergenceError:
        return DivergenceError(
            f"training diverged in epoch {epoch + 1}: loss or parameters are not finite with learning rate "
            f"({rates}); lower learning_rate, raise l2_factors and l2_linear, or scale the features"
        )

    records = Records("train", *lists)
    best: tuple[Weights, SolverState] | None = None
    first = epoch = state.n_epochs
    seen = RowArrays([*rows.blocks, (None, sampling.csr_tuple())], rows.n_rows, rows.n_features)
    checksum = seen.fingerprint() if on_epoch else 0
    with show_progress(int(ranker.verbose), n_epochs) as show:
        try:
            for epoch in range(first, first + n_epochs):
                row_weight, loss = trainer.epoch(epoch)
                if not np.isfinite(loss) or not trainer.finite():
                    raise diverged(epoch)
                records.add("train", {"loss": loss / row_weight if row_weight else 0.0})
                if lists:
                    snapshot(epoch + 1)
                    for name, of in lists.items():
                        records.add(name, {"ndcg_at_10": of.ndcg(weights, n_threads)})
                records.tell((show, on_epoch), epoch)
                if on_epoch and seen.fingerprint() != checksum:
                    raise DataError(
                        "the arrays that fit is training on were changed by on_epoch; let it change copies of them"
                    )
                if stop_after is not None:
                    if records.improved("ndcg_at_10", larger_is_better=True):
                        best = (weights.copy(), state.copy())
                    elif records.waited(stop_after):
                        break
        except StopTraining:  # between epochs or, from the handler of a signal, anywhere
            if not records.drop_incomplete():
                raise
            if not trainer.finite():
                raise diverged(epoch) from None
    done = records.n_complete
    if best is None:
        snapshot(first + done)
        best = (weights, state)
    # What WARP visits is known afterwards only.
    l2.totals = totals if ranker.loss != "warp" else trainer.charged() / max(done, 1)
    penalties = l2.penalties()
    if going_on and ranker.parameters_.penalties is not None:
        charged = ranker.parameters_.penalties
        if add_penalties:
            penalties = combined(charged, penalties, (1.0, 1.0))
        elif ranker.loss == "warp":
            share = first / (first + done)
            penalties = combined(charged, penalties, (share, 1.0 - share))
    trained, trained_state = best
    ranker.parameters_ = returned(trained, trained_state, penalties, data.n_query_features, totals, before)
    ranker.solver_state_ = trained_state
    ranker.history_ = records.history()
