"""Training as the managed service trains: hyperparameters, order, padding, start values, log, artifact."""

from __future__ import annotations

import io
import pickle
import re

import numpy as np
import pytest
from reference_adam import ReferenceAdam
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from factorec import Recommender
from factorec.errors import DataError, FormatError
from factorec.fm import TrainingSet
from factorec.formats.fm_artifact import write_fm_artifact
from factorec.sagemaker import estimator, load_artifact
from factorec.sagemaker.fm import ManagedFMClassifier, ManagedFMRegressor

N_USERS, N_ITEMS, N = 12, 9, 130
GIVEN = {
    "feature_dim": str(N_USERS + N_ITEMS),
    "num_factors": "5",
    "predictor_type": "binary_classifier",
    "mini_batch_size": "40",
    "epochs": "3",
    "factors_lr": "0.01",
    "linear_lr": "0.02",
    "factors_init_sigma": "0.3",
}


@pytest.fixture
def rows():
    generator = np.random.default_rng(5)
    columns = np.column_stack([generator.integers(N_USERS, size=N), N_USERS + generator.integers(N_ITEMS, size=N)])
    X = csr_array((np.ones(2 * N, np.float32), columns.ravel(), np.arange(0, 2 * N + 1, 2)), (N, N_USERS + N_ITEMS))
    return X, generator.integers(2, size=N).astype(np.float32)


def make(random_state=0, **changed):
    return estimator(GIVEN | changed, random_state=random_state)


def starts(fm, X, y):
    """The start values: all rates are 0."""
    still = clone(fm).set_params(epochs=1, bias_lr=0, linear_lr=0, factors_lr=0)
    return still.fit(X, y).parameters_


@pytest.mark.parametrize("kind", ["binary_classifier", "regressor"])
@pytest.mark.parametrize("sparse", [True, False])
@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"clip_gradient": "0.02", "eps": "0.001", "rescale_grad": "0.5"},
        {
            "bias_wd": "0.5",
            "linear_wd": "0.4",
            "factors_wd": "0.3",
            "bias_init_method": "constant",
            "bias_init_value": "2",
        },
        {"clip_gradient": "-1"},
    ],
)
def test_every_hyperparameter_reaches_the_solver(rows, kind, sparse, changed):
    """Against Adam in float64 and plain numpy: file order, the last batch padded, lazy for sparse rows only."""
    X, y = rows
    dense = X.toarray()
    if kind == "regressor":
        y = 3 * y - 1
    fm = make(predictor_type=kind, **changed).fit(X if sparse else dense, y)
    start, settings = starts(fm, X, y), fm.hyperparameters_
    clip = settings.clip_gradient
    reference = ReferenceAdam(
        dense,
        y,
        start.bias,
        start.linear,
        start.factors,
        loss="logistic" if kind == "binary_classifier" else "squared",
        rate={block: getattr(settings, f"{block}_lr") for block in ("bias", "linear", "factors")},
        decay={block: getattr(settings, f"{block}_wd") for block in ("bias", "linear", "factors")},
        batch_size=40,
        rescale=settings.rescale_grad,
        clip=np.inf if clip is None or clip < 0 else clip,
        epsilon=settings.eps or 1e-8,
        lazy=sparse,
        pad_last_batch=True,
    )
    for epoch in range(3):
        for name, value in reference.epoch().items():
            np.testing.assert_allclose(fm.history_["train"][name][epoch], value, rtol=2e-4, err_msg=name)
    np.testing.assert_allclose(fm.factors_, reference.P["factors"], rtol=2e-3, atol=2e-5)
    np.testing.assert_allclose(fm.linear_, reference.P["linear"], rtol=2e-3, atol=2e-5)
    np.testing.assert_allclose(fm.bias_, reference.P["bias"][0], rtol=1e-4)
    assert fm.sparse_input_ == sparse


def test_start_values(rows):
    X, y = rows
    normal = starts(make(linear_init_sigma="0.5", factors_init_sigma="0.25"), X, y)
    assert 0.2 < normal.linear.std() < 0.9
    assert 0.2 < normal.factors.std() < 0.3
    uniform = starts(
        make(factors_init_sigma="0.001", factors_init_method="uniform", factors_init_scale="0.5"), X, y
    ).factors
    assert np.abs(uniform).max() <= 0.5
    assert np.abs(uniform).max() > 0.4
    assert uniform.min() < 0 < uniform.max()
    constant = starts(
        make(
            linear_init_method="constant",
            linear_init_value="-0.5",
            bias_init_method="constant",
            bias_init_value="1.25",
            factors_init_sigma="0.001",
            factors_init_method="constant",
            factors_init_value="0",
        ),
        X,
        y,
    )
    assert constant.bias == 1.25
    assert (constant.linear == -0.5).all()
    assert not constant.factors.any()


def test_start_values_do_not_hang_together(rows):
    """Whoever changes one block's method keeps the draws of the others."""
    X, y = rows
    one, other = starts(make(), X, y), starts(make(linear_init_method="uniform", linear_init_scale="1"), X, y)
    assert (one.factors == other.factors).all()
    assert one.bias == other.bias
    assert (one.linear != other.linear).any()
    assert (one.factors != starts(make(1), X, y).factors).any()


def test_features_that_no_row_has_are_drawn_too(rows):
    X, y = rows
    wide = csr_array((X.data, X.indices, X.indptr), (N, X.shape[1] + 3))
    fm = make(feature_dim=str(wide.shape[1])).fit(wide, y)
    assert fm.factors_[-3:].all()


def test_blocks_that_are_not_used_stay_zero(rows):
    X, y = rows
    fm = make(use_bias="false", use_linear="false").fit(X, y)
    assert fm.bias_ == 0
    assert not fm.linear_.any()
    assert fm.factors_.all()


def test_rows_are_taken_in_file_order(rows):
    X, y = rows
    fm = make().fit(X, y)
    assert (fm.factors_ == make().fit(X, y).factors_).all()
    assert (fm.factors_ != make().fit(X[::-1], y[::-1]).factors_).any()
    batch = np.random.default_rng(0).permutation(40)  # order inside a batch is rounding only
    within = np.concatenate([batch, np.arange(40, N)])
    np.testing.assert_allclose(fm.factors_, make().fit(X[within], y[within]).factors_, rtol=1e-3, atol=1e-5)


def test_sorted_rows_are_warned_of(rows):
    X, y = rows
    by_user = np.argsort(X.indices[::2], kind="stable")
    with pytest.warns(UserWarning, match="rows are sorted by first feature .* shuffle the rows"):
        make().fit(X[by_user], y[by_user])
    by_label = np.argsort(y, kind="stable")
    with pytest.warns(UserWarning, match="rows are sorted by target"):
        make().fit(X[by_label], y[by_label])
    make(mini_batch_size=str(N)).fit(X[by_user], y[by_user])  # one batch has no order


def test_a_regressor_s_targets_are_neither_scaled_nor_clipped(rows):
    X, y = rows
    y = y + 100
    fm = make(predictor_type="regressor").fit(X, y, eval_set={"test": (X, y)})
    scores = fm.decision_function(X)
    assert scores.max() < 50  # three epochs from 0
    assert (fm.predict(X) == scores).all()
    assert fm.history_["test"]["rmse"][-1] == pytest.approx(np.sqrt(np.mean((scores - y) ** 2)), rel=1e-5)


def test_test_metrics_leave_padding_out(rows):
    X, y = rows
    fm = make().fit(X, y)
    plain, padded = fm.measure(X, y), fm.measure(X, y, padded=True)
    score = fm.decision_function(X)
    assert plain["accuracy"] == pytest.approx(np.mean((score >= 0) == y))
    n_right = round(plain["accuracy"] * N) + (30 if fm.bias_ < 0 else 0)  # 130 rows are 3 batches of 40 and 10
    assert padded["accuracy"] == pytest.approx(n_right / 160)
    loss = np.append(np.logaddexp(0, score) - y * score, np.full(30, np.logaddexp(0, fm.bias_)))
    assert padded["log_loss"] == pytest.approx(loss.mean(), rel=1e-5)
    regressor = make(predictor_type="regressor").fit(X, y)
    assert regressor.measure(X, y, padded=True)["mae"] < regressor.measure(X, y)["mae"]


@pytest.mark.parametrize("kind", ["binary_classifier", "regressor"])
def test_log(rows, kind):
    X, y = rows
    fm = make(predictor_type=kind, batch_metrics_publish_interval="2")
    stream = io.StringIO()
    seen = []
    fm.fit(X, y, eval_set={"test": (X, y)}, log=stream, on_epoch=lambda epoch, _: seen.append(epoch))
    text = stream.getvalue()
    assert seen == [0, 1, 2]
    name, metric = ("rmse <loss>", "rmse") if kind == "regressor" else ("binary_f_1.000 <score>", "f1")
    history, name = fm.history_["train"][metric], re.escape(name)
    of_epochs = re.findall(rf"epoch=(\d+), train {name}=(\S+)", text)
    assert [(int(epoch), float(value)) for epoch, value in of_epochs] == [*enumerate(history)]
    batches = re.findall(rf"epoch=(\d+), batch=(\d+) train {name}=(\S+)", text)
    assert [(int(epoch), int(batch)) for epoch, batch, _ in batches] == [(e, b) for e in range(3) for b in (0, 2)]
    assert re.findall(rf"algo-1, train {name}=(\S+)", text) == [repr(float(history[-1]))]
    assert float(re.findall(rf"algo-1, test {name}=(\S+)", text)[0]) == pytest.approx(fm.history_["test"][metric][-1])
    assert re.findall(r"completed (\S+) % of epochs", text)[-1] == "100.0"
    assert len(re.findall("train throughput=", text)) == 3
    padded = io.StringIO()
    fm.fit(X, y, eval_set={"test": (X, y)}, log=padded, padded_test_metrics=True)
    told = re.findall(rf"algo-1, test {name}=(\S+)", padded.getvalue())
    assert float(told[0]) == pytest.approx(fm.measure(X, y, padded=True)[metric])
    pickle.dumps(fm)  # holds no stream


def test_parameters_are_scikit_learn_s(rows):
    X, y = rows
    fm = make()
    assert repr(fm).startswith("ManagedFMClassifier(")
    assert clone(fm).get_params() == fm.get_params()
    assert fm.get_params()["factors_lr"] == 0.01
    direct = ManagedFMClassifier(**{name: text for name, text in GIVEN.items() if name != "predictor_type"})
    direct.random_state = 0
    assert (direct.fit(X, y).factors_ == fm.fit(X, y).factors_).all()  # strings as they are
    search = GridSearchCV(make(mini_batch_size="20"), {"factors_lr": [0.001, "0.1"]}, cv=2).fit(X, y)
    assert set(search.best_params_) == {"factors_lr"}
    with pytest.raises(TypeError, match="needs feature_dim="):
        ManagedFMRegressor(num_factors=3)
    with pytest.raises(TypeError, match="no parameter 'epoch'"):
        ManagedFMRegressor(feature_dim=3, num_factors=3, epoch=4)


def test_defaults_of_the_constructor_are_those_of_the_table():
    fm = ManagedFMRegressor(feature_dim=7, num_factors=3)
    read = estimator({"feature_dim": 7, "num_factors": 3, "predictor_type": "regressor"})
    assert isinstance(read, ManagedFMRegressor)
    assert fm.get_params() == read.get_params()
    assert fm.hyperparameters == read.hyperparameters


def test_what_cannot_be_trained_on(rows):
    X, y = rows
    with pytest.raises(DataError, match="cannot copy sequence with size 21 to array axis with dimension 20"):
        make(feature_dim="20").fit(X, y)
    with pytest.raises(DataError, match="rows have 20 features, feature_dim is 21"):
        make().fit(X[:, :20], y)
    with pytest.raises(ValueError, match="X has 20 features, but ManagedFMClassifier is expecting 21"):
        make().fit(X, y, eval_set={"test": (X[:, :20], y)})
    with pytest.raises(DataError, match="mini_batch_size is 131, there are only 130 rows"):
        make(mini_batch_size="131").fit(X, y)
    with pytest.raises(DataError, match=r"y\[1\] is .*3.*: labels of a binary_classifier are 0 and 1"):
        make().fit(X, np.where(np.arange(N) == 1, 3, y))
    with pytest.raises(DataError, match="linear_lr must be a finite number of at least 0, got 'fast'"):
        make().set_params(linear_lr="fast").fit(X, y)
    with pytest.raises(DataError, match="feature_dim is required"):
        estimator({"num_factors": "1", "predictor_type": "regressor"})
    with pytest.warns(UserWarning, match="bias_init_scale has no effect"):
        make(bias_init_scale="3").fit(X, y)


def test_labels_of_one_class_are_enough(rows):
    """The service does not ask for both."""
    X, _ = rows
    fm = make().fit(X, np.ones(N))
    assert fm.classes_.tolist() == [0, 1]


def test_an_error_leaves_the_estimator_as_it_was(rows):
    X, y = rows
    fm = make().fit(X, y)
    before = fm.factors_.copy()
    fm.set_params(factors_lr="1e30", factors_init_sigma="1e30")
    with pytest.raises((FloatingPointError, DataError)):
        fm.fit(X, y, log=io.StringIO())
    assert (fm.factors_ == before).all()
    assert fm.hyperparameters_.factors_lr == 0.01
    assert "_log" not in vars(fm)


def test_training_sets(rows):
    X, y = rows
    data = TrainingSet.from_ids(X.indices[::2], X.indices[1::2] - N_USERS, y, n_users=N_USERS, n_items=N_ITEMS)
    fm, flat = make().fit(data), make().fit(X, y)
    assert (fm.factors_ == flat.factors_).all()
    assert fm.parameters_.n_query_features == N_USERS
    assert fm.sparse_input_


def test_partial_fit_goes_on(rows):
    X, y = rows
    fm = make(epochs="2").fit(X, y).partial_fit(X, y)
    assert (fm.factors_ == make(epochs="3").fit(X, y).factors_).all()


@pytest.mark.parametrize("kind", ["binary_classifier", "regressor"])
def test_artifact_there_and_back(rows, tmp_path, kind):
    X, y = rows
    fm = make(predictor_type=kind).fit(X, y)
    fm.save_artifact(tmp_path / "model.tar.gz")
    loaded = load_artifact(tmp_path / "model.tar.gz", n_query_features=N_USERS)
    assert type(loaded) is type(fm)
    assert loaded.hyperparameters_ == fm.hyperparameters_
    np.testing.assert_allclose(loaded.decision_function(X), fm.decision_function(X), rtol=1e-5)
    np.testing.assert_allclose(loaded.predict(X), fm.predict(X), rtol=1e-5)
    assert loaded.parameters_.query_vectors(np.eye(1, N_USERS + N_ITEMS)).shape == (1, 5)
    with pytest.raises(DataError, match="keep to columns below 12"):
        loaded.parameters_.query_vectors(X)
    assert np.isfinite(loaded.partial_fit(X, y).factors_).all()
    assert loaded.measure(X, y).keys() == fm.measure(X, y).keys()


def test_artifacts_that_say_little(tmp_path):
    """Hyperparameters of a later service are passed over, shapes come from the arrays."""
    path = tmp_path / "model.tar.gz"
    factors = np.ones((4, 2), np.float32)
    write_fm_artifact(
        path, 1.0, factors[:, 0], factors, predictor_type="regressor", hyperparameters={"new_one": "7", "epochs": "3"}
    )
    loaded = load_artifact(path)
    assert loaded.hyperparameters_.epochs == 3
    assert loaded.hyperparameters_.num_factors == 2
    assert isinstance(load_artifact(path, predictor_type="binary_classifier"), ManagedFMClassifier)
    write_fm_artifact(path, 1.0, factors[:, 0], factors, predictor_type="regressor", hyperparameters={"epochs": "many"})
    with pytest.raises(FormatError, match="its hyperparameters: epochs must be an integer"):
        load_artifact(path)


def test_a_recommender_takes_the_estimator(rows, tmp_path):
    """Its ids are numbered by the encoder: as many columns as there are ids."""
    X, y = rows
    table = {"user_id": X.indices[::2], "item_id": X.indices[1::2], "rating": y}
    rec = Recommender(make(epochs="2"), target="rating").fit(table)
    assert rec.recommend([3], n=2).counts.tolist() == [2]
    assert np.isfinite(rec.explain(3, X.indices[1]).score)
    with pytest.raises(DataError, match="a recommender with a ManagedFMClassifier cannot be saved"):
        rec.save(tmp_path / "model.factorec")
    assert not list(tmp_path.iterdir())
