"""The Gibbs sampler in the core against one written as plain loops, on the same random numbers."""

from __future__ import annotations

import signal
from dataclasses import replace

import numpy as np
import pytest
from gibbs_problems import OPTIONS, Problem, make_problem, parameters, with_levels

from factorec import _core

KINDS = ["ids", "fields", "flat"]


def assert_same_chain(problem: Problem, n_sweeps: int, tolerance: float, **options: object) -> None:
    sampler, reference = problem.sampler(**options), problem.reference(**options)
    for number in range(n_sweeps):
        assert sampler.sweep(number) == pytest.approx(reference.sweep(number), abs=tolerance)
        bias, linear, factors = parameters(sampler, problem)
        np.testing.assert_allclose(linear, reference.linear, atol=tolerance)
        np.testing.assert_allclose(factors, reference.factors, atol=tolerance)
        assert bias == pytest.approx(reference.bias, abs=tolerance)
        assert sampler.noise_precision == pytest.approx(reference.noise_precision, rel=tolerance)
        np.testing.assert_allclose(sampler.cuts, reference.cuts if reference.n_levels else [], atol=tolerance)


@pytest.mark.parametrize("bipartite", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_without_draws_each_step_is_the_conditional_mean(kind, bipartite):
    problem = make_problem(kind)
    rng = np.random.default_rng(0)
    penalties = rng.uniform(0.5, 2, (2, problem.n_features)).astype(np.float32)
    options = {"precision_linear": penalties[0], "precision_factors": penalties[1]}
    assert_same_chain(problem, 4, 2e-4, draw=False, bipartite=bipartite, **options)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("row_noise", [False, True])
@pytest.mark.parametrize("bipartite", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_draws_are_those_of_the_reference(kind, bipartite, row_noise, weighted):
    problem = make_problem(kind)
    if weighted:
        problem.weight = np.random.default_rng(1).uniform(0.2, 3, len(problem.target)).astype(np.float32)
    assert_same_chain(problem, 5, 2e-3, bipartite=bipartite, row_noise=row_noise)


@pytest.mark.parametrize("weights", [None, "whole", "fractions"])
@pytest.mark.parametrize("row_noise", [False, True])
@pytest.mark.parametrize("n_levels", [2, 3, 5])
@pytest.mark.parametrize("kind", KINDS)
def test_draws_of_levels_are_those_of_the_reference(kind, n_levels, row_noise, weights):
    problem = with_levels(make_problem(kind), n_levels)
    rng = np.random.default_rng(1)
    if weights == "whole":
        problem.weight = rng.integers(1, 4, len(problem.target)).astype(np.float32)
    elif weights == "fractions":
        problem.weight = rng.uniform(0.2, 3, len(problem.target)).astype(np.float32)
    assert_same_chain(problem, 4, 5e-3, n_levels=n_levels, row_noise=row_noise)


@pytest.mark.parametrize("kind", KINDS)
def test_priors_and_row_noise_can_be_read(kind):
    problem = make_problem(kind)
    sampler, reference = problem.sampler(row_noise=True), problem.reference(row_noise=True)
    for number in range(3):
        sampler.sweep(number)
        reference.sweep(number)
    mean, precision = sampler.priors()
    assert mean.shape == precision.shape == (len(problem.ranges), problem.n_factors + 1)
    np.testing.assert_allclose(mean, [reference.prior_mean[columns] for columns in problem.ranges], atol=2e-3)
    np.testing.assert_allclose(precision, [reference.prior_precision[columns] for columns in problem.ranges], rtol=5e-3)
    log_noise = np.full(problem.n_features, np.nan, np.float32)
    sampler.copy_noise_to(log_noise)
    noise = np.exp(sum(rows @ log_noise for rows in problem.full_rows()))
    np.testing.assert_allclose(noise, reference.row_noise_factors(), rtol=5e-3)
    assert (log_noise != 0).any()


def objective_and_gradient(reference, penalties):
    """DESIGN's objective with the penalties of features, and its derivatives in [factors, weight] of each."""
    residual = reference.score() - reference.target
    value = 0.5 * (reference.weight @ residual**2)
    value += 0.5 * (penalties[0] @ reference.linear**2 + penalties[1] @ (reference.factors**2).sum(1))
    gradient = np.column_stack([penalties[1][:, None] * reference.factors, penalties[0] * reference.linear])
    for b, of_block in enumerate(reference.fields):
        for columns in of_block:
            for f in range(*columns):
                gradient[f] += reference.slopes(b, f).T @ (reference.weight * residual)
    return value, gradient, reference.weight @ residual


@pytest.mark.parametrize("bipartite", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_als_descends_the_objective_to_a_point_without_slope(kind, bipartite):
    problem = make_problem(kind, n_rows=150)
    rng = np.random.default_rng(0)
    problem.weight = rng.uniform(0.5, 2, len(problem.target)).astype(np.float32)
    penalties = rng.uniform(2, 5, (2, problem.n_features)).astype(np.float32)
    options = {"precision_linear": penalties[0], "precision_factors": penalties[1], "bipartite": bipartite}
    sampler, reference = problem.sampler(draw=False, **options), problem.reference(draw=False, **options)
    reference.bias = 0.25
    value, slope_at_start, _ = objective_and_gradient(reference, penalties)
    values = [value]
    for number in range(60):
        sampler.sweep(number)
        reference.bias, reference.linear, reference.factors = parameters(sampler, problem)
        values.append(objective_and_gradient(reference, penalties)[0])
    for number in range(60, 3000):
        sampler.sweep(number)
    reference.bias, reference.linear, reference.factors = parameters(sampler, problem)
    values.append(objective_and_gradient(reference, penalties)[0])
    assert np.all(np.diff(values) < 1e-5 * values[0])
    assert values[-1] < 0.9 * values[0]
    _, gradient, of_bias = objective_and_gradient(reference, penalties)
    # Residuals are float32: what is left of the slopes is their rounding, summed over rows.
    assert max(np.abs(gradient).max(), abs(of_bias)) < 5e-5 * np.abs(slope_at_start).max()


def test_features_without_rows_are_zero_without_draws():
    problem = make_problem("ids")
    nothing = {"precision_linear": np.full(problem.n_features, 2, np.float32)}
    penalties = np.full(problem.n_features, 2, np.float32)
    penalties[[6, 14, 15]] = 0  # as an objective charges what no row has
    sampler = problem.sampler(draw=False, precision_factors=penalties, **nothing)
    sampler.sweep(0)
    _, linear, factors = parameters(sampler, problem)
    assert not linear[[6, 14, 15]].any()
    assert not factors[[6, 14, 15]].any()


@pytest.mark.parametrize("row_noise", [False, True])
def test_a_row_of_weight_two_is_the_row_twice(row_noise):
    once = make_problem("fields", n_rows=40)
    twice = replace(once, target=np.tile(once.target, 2), index=[np.tile(index, 2) for index in once.index])
    once.weight = np.full(len(once.target), 2, np.float32)
    samplers = [problem.sampler(row_noise=row_noise) for problem in (once, twice)]
    for number in range(3):
        assert samplers[0].sweep(number) == pytest.approx(samplers[1].sweep(number), abs=1e-4)


def spoilt(**changes):
    """A problem in which one of the arguments is another."""
    problem = make_problem("fields")
    arguments = {
        "blocks": problem.blocks(),
        "target": problem.target,
        "weight": None,
        "fields": problem.ranges,
        "options": OPTIONS,
        "bias": 0.0,
        "linear": problem.linear,
        "factors": problem.factors,
    }
    return _core.GibbsSampler(*(arguments | changes).values())


def spoilt_block(**changes):
    problem = make_problem("fields")
    blocks = problem.blocks()
    index, (indptr, indices, values, width) = blocks[0]
    parts = {"index": index, "indptr": indptr, "indices": indices, "values": values, "width": width} | changes
    blocks[0] = (parts["index"], (parts["indptr"], parts["indices"], parts["values"], parts["width"]))
    return spoilt(blocks=blocks)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"index": np.full(60, 7)}, r"index\[0\] is 7, outside 0..6"),
        ({"index": np.full(60, -1)}, r"index\[0\] is -1"),
        ({"index": np.zeros(59, int)}, "59 entries, expected 60"),
        ({"index": np.zeros(60)}, "dtype float64"),
        ({"indptr": np.array([0, 900, 900, 900, 900, 900, 900, 900])}, r"indptr\[1\] is 900"),
        ({"indptr": np.array([0, 2, 1, 2, 3, 4, 5, 6])}, "indptr falls"),
        ({"indptr": np.zeros(0, int)}, "indptr is empty"),
        ({"width": 3}, "has 3 columns, expected 32"),
        ({"indices": np.full(24, 32)}, "column 32, outside"),
        ({"indices": np.full(24, -1)}, "column -1, outside"),
        ({"indices": np.full(24, 3)}, "is twice in row"),
        ({"values": np.full(24, np.nan, np.float32)}, "NaN"),
        ({"values": np.ones(23, np.float32)}, "entries, indices has"),
    ],
)
def test_bad_blocks_are_refused(changes, message):
    _, indices, _, _ = make_problem("fields").blocks()[0][1]
    if "indices" in changes:
        changes["indices"] = np.resize(changes["indices"], len(indices))
    if "values" in changes:
        changes["values"] = np.resize(changes["values"], len(indices) - (len(changes["values"]) == 23))
    with pytest.raises(ValueError, match=message):
        spoilt_block(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"blocks": []}, "at least one block"),
        ({"target": np.zeros(59, np.float32)}, "59 rows|60 entries, expected 59"),
        ({"target": np.zeros(60)}, "dtype float64"),
        ({"target": np.zeros((60, 1), np.float32)}, "2 dimensions"),
        ({"target": np.full(60, np.inf, np.float32)}, r"target\[0\] is infinite"),
        ({"weight": np.zeros(60, np.float32)}, r"weight\[0\] is not positive"),
        ({"weight": np.ones(3, np.float32)}, "weight has 3 entries, expected 60"),
        ({"fields": [(0, 5)]}, "column 5 of block 0 is in no field"),
        ({"fields": [(0, 32)]}, "columns of block 0 and of block 1"),
        ({"fields": [(5, 2)]}, "one after the other"),
        ({"linear": np.zeros(31, np.float32)}, "has 32 columns, expected 31"),
        ({"factors": np.zeros((31, 3), np.float32)}, r"factors \(32, at least 1\)"),
        ({"factors": np.zeros((32, 0), np.float32)}, r"factors \(32, at least 1\)"),
        ({"bias": float("nan")}, "bias is not finite"),
        ({"options": OPTIONS | {"n_levels": 1}}, "n_levels"),
        ({"options": OPTIONS | {"n_levels": 2}}, "is no level from 0 to 1"),
        ({"options": OPTIONS | {"n_threads": 0}}, "n_threads"),
        ({"options": OPTIONS | {"precision_linear": np.ones(3, np.float32)}}, "3 entries, expected 1 or 32"),
        ({"options": OPTIONS | {"precision_factors": float("nan")}}, r"precision_factors\[0\]"),
    ],
)
def test_bad_arguments_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        spoilt(**changes)


def test_what_is_copied_to_must_fit():
    problem = make_problem("fields")
    sampler = problem.sampler()
    with pytest.raises(ValueError, match="a row for each feature"):
        sampler.copy_to(problem.linear[:-1].copy(), problem.factors)
    with pytest.raises(ValueError, match="a row for each feature"):
        sampler.copy_to(problem.linear, problem.factors[:, :2].copy())
    with pytest.raises(ValueError, match="an entry for each feature"):
        sampler.copy_noise_to(np.zeros(3, np.float32))


def test_without_penalties_nothing_is_undetermined():
    problem = make_problem("ids", n_factors=8)
    sampler = problem.sampler(draw=False, precision_factors=0.0, precision_linear=0.0)
    errors = [sampler.sweep(number) for number in range(200)]
    assert np.isfinite(errors).all()
    assert errors[-1] <= errors[0]
    assert np.isfinite(parameters(sampler, problem)[2]).all()


@pytest.mark.parametrize("kind", KINDS)
def test_levels_that_no_row_has_leave_the_cuts_in_order(kind):
    problem = with_levels(make_problem(kind), 3)
    problem.target = problem.target * 2 + 1  # 1, 3, 5 of 0 .. 6
    sampler = problem.sampler(n_levels=7)
    for number in range(200):
        assert np.isfinite(sampler.sweep(number))
        assert np.all(np.diff(sampler.cuts) > 0)
        assert np.isfinite(sampler.cuts).all()


def test_residuals_do_not_drift():
    problem = make_problem("fields")
    sampler = problem.sampler(row_noise=True)
    for number in range(2000):
        error = sampler.sweep(number)
    reference = problem.reference()
    reference.bias, reference.linear, reference.factors = parameters(sampler, problem)
    assert error == pytest.approx(np.sqrt(np.mean((reference.target - reference.score()) ** 2)), abs=1e-4)


class StopTraining(Exception):
    pass


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_a_signal_stops_a_sweep(kind, n_threads):
    """Each sweep takes longer than signals are waited for; the last one is left in its middle."""

    def on_alarm(*_):
        raise StopTraining

    problem = make_problem(kind, n_rows=40_000 if kind == "flat" else 400_000, n_factors=31)
    sampler = problem.sampler(n_threads=n_threads)
    before = signal.signal(signal.SIGALRM, on_alarm)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        with pytest.raises(StopTraining):
            [sampler.sweep(number) for number in range(1000)]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert np.isfinite(parameters(sampler, problem)[1]).all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_bits_at_any_number_of_threads(kind):
    problem = make_problem(kind, n_rows=3000)
    chains = []
    for n_threads in (1, 2, 3):
        sampler = problem.sampler(n_threads=n_threads, row_noise=True)
        for number in range(5):
            sampler.sweep(number)
        chains.append(parameters(sampler, problem))
    for bias, linear, factors in chains[1:]:
        assert bias == chains[0][0]
        np.testing.assert_array_equal(linear, chains[0][1])
        np.testing.assert_array_equal(factors, chains[0][2])
