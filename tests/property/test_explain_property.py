"""Whatever the model and the ratings: impacts sum, influence is a derivative, order does not matter."""

from __future__ import annotations

from types import SimpleNamespace

import hypothesis.extra.numpy as hnp
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from factorec.explain import OrderedLevels, explain_item, influence, resolved_scores

STARS = [OrderedLevels([-2, -0.5, 0.3, 1.5], link, levels=[1, 2, 3, 4, 5]) for link in ("logit", "probit")]


@st.composite
def users(draw):
    """A model, the rows of a user (column 0), targets, weights and options."""
    n, k, m = draw(st.integers(1, 12)), draw(st.integers(1, 9)), draw(st.integers(2, 6))
    n_features = 1 + n + m + 3
    values = st.floats(-2, 2, width=32)
    p = SimpleNamespace(
        bias=draw(values),
        linear=draw(hnp.arrays(np.float32, n_features, elements=values)),
        factors=draw(hnp.arrays(np.float32, (n_features, k), elements=values)),
        penalties=SimpleNamespace(
            factors=draw(hnp.arrays(np.float32, n_features, elements=st.floats(2**-6, 16, width=32)))
        ),
    )
    rows = np.zeros((n + m, n_features), dtype=np.float32)
    rows[:, 0] = draw(st.sampled_from([1.0, 1.0, 0.5, -2.0]))
    rows[np.arange(n + m), 1 + np.arange(n + m)] = 1
    rows[:, -3:] = draw(hnp.arrays(np.float32, (n + m, 3), elements=st.sampled_from([0, 0, 1, -0.5])))
    loss = draw(st.sampled_from(["squared", "logistic", "probit", *STARS]))
    likes = loss in ("logistic", "probit")
    targets = st.sampled_from([0.0, 1.0]) if likes else st.sampled_from([1.0, 2.0, 3.0, 4.0, 5.0])
    options = {
        "sample_weight": draw(hnp.arrays(np.float64, n, elements=st.sampled_from([0.25, 1.0, 1.0, 3.0]))),
        "loss": loss,
        "prior_mean": draw(st.none() | hnp.arrays(np.float64, k, elements=st.floats(-1, 1))),
        "feature": 0,
    }
    y = draw(hnp.arrays(np.float64, n, elements=targets))
    return p, sparse.csr_matrix(rows[:n]), y, sparse.csr_matrix(rows[n:]), options


def scale(*values):
    return max(1.0, *(float(np.abs(value).max()) for value in values))


@settings(max_examples=100, deadline=None)
@given(users(), st.booleans())
def test_parts_sum_to_the_resolved_score(user, background):
    p, X, y, wanted, options = user
    if background:
        options |= {"X_background": wanted, "background_weight": 0.3}
    why = explain_item(p, X, y, wanted[0], rated_ids=np.arange(len(y)), item_id=-1, **options)
    total = why.rest + why.impact.sum() + (why.background or 0) + (why.prior or 0)
    size = scale(why.impact, why.rest, why.prior or 0, why.background or 0)
    np.testing.assert_allclose(total, why.resolved_score, atol=1e-9 * size * scale(y) ** 2)
    again = resolved_scores(p, X, y, wanted, **options)[0]
    np.testing.assert_allclose(again, why.resolved_score, atol=1e-9 * size)


@settings(max_examples=100, deadline=None)
@given(users(), st.data())
def test_influence_is_the_derivative_of_the_resolved_score(user, data):
    p, X, y, wanted, options = user
    k = data.draw(st.integers(0, len(y) - 1))
    step = 1.0 if options["loss"] == "squared" else 1e-5
    low, high = y.copy(), y.copy()
    if options["loss"] in STARS:  # the mean change to both sides, at either end to the one
        low[k], high[k] = np.clip([y[k] - step, y[k] + step], 1, 5)
    elif y[k] > 0.5:
        low[k] -= step
    else:
        high[k] += step
    J = influence(p, X, y, wanted, **options)[:, k]
    slope = resolved_scores(p, X, high, wanted, **options) - resolved_scores(p, X, low, wanted, **options)
    slope /= high[k] - low[k]
    tolerance = 1e-9 if options["loss"] == "squared" else 3e-3
    np.testing.assert_allclose(J, slope, atol=tolerance * scale(J), rtol=tolerance)


@settings(max_examples=100, deadline=None)
@given(users(), st.randoms(use_true_random=False))
def test_the_order_of_the_ratings_does_not_matter(user, random):
    p, X, y, wanted, options = user
    order = np.array(random.sample(range(len(y)), len(y)))
    shuffled = options | {"sample_weight": options["sample_weight"][order]}
    J = influence(p, X, y, wanted, **options)
    np.testing.assert_allclose(influence(p, X[order], y[order], wanted, **shuffled), J[:, order], atol=1e-8 * scale(J))


@settings(max_examples=100, deadline=None)
@given(users())
def test_ridge_shrinks_to_the_published_formula(user):
    """Squared loss, penalty to zero, no linear weights: `J = V V_R^+` where V_R has full column rank."""
    p, X, y, wanted, options = user
    p.linear = np.zeros_like(p.linear)
    options |= {"loss": "squared", "prior_mean": None}
    # The last column of A = [V, w] holds interactions among the item's own features: silent without them.
    X, wanted = X.tolil(), wanted.tolil()
    X[:, -3:] = wanted[:, -3:] = 0
    X, wanted = X.tocsr(), wanted.tocsr()
    singular = np.linalg.svd((X[:, 1:] @ p.factors[1:]).astype(np.float64), compute_uv=False)
    if len(y) < p.factors.shape[1] or singular[-1] < 0.1:
        return
    paper = influence(p, X, y, wanted, method="paper", **options)
    ridge = influence(p, X, y, wanted, l2=1e-9, **options)
    np.testing.assert_allclose(ridge, paper, atol=1e-4 * scale(paper))


@settings(max_examples=100, deadline=None)
@given(st.lists(users(), min_size=1, max_size=3))
def test_lists_give_what_each_gives(several):
    for p, X, y, wanted, options in several:
        one = influence(p, X, y, wanted, **options)
        listed = {name: [value, value] for name, value in options.items() if name not in ("loss", "prior_mean")}
        rest = {name: options[name] for name in ("loss", "prior_mean")}
        for J in influence(p, [X, X], [y, y], [wanted, wanted], **listed, **rest):
            np.testing.assert_allclose(J, one, atol=1e-11 * scale(one))
