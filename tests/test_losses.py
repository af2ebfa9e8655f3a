"""Promise: losses are convex, and their slopes are theirs to the last digits, far out in the tails, too."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from factorec._losses import OrderedLevels, is_known_loss, loss_functions, wrong_target
from factorec.errors import DataError

CUTS = (-2.0, -0.5, 0.3, 1.5)
LEVELS = (1.0, 2.0, 3.0, 4.5, 5.0)
ORDERED = [
    OrderedLevels(CUTS, link="logit"),
    OrderedLevels(CUTS, link="logit", cut_weights=(0.5, 0.5, 0.0, 1.0), levels=LEVELS),
    OrderedLevels(CUTS, link="probit"),
    OrderedLevels((0.0,), link="probit"),
    OrderedLevels((-1.0, -1.0 + 1e-6, 1.0), link="probit"),
    OrderedLevels((-1.0, -1.0 + 2e-4, 1.0, 1.01), link="probit", levels=LEVELS),
]
LOSSES = pytest.mark.parametrize("loss", ["squared", "logistic", "probit", *ORDERED], ids=repr)


def targets_of(loss):
    if loss == "squared":
        return np.array([0.0, 3.5])
    values = np.array(loss.level_values if isinstance(loss, OrderedLevels) else (0.0, 1.0))
    return np.sort(np.concatenate([values, (values[1:] + values[:-1]) / 2]))


def grid_of(loss):
    target, score = np.meshgrid(targets_of(loss), np.linspace(-9, 9, 73))
    return target.ravel(), score.ravel()


@LOSSES
def test_slope_and_curvature_are_finite_differences(loss):
    functions = loss_functions(loss)
    target, score = grid_of(loss)
    r, S = functions.slopes(target, score)
    h = 1e-4
    values = [functions.values(target, score + step) for step in (-h, h)]
    np.testing.assert_allclose(r, (values[0] - values[1]) / (2 * h), rtol=2e-6, atol=1e-6)
    slopes = [functions.slopes(target, score + step)[0] for step in (-h, h)]
    np.testing.assert_allclose(S, (slopes[0] - slopes[1]) / (2 * h), rtol=1e-5, atol=1e-7)


@LOSSES
def test_slope_by_target_is_a_finite_difference(loss):
    """Between two levels it is the derivative; at a level the central difference, at either end the one-sided one."""
    functions = loss_functions(loss)
    target, score = grid_of(loss)
    low, high = (-np.inf, np.inf) if loss == "squared" else (target.min(), target.max())
    up, down = np.minimum(target + 1e-3, high), np.maximum(target - 1e-3, low)
    numeric = (functions.slopes(up, score)[0] - functions.slopes(down, score)[0]) / (up - down)
    np.testing.assert_allclose(functions.target_slopes(target, score), numeric, rtol=1e-6, atol=1e-8)


@LOSSES
def test_is_convex_out_to_where_the_curvature_underflows(loss):
    functions = loss_functions(loss)
    for target in targets_of(loss):
        score = np.concatenate([-np.geomspace(1e4, 1e-3, 400), [0.0], np.geomspace(1e-3, 1e4, 400)])
        losses = functions.values(np.full_like(score, target), score)
        r, S = functions.slopes(np.full_like(score, target), score)
        assert np.isfinite(losses).all()
        assert np.isfinite(r).all()
        assert (S >= -1e-7).all()
        assert (losses >= -1e-12).all()
        assert (np.diff(r) <= 1e-9 * np.maximum(1, np.abs(r[1:]))).all()  # r falls: the loss is convex


@pytest.mark.parametrize("loss", ["probit", *(loss for loss in ORDERED if loss.link == "probit")], ids=repr)
def test_probit_is_the_normal_distribution(loss):
    """Against quadrature of the density, which knows nothing of erf."""
    cuts = (0.0,) if loss == "probit" else loss.cuts
    values = (0.0, 1.0) if loss == "probit" else loss.level_values
    bounds = [-np.inf, *cuts, np.inf]
    for value, (low, high) in zip(values, pairwise(bounds), strict=True):
        for score in (-3.0, -0.7, 0.0, 1.1, 4.0):
            mass, _ = integrate.quad(lambda z, s=score: stats.norm.pdf(z - s), low, high, epsabs=0, epsrel=1e-11)
            found = loss_functions(loss).values(np.array([value]), np.array([score]))
            np.testing.assert_allclose(found, -np.log(mass), rtol=1e-9, atol=1e-9)


def test_far_tails_follow_the_asymptotic_series():
    """-log Phi(-x) and its slopes for large x, by the first terms of Mills' ratio."""
    x = np.array([50.0, 1e3, 1e6])
    one, functions = np.ones(3), loss_functions("probit")
    expected = x**2 / 2 + np.log(x) + 0.5 * np.log(2 * np.pi) + 1 / x**2
    np.testing.assert_allclose(functions.values(one, -x), expected, rtol=1e-9)
    r, S = functions.slopes(one, -x)
    np.testing.assert_allclose(r, x + 1 / x - 2 / x**3 + 10 / x**5, rtol=1e-11)
    np.testing.assert_allclose(S[:2], 1 - 1 / x[:2] ** 2, rtol=1e-5)
    np.testing.assert_array_equal(functions.values(one, x), 0)


@given(
    st.lists(st.floats(-5, 5), min_size=1, max_size=6, unique=True), st.floats(-30, 30), st.sampled_from(["probit", ""])
)
def test_property_levels_share_all_probability(cuts, score, link):
    cuts = sorted(cuts)
    if link == "probit":
        loss = OrderedLevels(cuts, link="probit")
        level = np.arange(len(cuts) + 1.0)
        chance = np.exp(-loss_functions(loss).values(level, np.full(len(level), score)))
        np.testing.assert_allclose(chance.sum(), 1, rtol=1e-6)
    else:  # one log loss per cut
        loss = OrderedLevels(cuts)
        for level in range(len(cuts) + 1):
            expected = sum(np.logaddexp(0, -(score - cut) if t < level else score - cut) for t, cut in enumerate(cuts))
            found = loss_functions(loss).values(np.array([float(level)]), np.array([score]))
            np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_one_cut_is_the_binary_loss():
    target, score = grid_of("logistic")
    for link, name in (("logit", "logistic"), ("probit", "probit")):
        one, two = loss_functions(OrderedLevels([0.0], link=link)), loss_functions(name)
        np.testing.assert_allclose(one.values(target, score), two.values(target, score), rtol=1e-12, atol=1e-14)
        for a, b in zip(one.slopes(target, score), two.slopes(target, score), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cuts": []}, "cuts must be a list of finite"),
        ({"cuts": [0, np.nan]}, "cuts must be a list of finite"),
        ({"cuts": [0, 0]}, "cuts must rise"),
        ({"cuts": [0], "link": "cloglog"}, "link must be"),
        ({"cuts": [0], "levels": [1, 2, 3]}, "1 cuts tell 2 levels apart, got 3"),
        ({"cuts": [0], "levels": [2, 1]}, "levels must rise"),
        ({"cuts": [0], "cut_weights": [1, 1]}, "one per cut"),
        ({"cuts": [0, 1], "cut_weights": [0, 0]}, "not all 0"),
        ({"cuts": [0], "cut_weights": [-1]}, ">= 0"),
        ({"cuts": [0], "cut_weights": [1], "link": "probit"}, "for link='logit'"),
    ],
)
def test_levels_that_are_none(arguments, message):
    with pytest.raises(DataError, match=message):
        OrderedLevels(**arguments)


def test_wrong_targets_are_found():
    assert wrong_target("squared", np.array([1e9])) is None
    assert wrong_target("probit", np.array([0.0, 0.5, 1.0])) is None
    assert wrong_target("logistic", np.array([0, 2.0])) == (1, "with loss='logistic' targets are 1 or 0")
    assert wrong_target(ORDERED[1], np.array([1, 5, 0.5]))[0] == 2
    assert wrong_target(ORDERED[0], np.array([np.nan]))[0] == 0
    assert is_known_loss(ORDERED[0])
    assert not is_known_loss("hinge")
    assert not is_known_loss(None)
