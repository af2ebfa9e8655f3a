"""Solver "ials": the core against normal equations, and FMRanker's promises."""

from __future__ import annotations

import os
import signal
import threading

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_implicit_als import objective, sweep

from factorec import _core
from factorec.errors import DataError, DivergenceError
from factorec.fm import Block, FMRanker, NegativeSampling, StopTraining, TrainingSet


def csr_of(dense):
    matrix = sp.csr_array(dense.astype(np.float32))
    return matrix.indptr, matrix.indices, matrix.data, matrix.shape[1]


class Problem:
    """Random pairs of queries and items; `shared`: the features beside the ids of each side."""

    def __init__(self, n_queries, n_items, k, shared=(0, 0), *, density=0.3, seed=0, exposed=False):
        rng = np.random.default_rng(seed)
        sides = []
        for n, n_shared in zip((n_queries, n_items), shared, strict=True):
            extra = (rng.random((n, n_shared)) < 0.5) * rng.normal(size=(n, n_shared))
            sides.append(np.hstack([np.eye(n), extra]))
        widths = [side.shape[1] for side in sides]
        self.queries = np.hstack([sides[0], np.zeros((n_queries, widths[1]))])
        self.items = np.hstack([np.zeros((n_items, widths[0])), sides[1]])
        chosen = rng.random((n_queries, n_items)) < density
        self.observed = (chosen * rng.choice([0.25, 0.5, 1.0], chosen.shape)).astype(np.float32)
        self.penalty = rng.uniform(0.2, 2.0, sum(widths)).astype(np.float32)
        self.factors = (0.3 * rng.normal(size=(sum(widths), k))).astype(np.float32)
        self.exposure = (
            (rng.choice([0.0, 0.5, 1.0], n_queries), rng.choice([0.0, 1.0], n_items)) if exposed else (None, None)
        )

    def sweeps(self, n, *, block_size=128, n_threads=1, unobserved_weight=0.3):
        """(objective, factors) after each sweep of the core."""
        options = {
            "unobserved_weight": unobserved_weight,
            "block_size": block_size,
            "n_steps": 500,
            "tolerance": 1e-6,
            "n_threads": n_threads,
        }
        exposure = [None if values is None else values.astype(np.float32) for values in self.exposure]
        solver = _core.ImplicitAls(
            csr_of(self.queries),
            csr_of(self.items),
            csr_of(self.observed),
            self.penalty,
            self.factors,
            options,
            *exposure,
        )
        for _ in range(n):
            value, factors = solver.sweep(), np.empty_like(self.factors)
            solver.copy_to(factors)
            yield value, factors

    def scores(self, factors):
        return (self.queries @ factors) @ (self.items @ factors).T

    def check(self, *, block_size=128, unobserved_weight=0.3, n=3):
        """Axes are the core's own, so scores are compared."""
        arrays = self.queries, self.items, self.observed.astype(float), self.penalty.astype(float)
        expected = self.factors.astype(float)
        for value, factors in self.sweeps(n, block_size=block_size, unobserved_weight=unobserved_weight):
            expected = sweep(*arrays, expected, unobserved_weight, *self.exposure, block_size=block_size)
            np.testing.assert_allclose(self.scores(factors), self.scores(expected), rtol=0, atol=2e-4)
            of = objective(*arrays, factors.astype(float), unobserved_weight, *self.exposure)
            np.testing.assert_allclose(value, of, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("shared", [(0, 0), (4, 3), (0, 5)])
@pytest.mark.parametrize(("shape", "block_size"), [((20, 30, 5), 128), ((40, 12, 24), 128), ((30, 40, 40), 16)])
def test_sweeps_are_those_of_the_normal_equations(shape, block_size, shared):
    Problem(*shape, shared).check(block_size=block_size)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(1, 36),
    st.tuples(st.integers(0, 3), st.integers(0, 3)),
    st.floats(0.02, 0.9),
    st.sampled_from([16, 32, 128]),
    st.booleans(),
    st.integers(0, 99),
)
def test_any_sides_and_exposures(n_queries, n_items, k, shared, density, block_size, exposed, seed):
    problem = Problem(n_queries, n_items, k, shared, density=density, seed=seed, exposed=exposed)
    problem.check(block_size=block_size, n=2)


def test_without_an_unobserved_weight_only_the_pairs_count():
    Problem(20, 30, 5).check(unobserved_weight=0.0)


@pytest.mark.parametrize("shared", [(0, 0), (3, 3)])
def test_the_bits_do_not_depend_on_the_number_of_threads(shared):
    problem = Problem(700, 300, 20, shared, density=0.05)
    one = list(problem.sweeps(2))
    for n_threads in (2, 3):
        for (value, factors), (other_value, other) in zip(one, problem.sweeps(2, n_threads=n_threads), strict=True):
            assert value == other_value
            assert (factors == other).all()


@pytest.fixture
def data():
    return make_data()


def make_data(n_users=60, n_items=40, *, weight=None, seed=0):
    rng = np.random.default_rng(seed)
    user, item = np.nonzero(rng.random((n_users, n_items)) < 0.25)
    grade = rng.choice([0.0, 0.3, 1.0], len(user))
    seen = sp.csr_array((np.ones(len(user)), (user, item)), (n_users, n_items))
    return TrainingSet.from_ids(
        user, item, grade, n_users=n_users, n_items=n_items, weight=weight, negatives=NegativeSampling(1, seen)
    )


def with_context(data, n_contexts=3):
    """The same rows with a context each, and two features of items."""
    user, item = data.blocks
    n, n_users = data.n_features, user.rows.shape[0]
    context = np.arange(data.n_rows) % n_contexts

    def rows(columns):
        flat = np.concatenate(columns)
        indptr = np.concatenate([[0], np.cumsum([len(row) for row in columns])])
        return sp.csr_array((np.ones(len(flat), np.float32), flat, indptr), (len(columns), n + n_contexts + 2))

    items = [np.array([n_users + n_contexts + i, n + n_contexts + i % 2]) for i in range(item.rows.shape[0])]
    blocks = [
        Block("user", user.index, rows([np.array([u]) for u in range(n_users)]), {"user": (0, n_users)}),
        Block(
            "hour",
            context,
            rows([np.array([n_users + c]) for c in range(n_contexts)]),
            {"hour": (n_users, n_users + n_contexts)},
        ),
        Block(
            "item",
            item.index,
            rows(items),
            {"item": (n_users + n_contexts, n + n_contexts), "kind": (n + n_contexts, n + n_contexts + 2)},
        ),
    ]
    return TrainingSet(data.target, blocks, data.weight, data.negatives)


def ranker(**settings):
    return FMRanker(**{"n_factors": 6, "solver": "ials", "n_epochs": 5, "random_state": 0, **settings})


def charged(fm, data, exposure):
    """The objective of a fitted ranker, by its own penalties."""
    users, items = data.blocks[0], data.blocks[-1]
    weight = data.target * (1 if data.weight is None else data.weight)
    observed = np.zeros((users.rows.shape[0], items.rows.shape[0]))
    np.add.at(observed, (users.index, items.index), weight)
    arrays = users.rows.toarray(), items.rows.toarray(), observed, fm.penalties_.factors
    return objective(*arrays, fm.factors_.astype(float), fm.unobserved_weight_, *exposure)


def test_history_holds_the_objective_of_the_fitted_parameters(data):
    fm = ranker(unobserved_weight=0.2).fit(data)
    exposure = [np.bincount(block.index, minlength=block.rows.shape[0]) > 0 for block in data.blocks]
    found = fm.history_["train"]["objective"]
    assert len(found) == 5
    assert (np.diff(found) < 0).all()
    np.testing.assert_allclose(found[-1], charged(fm, data, exposure), rtol=1e-5)
    assert fm.parameters_.interactions == "bipartite"
    assert not fm.linear_.any()
    assert fm.bias_ == 0


def test_l2_is_charged_for_every_pair_observed_or_not(data):
    fm = ranker(unobserved_weight=0.2, l2_factors={"user": 0.5, "item": 0.25}).fit(data)
    for name, axis, l2 in (("user", 0, 0.5), ("item", 1, 0.25)):
        of = np.bincount(data.blocks[axis].index, data.target) + 0.2 * data.blocks[1 - axis].rows.shape[0]
        start, stop = data.field_ranges[name]
        np.testing.assert_allclose(fm.penalties_.factors[start:stop], l2 * of, rtol=1e-6)
        assert fm.penalties_.per_row[name][1] == l2


def test_all_pairs_weigh_a_multiple_of_the_observed_ones(data):
    fm = ranker().fit(data)
    present = [len(np.unique(block.index)) for block in data.blocks]
    assert fm.unobserved_weight_ == pytest.approx(12 * data.target.sum() / np.prod(present), rel=1e-6)
    # So nothing depends on the scale of the weights.
    scaled = ranker().fit(TrainingSet(data.target * 16, data.blocks, None, data.negatives))
    assert (scaled.factors_ == fm.factors_).all()


def test_users_are_at_the_minimum_of_their_rows_and_the_background(data):
    fm = ranker(unobserved_weight=0.2, n_epochs=200).fit(data)
    items = fm.factors_[60:].astype(float)
    for user in range(0, 60, 7):
        rows = data.blocks[0].index == user
        o, w = items[data.blocks[1].index[rows]], data.target[rows]
        hessian = (w[:, None] * o).T @ o + 0.2 * items.T @ items + fm.penalties_.factors[user] * np.eye(6)
        np.testing.assert_allclose(fm.factors_[user], np.linalg.solve(hessian, o.T @ w), atol=1e-3)


def test_weights_multiply_grades_and_repeated_rows_add_up(data):
    twice = data.take(np.repeat(np.arange(data.n_rows), 2))
    weighted = TrainingSet(data.target, data.blocks, np.full(data.n_rows, 2.0), data.negatives)
    regraded = TrainingSet(2 * data.target, data.blocks, None, data.negatives)
    one, two, three = (ranker().fit(rows) for rows in (twice, weighted, regraded))
    assert (one.factors_ == two.factors_).all()
    assert (one.factors_ == three.factors_).all()
    assert (ranker().fit(data).factors_ != one.factors_).any()


def test_rows_of_grade_zero_only_show_that_users_and_items_are_there(data):
    regraded = data.target * (data.blocks[0].index != 3)
    fm = ranker().fit(TrainingSet(regraded, data.blocks, None, data.negatives))
    assert not fm.factors_[3].any()
    assert fm.penalties_.factors[3] > 0


def test_contexts_are_part_of_the_query(data):
    rows = with_context(data)
    fm = ranker(unobserved_weight=0.2, n_epochs=3, l2_factors=0.01).fit(rows)
    assert fm.factors_[60:63].any(axis=1).all()
    assert fm.factors_[-2:].any(axis=1).all()
    # A user's hours share an exposure of 1, by rows.
    n_items = 40
    expected = np.bincount(data.blocks[0].index, data.target) + 0.2 * n_items
    np.testing.assert_allclose(fm.penalties_.factors[:60], 0.01 * expected, rtol=1e-5)
    assert fm.penalties_.factors[60:63].sum() == pytest.approx(fm.penalties_.factors[:60].sum(), rel=1e-5)
    flat = fm.parameters_.decision_function(rows.to_csr())
    np.testing.assert_allclose(fm.decision_function(rows), flat, atol=1e-6)


def test_warm_start_goes_on_with_the_same_bits(data):
    whole = ranker(n_epochs=6).fit(data)
    fm = ranker(n_epochs=2, warm_start=True).fit(data)
    fm.set_params(n_epochs=4).fit(data)
    assert (fm.factors_ == whole.factors_).all()
    assert fm.solver_state_.n_epochs == 6
    np.testing.assert_array_equal(fm.history_["train"]["objective"], whole.history_["train"]["objective"][2:])


def test_early_stopping_keeps_the_best_sweep(data):
    held = np.arange(data.n_rows) % 5 == 0
    validation = data.take(held & (data.target > 0))
    fm = ranker(n_epochs=40, early_stopping=True, n_iter_no_change=2).fit(data.take(~held), X_val=validation)
    ndcg = fm.history_["validation"]["ndcg_at_10"]
    assert len(ndcg) < 40
    assert fm.solver_state_.n_epochs == ndcg.argmax() + 1
    best = ranker(n_epochs=int(ndcg.argmax()) + 1).fit(data.take(~held))
    assert (best.factors_ == fm.factors_).all()


def test_training_can_be_stopped_between_sweeps(data):
    def on_epoch(epoch, metrics):
        assert set(metrics) == {"train"}
        if epoch == 2:
            raise StopTraining

    fm = ranker(n_epochs=50).fit(data, on_epoch=on_epoch)
    assert len(fm.history_["train"]["objective"]) == 3


def test_many_factors_are_solved_for_in_blocks(data):
    fm = ranker(n_factors=150, n_epochs=30).fit(data)
    exact = ranker(n_factors=128, n_epochs=30).fit(data)
    assert fm.history_["train"]["objective"][-1] <= exact.history_["train"]["objective"][-1] * 1.001


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"loss": "bpr"}, "loss of its own"),
        ({"learning_rate": 0.1}, "no learning_rate"),
        ({"l2_linear": 0.1}, "no l2_linear"),
        ({"n_negatives": 5}, "no n_negatives"),
        ({"batch_size": 5}, "no batch_size"),
        ({"negative_sampling": "popularity"}, "draws no negatives"),
        ({"unobserved_weight": -1}, "unobserved_weight"),
        ({"unobserved_weight": np.nan}, "unobserved_weight"),
        ({"l2_factors": 0}, "l2_factors above 0"),
        ({"l2_factors": {"film": 1}}, "no field 'film'"),
        ({"solver": "adagrad", "unobserved_weight": 0.1}, "of solver 'ials'"),
    ],
)
def test_settings_that_mean_nothing_are_refused(data, settings, message):
    with pytest.raises(DataError, match=message):
        ranker(**settings).fit(data)


def test_weights_beyond_float32_are_an_error_that_leaves_the_estimator(data):
    fm = ranker().fit(data)
    before = fm.factors_
    heavy = TrainingSet(data.target, data.blocks, np.full(data.n_rows, 1e38, np.float32), data.negatives)
    with pytest.raises(DivergenceError, match="l2_factors"):
        fm.fit(heavy)
    assert fm.factors_ is before


def test_partial_fit_is_refused(data):
    fm = ranker().fit(data)
    assert not hasattr(ranker(), "partial_fit")
    with pytest.raises(DataError, match="no partial_fit"):
        fm.partial_fit(data)


@pytest.mark.parametrize(("first", "then"), [("ials", "adagrad"), ("adagrad", "ials")])
def test_one_solver_does_not_go_on_from_the_other(data, first, then):
    fm = FMRanker(n_factors=4, n_epochs=2, solver=first, warm_start=True, random_state=0).fit(data)
    with pytest.raises(DataError, match="cannot go on: the fitted model has interactions="):
        fm.set_params(solver=then).fit(data)


def test_an_interrupt_leaves_the_estimator(data):
    fm = ranker().fit(data)
    before = fm.factors_
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        fm.set_params(n_epochs=10_000_000).fit(data)
    timer.join()
    assert fm.factors_ is before
