"""Point metrics over anything that is an array."""

import numpy as np
import pytest
from sklearn import metrics as sk

from factorec.errors import DataError
from factorec.metrics import classification_metrics, point, regression_metrics


@pytest.mark.parametrize("weighted", [False, True])
def test_equal_to_sklearn(weighted):
    rng = np.random.default_rng(0)
    scores = rng.normal(size=300)
    target = rng.integers(0, 2, 300)
    weight = rng.random(300) if weighted else None
    got = classification_metrics(target, scores, weight, n_jobs=2)
    assert got == {name: getattr(point, name)(target, scores, weight) for name in got}
    assert got == pytest.approx(
        {
            "log_loss": sk.log_loss(target, 1 / (1 + np.exp(-scores)), sample_weight=weight),
            "accuracy": sk.accuracy_score(target, scores >= 0, sample_weight=weight),
            "f1": sk.f1_score(target, scores >= 0, sample_weight=weight),
            "auc": sk.roc_auc_score(target, scores, sample_weight=weight),
        },
        rel=1e-6,
    )
    got = regression_metrics(target, scores, weight)
    assert got == {name: getattr(point, name)(target, scores, weight) for name in got}
    assert got == pytest.approx(
        {
            "rmse": sk.root_mean_squared_error(target, scores, sample_weight=weight),
            "mae": sk.mean_absolute_error(target, scores, sample_weight=weight),
        },
        rel=1e-6,
    )


def test_lists_booleans_and_strided_arrays():
    scores = np.linspace(-1, 1, 8)
    target = [False, True] * 4
    expected = classification_metrics(np.array(target, np.float32), scores.astype(np.float32))
    assert classification_metrics(target, scores.tolist()) == expected
    assert classification_metrics(target, np.repeat(scores, 2)[::2]) == expected


@pytest.mark.parametrize(
    ("target", "scores", "weight", "message"),
    [
        ([], [], None, "scores is empty"),
        ([1, 0], [1.0], None, "target has 2 entries, scores has 1"),
        ([1, 2], [1.0, 2.0], None, r"target\[1\] is 2.0\d*, must be 0 or 1"),
        ([1, 0], [1.0, float("nan")], None, r"scores\[1\] is NaN"),
        ([1, 0], [1.0, 1e300], None, r"scores\[1\] is infinite"),
        ([1, 0], [1.0, 2.0], [1, -1], r"^sample_weight\[1\] is -1.0\d*, must be finite and not negative"),
        ([1, 0], [1.0, 2.0], [0, 0], "^sample_weight is 0 in every row"),
        ([1, 0], ["a", "b"], None, "scores must be numbers, got list"),
        ([1, 0], [[1.0, 2.0]], None, r"scores must be one-dimensional, got shape \(1, 2\)"),
        ([1, 0], 3.0, None, r"scores must be one-dimensional, got shape \(\)"),
    ],
)
def test_bad_input_is_named(target, scores, weight, message):
    """Promise 6."""
    with pytest.raises(DataError, match=message):
        classification_metrics(target, scores, weight)
