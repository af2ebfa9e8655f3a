"""The two C++ metric functions against scikit-learn, and promises 3 and 6."""

import math
import signal
import warnings

import numpy as np
import pytest
from sklearn import metrics as sk

from factorec import _core


def expected_classification(scores, target, weight):
    p = 1 / (1 + np.exp(-scores.astype(np.float64)))
    positive = scores >= 0
    auc = sk.roc_auc_score(target, scores, sample_weight=weight) if 0 < target.mean() < 1 else math.nan
    return (
        sk.log_loss(target, p, sample_weight=weight, labels=[0, 1]),
        sk.accuracy_score(target, positive, sample_weight=weight),
        sk.f1_score(target, positive, sample_weight=weight, zero_division=0),
        auc,
    )


def make(n, *, seed=0, ties=False, weighted=False, spread=2.0):
    rng = np.random.default_rng(seed)
    scores = rng.normal(0.3, spread, n).astype(np.float32)
    if ties:
        scores = np.round(scores, 1)
    target = (rng.random(n) < 1 / (1 + np.exp(-scores))).astype(np.float32)
    weight = rng.gamma(1.0, 2.0, n).astype(np.float32) if weighted else None
    if weighted:
        weight[rng.random(n) < 0.1] = 0
    return scores, target, weight


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("n", [2, 17, 1000, 70_000, 300_003])
def test_classification_equals_sklearn(n, ties, weighted):
    scores, target, weight = make(n, seed=n, ties=ties, weighted=weighted)
    target[:2] = 0, 1
    if weighted:
        weight[:2] = 1
    got = _core.classification_metrics(scores, target, weight, 2)
    np.testing.assert_allclose(got, expected_classification(scores, target, weight), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n", [1, 1000, 200_003])
def test_regression_equals_sklearn(n, weighted):
    rng = np.random.default_rng(n)
    target = rng.integers(1, 6, n).astype(np.float32)
    predictions = (target + rng.normal(0, 1, n)).astype(np.float32)
    weight = rng.gamma(1.0, 2.0, n).astype(np.float32) if weighted else None
    expected = (
        sk.root_mean_squared_error(target, predictions.astype(float), sample_weight=weight),
        sk.mean_absolute_error(target, predictions.astype(float), sample_weight=weight),
    )
    np.testing.assert_allclose(_core.regression_metrics(predictions, target, weight, 2), expected, rtol=1e-10)


@pytest.mark.parametrize("weighted", [False, True])
def test_same_bits_for_any_number_of_threads(weighted):
    """Promise 3."""
    scores, target, weight = make(300_001, ties=False, weighted=weighted)
    classification = [_core.classification_metrics(scores, target, weight, n) for n in (1, 2, 3)]
    regression = [_core.regression_metrics(scores, target, weight, n) for n in (1, 2, 3)]
    assert classification[0] == classification[1] == classification[2]
    assert regression[0] == regression[1] == regression[2]


@pytest.mark.parametrize("weighted", [False, True])
def test_same_bits_at_every_simd_level(weighted):
    scores, target, weight = make(10_001, weighted=weighted)
    active = _core.simd_level()
    try:
        got = []
        for level in _core.available_simd_levels():
            _core.pin_simd_level(level)
            got.append(_core.classification_metrics(scores, target, weight, 1))
            got.append(_core.regression_metrics(scores, target, weight, 1))
    finally:
        _core.pin_simd_level(active)
    assert set(got[2::2]) <= {got[0]}
    assert set(got[3::2]) <= {got[1]}


@pytest.mark.parametrize("scores", [np.full(5000, 0.25), np.repeat([-0.0, 0.0], 2500), np.linspace(1, 1.0001, 5000)])
def test_auc_where_scores_crowd(scores):
    """All equal, the two zeros, and thousands of scores in one exponent."""
    target = np.random.default_rng(1).integers(0, 2, 5000).astype(np.float32)
    scores = scores.astype(np.float32)
    auc = _core.classification_metrics(scores, target, None, 1)[3]
    assert auc == pytest.approx(sk.roc_auc_score(target, scores), abs=1e-12)


def test_auc_of_perfect_and_reversed_order():
    scores = np.linspace(-5, 5, 1001, dtype=np.float32)
    target = (scores > 1).astype(np.float32)
    weight = np.random.default_rng(0).random(1001).astype(np.float32)
    for w in (None, weight):
        assert _core.classification_metrics(scores, target, w, 1)[3] == pytest.approx(1.0, abs=1e-15)
        assert _core.classification_metrics(-scores, target, w, 1)[3] == pytest.approx(0.0, abs=1e-15)


def test_extreme_scores():
    """Denormals, the largest floats: log loss is the margin itself, nothing overflows."""
    big = np.finfo(np.float32).max
    tiny = np.float32(1e-45)
    scores = np.array([big, -big, tiny, -tiny, 800, -800], dtype=np.float32)
    target = np.array([1, 0, 1, 0, 0, 1], dtype=np.float32)
    log_loss, accuracy, _f1, auc = _core.classification_metrics(scores, target, None, 1)
    assert log_loss == pytest.approx((2 * math.log(2) + 1600) / 6, rel=1e-12)
    assert accuracy == pytest.approx(4 / 6)
    assert auc == pytest.approx(sk.roc_auc_score(target, scores.astype(float)))


def test_log_loss_of_one_row_to_the_last_digits():
    for margin in np.linspace(-100, 100, 2001, dtype=np.float32):
        log_loss = _core.classification_metrics(np.array([margin]), np.ones(1, np.float32), None, 1)[0]
        m = float(margin)
        assert log_loss == pytest.approx(max(0.0, -m) + math.log1p(math.exp(-abs(m))), rel=1e-14)


def test_raw_score_of_zero_is_positive():
    zero = np.zeros(1, np.float32)
    assert _core.classification_metrics(zero, np.ones(1, np.float32), None, 1)[1:3] == (1.0, 1.0)
    assert _core.classification_metrics(zero, zero, None, 1)[1:3] == (0.0, 0.0)


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_single_class_has_no_auc_and_no_warning(label):
    scores = np.array([-1, 2, 3], np.float32)
    target = np.full(3, label, np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got = _core.classification_metrics(scores, target, None, 1)
    assert math.isnan(got[3])
    np.testing.assert_allclose(got[:3], expected_classification(scores, target, None)[:3])


def test_class_without_weight_has_no_auc():
    weight = np.array([1, 1, 0], np.float32)
    target = np.array([1, 1, 0], np.float32)
    assert math.isnan(_core.classification_metrics(np.array([1, 2, 3], np.float32), target, weight, 1)[3])


def test_weight_two_is_the_row_twice_and_zero_is_absent():
    scores, target, _ = make(500, ties=True)
    times = np.random.default_rng(3).integers(0, 3, 500)
    weighted = _core.classification_metrics(scores, target, times.astype(np.float32), 1)
    repeated = _core.classification_metrics(np.repeat(scores, times), np.repeat(target, times), None, 1)
    np.testing.assert_allclose(weighted, repeated, rtol=1e-13)


F32 = np.float32
BAD = [
    ([], [], None, "empty"),
    ([1, 2], [1], None, "target has 1 entries, scores has 2"),
    ([1, 2], [1, 0], [1], "weight has 1 entries, scores has 2"),
    ([1, 2], [1, 0], [], "weight has 0 entries"),
    ([1, np.nan], [1, 0], None, r"scores\[1\] is NaN"),
    ([1, np.inf], [1, 0], None, r"scores\[1\] is infinite"),
    ([1, 2], [1, np.nan], None, r"target\[1\] is NaN"),
    ([1, 2], [1, 0.5], None, r"target\[1\] is 0.5\d*, must be 0 or 1"),
    ([1, 2], [1, 0], [1, -1], r"weight\[1\] is -1.0\d*, must be finite and not negative"),
    ([1, 2], [1, 0], [1, np.nan], r"weight\[1\] is NaN"),
    ([1, 2], [1, 0], [0, 0], "weight is 0 in every row"),
]


@pytest.mark.parametrize(("scores", "target", "weight", "message"), BAD)
def test_bad_classification_input_is_named(scores, target, weight, message):
    """Promise 6."""
    weight = None if weight is None else np.array(weight, F32)
    with pytest.raises(ValueError, match=message):
        _core.classification_metrics(np.array(scores, F32), np.array(target, F32), weight, 1)


@pytest.mark.parametrize(("scores", "target", "weight", "message"), [b for b in BAD if "0 or 1" not in b[3]])
def test_bad_regression_input_is_named(scores, target, weight, message):
    """Promise 6."""
    weight = None if weight is None else np.array(weight, F32)
    with pytest.raises(ValueError, match=message.replace("scores", "predictions")):
        _core.regression_metrics(np.array(scores, F32), np.array(target, F32), weight, 1)


def test_first_bad_row_is_named_at_any_number_of_threads():
    scores = np.zeros(400_000, F32)
    scores[[70_123, 390_000]] = np.nan
    for n_threads in (1, 3):
        with pytest.raises(ValueError, match=r"scores\[70123\] is NaN"):
            _core.classification_metrics(scores, np.zeros_like(scores), None, n_threads)


def test_wrong_dtype_layout_and_threads():
    good = np.zeros(4, F32)
    with pytest.raises(ValueError, match="scores has dtype float64, expected float32"):
        _core.classification_metrics(good.astype(float), good, None, 1)
    with pytest.raises(ValueError, match="scores is not C-contiguous"):
        _core.classification_metrics(np.zeros(8, F32)[::2], good, None, 1)
    with pytest.raises(ValueError, match="n_threads is 0"):
        _core.regression_metrics(good, good, None, 0)


def test_interrupt_ends_the_call():
    """Promise 7: an exception raised by a signal handler comes out of the call, which is usable again."""
    # Ranking so many rows takes far longer than the 50 ms between two looks at the signals.
    scores = np.zeros(40_000_000, F32)

    def handler(signum, frame):
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        with pytest.raises(KeyboardInterrupt):
            _core.classification_metrics(scores, scores, None, 1)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    assert _core.classification_metrics(scores[:10], scores[:10], None, 1)[1] == 0
