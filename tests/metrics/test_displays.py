"""Pictures of predictions: their numbers against scikit-learn's, what they draw, what they refuse."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from matplotlib import colors, pyplot
from matplotlib.figure import Figure
from sklearn.calibration import calibration_curve
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import accuracy_score, f1_score, precision_recall_curve, precision_score, recall_score

import factorec as fr
from factorec.errors import DataError
from factorec.metrics import CalibrationDisplay, ThresholdDisplay


@pytest.fixture
def ax():
    return Figure().subplots()


def sample(n=400, seed=0):
    random = np.random.default_rng(seed)
    chance = np.round(random.random(n), 2)  # with ties
    return (random.random(n) < chance).astype(int), chance, random.random(n)


def test_thresholds_are_those_of_scikit_learn(ax):
    label, chance, _ = sample()
    display = ThresholdDisplay.from_predictions(label, chance, ax=ax)
    precision, recall, thresholds = precision_recall_curve(label, chance)
    assert np.array_equal(display.thresholds[:-1], thresholds)
    assert display.precision[:-1] == pytest.approx(precision[:-1])
    assert display.recall == pytest.approx(recall)
    assert np.isnan(display.precision[-1])


@pytest.mark.parametrize("weighted", [False, True])
def test_metrics_at_any_threshold(weighted, ax):
    label, chance, weight = sample()
    weight = weight if weighted else None
    display = ThresholdDisplay.from_predictions(label, chance, sample_weight=weight, ax=ax)
    for threshold in (-1.0, 0.3, 0.305, 0.5, float(chance.max())):
        called = chance >= threshold
        assert display.at(threshold) == pytest.approx(
            {
                "precision": precision_score(label, called, sample_weight=weight),
                "recall": recall_score(label, called, sample_weight=weight),
                "f1": f1_score(label, called, sample_weight=weight),
                "accuracy": accuracy_score(label, called, sample_weight=weight),
            }
        )
    assert display.at(2.0)["recall"] == 0
    for metric, score in (("f1", f1_score), ("accuracy", accuracy_score)):
        best = display.best_threshold(metric)
        every = [score(label, chance >= t, sample_weight=weight) for t in np.unique(chance)]
        assert score(label, chance >= best, sample_weight=weight) == pytest.approx(max(every))


def test_calling_nothing_a_like_may_be_most_accurate(ax):
    display = ThresholdDisplay.from_predictions([0, 0, 1, 0], [0.1, 0.3, 0.2, 0.9], ax=ax)
    assert display.best_threshold("accuracy") > 0.9
    assert display.at(display.best_threshold("accuracy"))["accuracy"] == 0.75
    one_class = ThresholdDisplay.from_predictions([0, 0], [0.1, 0.2], ax=ax)
    assert one_class.recall.tolist() == one_class.f1.tolist() == [0, 0, 0]


def test_the_sweep_is_drawn(ax):
    display = ThresholdDisplay.from_predictions(*sample()[:2], ax=ax, best="accuracy", name="validation rows")
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    labels = ax.get_legend_handles_labels()[1]
    assert labels[:4] == ["precision", "recall", "F1", "accuracy"]
    assert labels[4].startswith("best accuracy: 0.")
    for line, metric in zip(ax.get_lines(), ("precision", "recall", "f1", "accuracy"), strict=False):
        assert np.array_equal(line.get_ydata(), getattr(display, metric), equal_nan=True)
    assert ax.get_title(loc="left") == "validation rows"
    assert "threshold" in ax.get_xlabel()


@pytest.mark.parametrize("strategy", ["quantile", "uniform"])
def test_calibration_of_probabilities_is_scikit_learns(strategy, ax):
    label, chance, _ = sample()
    display = CalibrationDisplay.from_predictions(label, chance, n_bins=7, strategy=strategy, ax=ax)
    observed, predicted = calibration_curve(label, chance, n_bins=7, strategy=strategy)
    assert display.observed == pytest.approx(observed)
    assert display.predicted == pytest.approx(predicted)
    assert display.counts.sum() == 400
    assert display.binary
    assert display.calibration_error == pytest.approx(
        sum(abs(observed - predicted) * display.counts) / display.counts.sum()
    )
    assert display.error == pytest.approx(np.sqrt(observed * (1 - observed) / display.counts))


def test_calibration_of_ratings(ax):
    random = np.random.default_rng(0)
    predicted = random.uniform(1, 5, 5000)
    rating = np.clip(np.round(predicted + random.normal(0, 0.5, 5000)), 1, 5)
    display = CalibrationDisplay.from_predictions(rating, predicted, n_bins=4, strategy="uniform", ax=ax)
    for low, observed, mean, count in zip(
        np.linspace(predicted.min(), predicted.max(), 5)[:-1],
        display.observed,
        display.predicted,
        display.counts,
        strict=True,
    ):
        inside = (predicted >= low) & (predicted <= low + (predicted.max() - predicted.min()) / 4)
        assert count == inside.sum()
        assert observed == pytest.approx(rating[inside].mean())
        assert mean == pytest.approx(predicted[inside].mean())
    assert not display.binary
    assert display.calibration_error < 0.1
    assert ax.get_xlabel() == "mean predicted"


def test_two_models_in_one_picture(ax):
    label, chance, noise = sample()
    CalibrationDisplay.from_predictions(label, chance, name="one", ax=ax)
    display = CalibrationDisplay.from_predictions(label, (chance + noise) / 2, name="two", ax=ax)
    assert ax.get_legend_handles_labels()[1] == ["perfectly calibrated", "one", "two"]
    assert len({colors.to_hex(line[0].get_color()) for line in ax.containers}) == 2
    assert display.plot(ax=Figure().subplots(), name="other", color="red").ax_ is not ax


def test_without_axes_a_pyplot_figure_is_made():
    pyplot.switch_backend("agg")
    try:
        for display in (ThresholdDisplay, CalibrationDisplay):
            drawn = display.from_predictions([0, 1], [0.2, 0.7])
            assert drawn.figure_.number in pyplot.get_fignums()
    finally:
        pyplot.close("all")


@pytest.fixture(scope="module")
def tables():
    data = fr.datasets.make_planted_fm(80, 40, 2500, target="real", seed=0)
    data.table["rating"] = 1 + np.searchsorted(
        np.quantile(data.table["rating"], [0.2, 0.4, 0.6, 0.8]), data.table["rating"]
    )
    return fr.model_selection.train_test_split(data.table, fr.model_selection.RandomSplit(0.3, random_state=0))


def test_recommenders_know_their_target(tables, ax):
    train, test = tables
    rec = fr.Recommender(fr.FMClassifier(n_factors=4, random_state=0), like_threshold=4).fit(train)
    display = ThresholdDisplay.from_estimator(rec, test, ax=ax)
    assert display.at(0.5)["accuracy"] == pytest.approx(rec.evaluate(test).points["accuracy"])
    assert display.at(0.5)["f1"] == pytest.approx(rec.evaluate(test).points["f1"])
    assert CalibrationDisplay.from_estimator(rec, test, ax=ax).binary

    ratings = fr.Recommender(fr.FMRegressor(n_factors=4, random_state=0), like_threshold=4).fit(train)
    swept = ThresholdDisplay.from_estimator(ratings, test, ax=ax)
    assert swept.thresholds[-2] > 3  # ratings
    assert swept.at(3.5)["recall"] == pytest.approx(recall_score(test["rating"] >= 4, ratings.predict(test) >= 3.5))
    calibrated = CalibrationDisplay.from_estimator(ratings, test, ax=ax)
    assert np.average(calibrated.observed, weights=calibrated.counts) == pytest.approx(test["rating"].mean())

    ratings.like_threshold = None
    with pytest.raises(DataError, match="y_true must be 0 and 1, but holds"):
        ThresholdDisplay.from_estimator(ratings, test, ax=ax)


def test_estimators_of_scikit_learn_are_given_the_target(ax):
    label, chance, _ = sample()
    X = chance[:, None]
    fitted = LogisticRegression().fit(X, label)
    given = ThresholdDisplay.from_estimator(fitted, X, label, ax=ax)
    assert given.at(0.5)["accuracy"] == pytest.approx(fitted.score(X, label))
    line = LinearRegression().fit(X, label)
    assert CalibrationDisplay.from_estimator(line, X, label, ax=ax).calibration_error < 0.1
    with pytest.raises(DataError, match="LogisticRegression does not know the target of X: give y"):
        CalibrationDisplay.from_estimator(fitted, X, ax=ax)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (([0, 1], [0.5]), {}, "y_pred has 1 rows, y_true has 2"),
        (([], []), {}, "at least one row"),
        (([0, 1], [0.5, np.nan]), {}, "y_pred holds nan in row 1"),
        ((["a", "b"], [0.5, 0.5]), {}, "y_true must be numbers"),
        (([[0], [1]], [0.5, 0.5]), {}, "y_true must be one-dimensional"),
    ],
)
def test_input_that_cannot_be_used(arguments, options, message, ax):
    for display in (ThresholdDisplay, CalibrationDisplay):
        with pytest.raises(DataError, match=message):
            display.from_predictions(*arguments, **options, ax=ax)


def test_settings_that_cannot_be_used(ax):
    pair = [0, 1], [0.2, 0.6]
    for options, message in (
        ({"best": "auc"}, "metric must be one of 'precision'"),
        ({"sample_weight": [0, 0]}, "not be"),
    ):
        with pytest.raises(DataError, match=message):
            ThresholdDisplay.from_predictions(*pair, **options, ax=ax)
    for options, message in (({"n_bins": 0}, "n_bins"), ({"strategy": "equal"}, "strategy")):
        with pytest.raises(DataError, match=message):
            CalibrationDisplay.from_predictions(*pair, **options, ax=ax)
    with pytest.raises(DataError, match="holds 3 in row 0"):
        ThresholdDisplay.from_predictions([3, 1], [0.2, 0.6], ax=ax)


def test_metrics_need_no_matplotlib():
    code = (
        "import sys; sys.modules['matplotlib'] = sys.modules['matplotlib.pyplot'] = None; import factorec as fr\n"
        "try: fr.metrics.ThresholdDisplay.from_predictions([0, 1], [0.1, 0.2])\n"
        "except ImportError as error: print(error)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "plots need matplotlib: pip install 'factorec[cli]'\n"
